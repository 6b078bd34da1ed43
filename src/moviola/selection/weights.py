"""How much each pixel counts where change is measured: masks beside frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat

import numpy as np

from moviola.core.resample import resize_frames

Weight = np.ndarray | None
"""How much each pixel of a frame counts, float32 (H, W), 0 to 1; None where all count alike."""


def weighted(
    frames: Iterable[np.ndarray], weights: Iterable[np.ndarray] | None
) -> Iterator[tuple[np.ndarray, Weight]]:
    """Give frames with their weights; a weight of 1 everywhere is None.

    Args:
        frames: uint8 (H, W, 3). weights: as many, float32 (H, W), 0 to 1; None where all pixels count alike.
    """
    for frame, weight in zip(frames, repeat(None) if weights is None else weights, strict=False):
        yield frame, None if weight is None or weight.min() >= 1 else weight


def small_weight(weight: Weight, height: int, width: int) -> Weight:
    """Return a weight for a small copy of its frame, each pixel the mean of what it covers."""
    if weight is None or weight.shape == (height, width):
        return weight
    levels = np.rint(255 * weight).astype(np.uint8)
    picture = np.repeat(levels[None, ..., None], 3, -1)
    return resize_frames(picture, height, width, "box")[0, ..., 0].astype(np.float32) / 255


def weighted_mean(values: np.ndarray, weight: Weight) -> float:
    """Return the mean of values (H, W) by a weight of that size; 0 where nothing counts."""
    if weight is None:
        return float(values.mean())
    total = float(weight.sum(dtype=np.float64))
    return float((values * weight).sum(dtype=np.float64) / total) if total else 0.0


def veiled(frame: np.ndarray, weight: Weight) -> np.ndarray:
    """Return a frame uint8 (H, W, 3) with mid grey where it does not count."""
    if weight is None:
        return frame
    grey = np.float32(127)
    return np.rint(grey + weight[..., None] * (frame - grey)).astype(np.uint8)
