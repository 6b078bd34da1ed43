"""Filters of whole clips, quick ones: blur by a Gaussian, smooth random fields, moving pixels by such a field."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator


def blurred(frames: np.ndarray, sigma: float) -> np.ndarray:
    """Blur every frame with a Gaussian that reaches 3 sigma; the border is repeated outwards.

    Args:
        frames: uint8 (T, H, W, 3).
        sigma: standard deviation, px, above 0.
    """
    radius = max(1, math.ceil(3 * sigma))
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    return to_uint8(_along(_along(frames.astype(np.float32), weights, 1), weights, 2))


def to_uint8(values: np.ndarray) -> np.ndarray:
    """Round to whole steps and cut to 0..255."""
    return np.rint(values).clip(0, 255).astype(np.uint8)


def smooth_field(shape: tuple[int, ...], nodes: int, generator: Generator) -> np.ndarray:
    """Return smooth random fields in [-1, 1]: uniform values at nodes, bilinear between.

    Args:
        shape: (..., H, W).
        nodes: nodes a side, at least 2.
        generator: draws the values.

    Returns:
        float32 of that shape.
    """
    *lead, height, width = shape
    values = generator.uniform(-1, 1, (*lead, nodes, nodes)).astype(np.float32)
    return np.einsum(
        "...ij,hi,wj->...hw", values, _linear(height, nodes), _linear(width, nodes), optimize=True
    )


def displaced(frames: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Move the pixels of every frame; what is asked for from outside is taken from the edge.

    Args:
        frames: uint8 (T, H, W, 3).
        shift: float (T, 2, H, W), px: the pixel at (x, y) shows what was at (x + shift[0], y + shift[1]).

    Returns:
        uint8, interpolated bilinearly.
    """
    import torch
    from torch.nn.functional import grid_sample

    _, height, width, _ = frames.shape
    x = (np.arange(width, dtype=np.float32) + shift[:, 0] + 0.5) * (2 / width) - 1
    y = (np.arange(height, dtype=np.float32)[:, None] + shift[:, 1] + 0.5) * (2 / height) - 1
    grid = torch.from_numpy(np.stack([x, y], axis=-1).astype(np.float32))
    image = torch.from_numpy(frames.astype(np.float32)).movedim(-1, 1)
    out = grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return out.round_().clamp_(0, 255).byte().movedim(1, -1).contiguous().numpy()


def _linear(size: int, nodes: int) -> np.ndarray:
    """Weights (size, nodes) of linear interpolation between nodes at both ends and evenly between."""
    at = np.linspace(0, nodes - 1, size)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(nodes))).astype(np.float32)


def _along(values: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    """Convolve float32 (T, H, W, 3) along an axis with symmetric weights, the border repeated."""
    radius, length = len(weights) // 2, values.shape[axis]
    pad = [(0, 0)] * values.ndim
    pad[axis] = (radius, radius)
    wide = np.pad(values, pad, mode="edge")

    def window(start: int) -> np.ndarray:
        part = [slice(None)] * values.ndim
        part[axis] = slice(start, start + length)
        return wide[tuple(part)]

    out = weights[radius] * window(radius)
    for k in range(radius):
        out += weights[k] * (window(k) + window(2 * radius - k))
    return out
