"""Histories as the networks see them: which places are real, and values from 0 to 1."""

from __future__ import annotations

import torch
from torch import Tensor


def real_places(history: Tensor, count: Tensor) -> Tensor:
    """Return which frames of right-aligned histories are real: 1 or 0, (B, K), in the type of `history`."""
    k = history.shape[1]
    return (torch.arange(k, device=count.device) >= k - count[:, None]).to(history.dtype)


def to_unit(history: Tensor, count: Tensor, channels: int) -> Tensor:
    """Map histories (B, K, 3, H, W) in [-1, 1] to (B, K, channels, H, W) in [0, 1]; empty places become 0, black."""
    frames = to_channels(history, channels) * 0.5 + 0.5
    return frames * real_places(history, count)[..., None, None, None]


def to_channels(frames: Tensor, channels: int) -> Tensor:
    """Return frames (..., 3, H, W) with `channels` colours: as they are, or for 1 the mean of the three."""
    return frames if channels == 3 else frames.mean(dim=-3, keepdim=True)


def from_unit(frame: Tensor) -> Tensor:
    """Map frames (B, 1 or 3, H, W) in [0, 1] to (B, 3, H, W) in [-1, 1]."""
    return (frame * 2 - 1).expand(-1, 3, -1, -1)
