"""Editing motion by bands of speed.

Source: Hyun et al. 2023, "Frequency-based Motion Representation for Video Generative Adversarial Networks", section on
motion manipulation: features whose |omega| lies in a band get the scales of another motion code, or none.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import ConfigError
from moviola.core.video import Video
from moviola.models.freqmotion import Bands, Codes, FreqMotionGenerator
from moviola.models.freqmotion.bands import blend_scales
from moviola.pipelines.edit.clock import Clock, whole_periods

_MEAN_DRAWS = 4096
Interpolation = Literal["lerp", "slerp"]


@dataclass(frozen=True)
class MotionEdit:
    """What is changed of a drawn video; by default nothing.

    Attributes:
        bands: the parts of the spectrum that gains and codes refer to.
        gains: factor on each band's scales, 0 to remove a band, lowest band first; None for 1.
        codes: for each band the seed whose motion it takes, None for the video's own; None for all its own.
        content: seed of the content; None for the video's own.
        motion: seed of the motion of all bands that `codes` leaves open; None for the video's own.
        toward: seed of a motion to go toward, in all bands that `codes` leaves open; None for none.
        amount: how far, 0 for none of it, 1 for all.
        interpolation: "slerp" (on the sphere that latents come from) or "lerp" (of the motion codes).
        truncation: 1 for w_c as drawn, 0 for the mean content; in between, more typical content.
        own: codes of a projection, which are edited in place of a drawn video's; None for the drawn ones. There is no
            latent to them, so that `toward` mixes scales, and `interpolation` is "lerp".
    """

    bands: Bands = field(default_factory=Bands)
    gains: tuple[float, ...] | None = None
    codes: tuple[int | None, ...] | None = None
    content: int | None = None
    motion: int | None = None
    toward: int | None = None
    amount: float = 0.5
    interpolation: Interpolation = "slerp"
    truncation: float = 1.0
    own: Codes | None = None

    def __post_init__(self) -> None:
        for name, values in (("gains", self.gains), ("codes", self.codes)):
            if values is not None and len(values) != len(self.bands):
                raise ConfigError(f"{len(self.bands)} bands need as many {name}, not {len(values)}")
        if self.gains is not None and not all(torch.tensor(self.gains).isfinite()):
            raise ConfigError("gains are finite numbers")
        if self.own is not None and self.toward is not None and self.interpolation != "lerp":
            raise ConfigError("a projected video has no latent to interpolate on the sphere; use lerp")

    def without(self, *bands: int) -> MotionEdit:
        """Return this edit with these bands removed."""
        gains = list(self.gains or [1.0] * len(self.bands))
        for band in bands:
            gains[band] = 0.0
        return replace(self, gains=tuple(gains))


def default_bands(model: FreqMotionGenerator, softness: float = 0.0) -> Bands:
    """Return the bands of a model: where its banks part, or thirds of its frequencies where it has one bank."""
    ranges = model.config.ranges
    if len(ranges) > 1:
        # half way, in octaves, between the end of one range and the beginning of the next
        edges = (math.sqrt(high * low) for (_, high), (low, _) in itertools.pairwise(ranges))
        return Bands(tuple(edges), softness)
    return Bands.by_quantiles(model.omega(), 3, softness)


@torch.no_grad()
def edit_codes(model: FreqMotionGenerator, seed: int, index: int, edit: MotionEdit) -> Codes:
    """Return the codes of video (`seed`, `index`), or the edit's own, with the edit made.

    Where nothing is changed they are those of the unedited video, bit for bit.
    """
    own = _own_scales(model, seed, index, edit)
    by_band = [
        own if code is None else _drawn_scales(model, code, index, like=own)
        for code in edit.codes or [None] * len(edit.bands)
    ]
    scales = []
    for k, bank in enumerate(model.banks):
        masks = edit.bands.masks(bank.frequencies())  # type: ignore[operator]
        scales.append(blend_scales([of_band[k] for of_band in by_band], masks, edit.gains))
    content, noise = _own_content(model, seed, index, edit)
    if edit.truncation != 1:
        content = _mean_content(model).lerp(content, edit.truncation)
    return Codes(content, tuple(scales), noise)


def _own_scales(model: FreqMotionGenerator, seed: int, index: int, edit: MotionEdit) -> tuple[Tensor, ...]:
    """Return the scales, for each bank (1, F), of bands that keep the video's own motion."""
    if edit.own is None:
        return model.scales(model.map_motion(_latent(model, seed, index, edit)))
    scales = edit.own.scales if edit.motion is None else _drawn_scales(model, edit.motion, index)
    if edit.toward is None or edit.amount == 0:
        return scales
    other = _drawn_scales(model, edit.toward, index)
    return tuple(a.lerp(b, edit.amount) for a, b in zip(scales, other, strict=True))


