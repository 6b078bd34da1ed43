"""Resizing uint8 frames with a stated kernel.

A kernel is a function of the distance (in source pixels) between an output pixel's centre and a source pixel's
centre; centres lie at half-integers. With `antialias` the kernel is stretched by the shrinking factor, so that a
smaller picture averages what it covers; without it the kernel keeps its width and fine detail folds over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from moviola.core.errors import ConfigError, check_name

Kernel = Literal["nearest", "box", "bilinear", "bicubic", "lanczos"]
KERNELS: tuple[str, ...] = get_args(Kernel)
MAX_SIDE = 16384


def _box(x: np.ndarray) -> np.ndarray:
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


def _bilinear(x: np.ndarray) -> np.ndarray:
    return np.clip(1.0 - np.abs(x), 0.0, None)


def _bicubic(x: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Keys, "Cubic convolution interpolation for digital image processing" (1981), equation 15 (a = -1/2)."""
    x = np.abs(x)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def _lanczos(x: np.ndarray, lobes: float = 3.0) -> np.ndarray:
    return np.where(np.abs(x) < lobes, np.sinc(x) * np.sinc(x / lobes), 0.0)


_SHAPES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "box": (_box, 0.5),
    "bilinear": (_bilinear, 1.0),
    "bicubic": (_bicubic, 2.0),
    "lanczos": (_lanczos, 3.0),
}


def resize_frames(
    frames: np.ndarray, height: int, width: int, kernel: Kernel = "lanczos", antialias: bool = True
) -> np.ndarray:
    """Resize every frame.

    Args:
        frames: uint8 (T, H, W, 3).
        height: rows wanted, 1 to 16384.
        width: columns wanted, 1 to 16384.
        kernel: "nearest", "box", "bilinear", "bicubic" (a = -0.5) or "lanczos" (3 lobes).
        antialias: stretch the kernel when shrinking ("nearest" never does).

    Returns:
        uint8 (T, height, width, 3); the input itself where the size is the same.

    Raises:
        ConfigError: a size outside its range. UnknownNameError: an unknown kernel.
    """
    check_name("resize kernel", str(kernel), KERNELS)
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise ConfigError(f"a frame size is 1 to {MAX_SIDE} pixels each way, got {height} x {width}")
    if frames.shape[1:3] == (height, width):
        return frames
    if kernel == "nearest":
        rows, columns = _nearest(frames.shape[1], height), _nearest(frames.shape[2], width)
        return np.ascontiguousarray(frames[:, rows[:, None], columns[None, :]])
    if antialias:
        return _with_pillow(frames, height, width, kernel)
    taps_y = _taps(frames.shape[1], height, kernel)
    taps_x = _taps(frames.shape[2], width, kernel)
    out = np.empty((len(frames), height, width, 3), np.uint8)
    for i, frame in enumerate(frames):
        out[i] = _resample(frame, taps_y, taps_x)
    return out


def _nearest(source: int, wanted: int) -> np.ndarray:
    """Return the source index below each output centre, int64 (wanted,)."""
    return (2 * np.arange(wanted) + 1) * source // (2 * wanted)


def _with_pillow(frames: np.ndarray, height: int, width: int, kernel: str) -> np.ndarray:
    """Antialiased resizing by Pillow, whose kernels are the ones above."""
    from PIL import Image

    method = {
        "box": Image.Resampling.BOX,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
        "lanczos": Image.Resampling.LANCZOS,
    }[kernel]
    out = np.empty((len(frames), height, width, 3), np.uint8)
    for i, frame in enumerate(frames):
        out[i] = np.asarray(Image.fromarray(np.ascontiguousarray(frame)).resize((width, height), method))
    return out


def _taps(source: int, wanted: int, kernel: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the source indices int64 and weights float64, both (wanted, K), of each output pixel."""
    shape, radius = _SHAPES[kernel]
    centre = (np.arange(wanted) + 0.5) * source / wanted
    first = np.floor(centre - radius).astype(np.int64)
    index = first[:, None] + np.arange(int(np.ceil(2 * radius)) + 1)
    weight = shape(index + 0.5 - centre[:, None])
    weight[(index < 0) | (index >= source)] = 0.0
    return index.clip(0, source - 1), weight / weight.sum(axis=1, keepdims=True)


def _resample(
    frame: np.ndarray, rows: tuple[np.ndarray, np.ndarray], columns: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Apply the taps of both axes to one frame, uint8 (H, W, 3) in and out."""
    wide = np.einsum("hwkc,wk->hwc", frame[:, columns[0]].astype(np.float64), columns[1])
    tall = np.einsum("hkwc,hk->hwc", wide[rows[0]], rows[1])
    return np.rint(tall).clip(0, 255).astype(np.uint8)
