"""Restyling a video in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np

from moviola.core.video import Video
from moviola.data import codec
from moviola.data.masks import write_masks
from moviola.pipelines.restyle.run import Plan, restyle_file
from moviola.pipelines.restyle.settings import RestyleConfig, default_painter

Pictures = str | Path | Video | np.ndarray | dict[int, np.ndarray]
"""A file or folder (`moviola.pipelines.restyle.settings.MaskConfig`), or masks in memory (`write_masks`)."""
Mask = Pictures | dict[str, Any]
"""Masks, or the fields of `MaskConfig` with masks as "file"."""


def restyle(
    video: Video,
    prompt: str = "",
    *,
    painter: str | None = None,
    device: str = "cpu",
    workers: int = 1,
    mask: Mask | None = None,
    **changes: object,
) -> Video:
    """Restyle a video in memory: paint its key frames and carry the paint to all others.

    Args:
        video: any length, size and rate; its sound and the times of its frames are kept.
        prompt: what the painted frames show, for the painter "diffusion".
        painter: "diffusion", or a filter: "sketch", "watercolor", "oil", "cartoon", "ink". If none is
            named: "diffusion" with a prompt, else "watercolor".
        device: for networks. workers: parts carried at a time.
        mask: what is repainted (white); the rest stays bit for bit: a file or folder, a Video, an array (H, W) for all
            frames or (T, H, W), or arrays (H, W) by frame number, which are carried to the other frames by flow. Also
            the fields of `MaskConfig` as a dict: `mask={"file": array, "invert": True, "feather": 4}`.
        changes: other fields of `RestyleConfig`: `strength=0.8`, `keys={"interval": 20}` ...;
            `model="..."` is short for `diffusion={"model": "..."}`.

    Returns:
        A `Video` of the same length, size (but for `crop`) and rate.

    Raises:
        InputError: and what is below it, in one line.
    """
    model = changes.pop("model", None)
    if model is not None:
        given = changes.pop("diffusion", {})
        changes["diffusion"] = {**(given if isinstance(given, dict) else {}), "model": model}
    with tempfile.TemporaryDirectory(prefix="moviola-restyle-") as name:
        folder = Path(name)
        if mask is not None:
            changes["mask"] = _settings(mask, folder / "mask")
        config = RestyleConfig.make(
            {"painter": painter or default_painter(prompt), "prompt": prompt, **changes}
        )
        source, output = folder / "in.mkv", folder / "out.mkv"
        codec.write(Video(video.frames, codec.DEFAULT_FPS), source, lossless=True)  # only the frames are read
        restyle_file(source, output, config, Plan(workers=workers, device=device), lossless=True)
        return video.with_frames(codec.read(output).frames)


def _settings(mask: Mask, place: Path) -> dict[str, object]:
    """Return a mask as the fields of `MaskConfig`, that in memory written to a file."""
    if isinstance(mask, dict) and all(isinstance(key, str) for key in mask):
        given = cast("dict[str, Any]", dict(mask))
        file = given.get("file")
        if file is None or isinstance(file, str | Path):
            return given
        return {**given, "file": write_masks(file, place)}
    return {"file": mask if isinstance(mask, str | Path) else write_masks(cast("Video", mask), place)}
