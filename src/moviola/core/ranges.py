"""Between stored frames (uint8, channels last) and network tensors (float, channels first, [-1, 1])."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def to_network(frames: Tensor) -> Tensor:
    """Map uint8 (..., H, W, C) to float32 (..., C, H, W) in [-1, 1]; 0 becomes -1 and 255 becomes 1."""
    return frames.movedim(-1, -3).float().div(127.5).sub(1.0)


def from_network(values: Tensor) -> Tensor:
    """Map floats (..., C, H, W) to uint8 (..., H, W, C), rounded; values outside [-1, 1] are clipped."""
    return values.float().add(1.0).mul(127.5).round().clamp(0, 255).byte().movedim(-3, -1)