def _drawn_scales(
    model: FreqMotionGenerator, seed: int, index: int, like: tuple[Tensor, ...] | None = None
) -> tuple[Tensor, ...]:
    return model.scales(model.map_motion(model.draw_latent("motion", seed, [index])), like)


def _own_content(
    model: FreqMotionGenerator, seed: int, index: int, edit: MotionEdit
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return w_c (1, D) and the noise maps that the video shows, before truncation."""
    if edit.own is not None and edit.content is None:
        return edit.own.content, edit.own.noise
    chosen = seed if edit.content is None else edit.content
    content = model.map_content(model.draw_latent("content", chosen, [index]))
    return content, model.draw_noise(chosen, [index])


def _latent(model: FreqMotionGenerator, seed: int, index: int, edit: MotionEdit) -> Tensor:
    """Return z_m of the bands that keep the video's own motion."""
    z = model.draw_latent("motion", seed if edit.motion is None else edit.motion, [index])
    if edit.toward is None or edit.amount == 0:
        return z
    other = model.draw_latent("motion", edit.toward, [index])
    return z.lerp(other, edit.amount) if edit.interpolation == "lerp" else slerp(z, other, edit.amount)


def slerp(a: Tensor, b: Tensor, amount: float) -> Tensor:
    """Interpolate rows (B, D) along the arc between their directions, and their lengths linearly.

    Source: Shoemake 1985, "Animating Rotation with Quaternion Curves". Opposite or equal directions are mixed linearly.
    """
    lengths = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    u, v = a / lengths[0].clamp(min=1e-12), b / lengths[1].clamp(min=1e-12)
    angle = (u * v).sum(dim=-1, keepdim=True).clamp(-1, 1).acos()
    sine = angle.sin()
    straight = u.lerp(v, amount)
    arc = (((1 - amount) * angle).sin() * u + (amount * angle).sin() * v) / sine.clamp(min=1e-6)
    return torch.where(sine < 1e-4, straight, arc) * lengths[0].lerp(lengths[1], amount)


@lru_cache(maxsize=2)
def _mean_content(model: FreqMotionGenerator) -> Tensor:
    total = torch.zeros(1, model.config.style, device=model.synthesis.constant.device)
    for start in range(0, _MEAN_DRAWS, 256):
        z = model.draw_latent("content", 0, range(start, start + 256))
        total += model.map_content(z).sum(dim=0, keepdim=True)
    return total / _MEAN_DRAWS


def draw_edited(
    model: FreqMotionGenerator, clock: Clock, *, seed: int = 0, index: int = 0, edit: MotionEdit | None = None
) -> Iterator[Video]:
    """Yield the video of (`seed`, `index`), edited, in pieces; memory does not grow with its length.

    Args:
        model: the generator.
        clock: the instants.
        seed, index: which video.
        edit: what is changed; None for nothing.
    """
    codes = edit_codes(model, seed, index, edit) if edit else model.draw(seed, [index])
    omega = None if clock.period is None else whole_periods(model, clock.period)
    for piece in model.stream_at(clock.times, codes, omega):
        yield Video.from_tensor(piece, clock.fps)


def draw_grid(
    model: FreqMotionGenerator, clock: Clock, count: int, *, seed: int = 0, index: int = 0, edit: MotionEdit
) -> Iterator[Video]:
    """Yield one video of `count` x `count` videos: a row for each code of the lowest band, a column for the highest's.

    The codes are those of the seeds `seed`, `seed` + 1 ..., the first ones the video's own; content, noise and the
    bands between are its own, too, so that the upper left one is the unedited video.

    Args:
        model, clock, seed, index, edit: as for `draw_edited`.
        count: codes of each band, at least 1.

    Raises:
        ConfigError: there is only one band, or `count` is below 1.
    """
    if count < 1 or len(edit.bands) < 2:
        raise ConfigError("a grid needs two bands or more, and at least 1 code of each")
    streams = []
    for row in range(count):
        for column in range(count):
            codes: list[int | None] = list(edit.codes or [None] * len(edit.bands))
            codes[0], codes[-1] = (seed + n if n or edit.own is None else None for n in (row, column))
            cell = replace(edit, codes=tuple(codes))
            streams.append(draw_edited(model, clock, seed=seed, index=index, edit=cell))
    for pieces in zip(*streams, strict=True):
        rows = [_join(pieces[r * count : (r + 1) * count], axis=2) for r in range(count)]
        yield _join(rows, axis=1)


def _join(videos: Sequence[Video], axis: int) -> Video:
    """Put videos of one size side by side (axis 2) or one below the other (axis 1), two dark pixels between them."""
    shape = list(videos[0].frames.shape)
    shape[axis] = 2
    gap = np.full(shape, 32, np.uint8)
    parts = [part for video in videos for part in (video.frames, gap)][:-1]
    return Video(np.concatenate(parts, axis=axis), videos[0].fps)
