"""A map of the latent space: one page with a thumbnail of every clip where its code lies, and its film on a click."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import ConfigError
from moviola.core.ranges import from_network
from moviola.core.resample import resize_frames
from moviola.models.inrv import InrvModel
from moviola.pipelines.edit.latent.render import render
from moviola.pipelines.pages.media import data_uri
from moviola.pipelines.pages.render import render as render_page

_FILM_FRAMES, _FILM_SIDE, _THUMB_SIDE = 24, 128, 48
_NEAREST = 6


@dataclass(frozen=True, eq=False)
class SpaceMap:
    """Where clips lie in the plane of the two directions in which codes vary most.

    Attributes:
        rows: of the codebook, int64 (N,).
        places: (N, 2); each axis is scaled by the larger of the two ranges, so that distances are comparable.
        shares: of the codes' variance that each of the two directions holds.
        nearest: rows of the nearest clips by the whole code, N lists.
    """

    rows: np.ndarray
    places: np.ndarray
    shares: tuple[float, float]
    nearest: list[list[int]]


def map_space(codes: Tensor, limit: int = 400) -> SpaceMap:
    """Project codes onto their first two principal components.

    Args:
        codes: (V, code), V at least 2.
        limit: at most so many are placed, spread evenly over the codebook.

    Raises:
        ConfigError: fewer than 2 codes, or a limit below 2.
    """
    if len(codes) < 2 or limit < 2:
        raise ConfigError(f"a map needs 2 clips or more; there are {len(codes)}, and the limit is {limit}")
    rows = np.unique(np.linspace(0, len(codes) - 1, min(limit, len(codes))).round().astype(np.int64))
    chosen = codes[torch.from_numpy(rows)].detach().cpu().double()
    centred = chosen - chosen.mean(dim=0)
    _, values, axes = torch.linalg.svd(centred, full_matrices=False)
    places = (centred @ axes[:2].T).numpy()
    if places.shape[1] < 2:
        places = np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
    low, span = places.min(axis=0), np.ptp(places, axis=0)
    places = (places - low - span / 2) / max(float(span.max()), 1e-12) + 0.5
    variance = values.square() / values.square().sum().clamp(min=1e-12)
    shares = [float(v) for v in variance[:2]] + [0.0]
    distance = torch.cdist(chosen, chosen).fill_diagonal_(float("inf"))
    order = distance.argsort(dim=1)[:, : min(_NEAREST, len(rows) - 1)]
    return SpaceMap(rows, places, (shares[0], shares[1]), [rows[line].tolist() for line in order.numpy()])


def build_map(model: InrvModel, space: SpaceMap, title: str) -> str:
    """Return the page as HTML; it is one file that loads nothing.

    Args:
        model: whose clips are drawn.
        space: where they lie.
        title: of the page, plain text.
    """
    clips = []
    for place, (x, y), near in zip(space.rows.tolist(), space.places.tolist(), space.nearest, strict=True):
        thumb, film = _pictures(model, place)
        clips.append(
            {
                "number": place, "caption": model.config.captions[place], "x": round(x, 4), "y": round(y, 4),
                "near": near, "thumb": thumb, "film": film,
            }
        )  # fmt: skip
    count = (
        f"{len(clips)} of {len(model.codes)} clips"
        if len(clips) < len(model.codes)
        else f"{len(clips)} clips"
    )
    lead = (
        f"{count}; the two directions in which their codes vary most hold {100 * space.shares[0]:.0f} % and "
        f"{100 * space.shares[1]:.0f} % of the variance. Click on a clip to see it; scroll to zoom, drag to move."
    )
    return render_page("space_map.html", title=title, lead=lead, clips=clips)


def _pictures(model: InrvModel, row: int) -> tuple[str, str]:
    """Return a thumbnail and an animation of a clip of the codebook, as data URIs."""
    count = min(_FILM_FRAMES, model.num_frames)
    numbers = torch.linspace(0, model.num_frames - 1, count)
    scale = min(1.0, _FILM_SIDE / max(model.height, model.width))
    size = (max(1, round(model.height * scale)), max(1, round(model.width * scale)))
    drawn = torch.cat(list(render(model, model.codes[row][None], numbers, size)))
    frames = from_network(drawn)
    if frames.shape[-1] == 1:
        frames = frames.expand(-1, -1, -1, 3)
    pictures = np.ascontiguousarray(frames.numpy())
    scale = min(1.0, _THUMB_SIDE / max(size))
    small = resize_frames(pictures[:1], max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    delay = 1000 * model.num_frames / float(model.fps) / count
    return _webp(small, delay), _webp(pictures, delay)


def _webp(frames: np.ndarray, delay: float) -> str:
    """Return frames, uint8 (T, H, W, 3), each shown for `delay` ms, as the data URI of a webp picture."""
    from PIL import Image

    first, *rest = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    more = (
        {"save_all": True, "append_images": rest, "duration": max(1, round(delay)), "loop": 0} if rest else {}
    )
    first.save(buffer, "WEBP", quality=75, method=4, **more)
    return data_uri("image/webp", buffer.getvalue())
