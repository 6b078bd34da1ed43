"""Brightness of RGB pictures: ITU-R BT.601 luma, the same for equal pixels on every machine.

Each pixel's brightness is made from its own three values by the same rounded steps wherever it lies. A matrix product
does not promise that: its kernels add in an order that depends on the machine and on the pixel's place in a row, so
that a flat picture gets brightnesses that differ in the last bit.
"""

from __future__ import annotations

import numpy as np

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue."""
THOUSANDTHS = (299, 587, 114)
"""The same as integers."""


def luma(frames: np.ndarray) -> np.ndarray:
    """Return the brightness of RGB frames, float32 (..., H, W), in the range of `frames`.

    Args:
        frames: (..., H, W, 3), uint8 or floating point. Of uint8 the sum is exact and rounded once.
    """
    if frames.dtype == np.uint8:
        return luma_thousandths(frames).astype(np.float32) / np.float32(1000)
    red, green, blue = (frames[..., i].astype(np.float32, copy=False) for i in range(3))
    return np.float32(LUMA[0]) * red + np.float32(LUMA[1]) * green + np.float32(LUMA[2]) * blue


def luma_thousandths(frames: np.ndarray) -> np.ndarray:
    """Return the brightness of uint8 RGB frames (..., H, W, 3) in thousandths of a level, int32 (..., H, W), exact."""
    total = np.zeros(frames.shape[:-1], np.int32)
    for i, weight in enumerate(THOUSANDTHS):
        total += frames[..., i] * np.int32(weight)
    return total


def luma_levels(frames: np.ndarray) -> np.ndarray:
    """Return the brightness of uint8 RGB frames (..., H, W, 3) in whole levels, uint8 (..., H, W); halves go up."""
    return ((luma_thousandths(frames) + 500) // 1000).astype(np.uint8)
