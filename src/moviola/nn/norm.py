"""Normalisation that a condition can steer."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def group_norm(channels: int, group_size: int = 8) -> nn.GroupNorm:
    """Return a GroupNorm over groups of `group_size` channels (all channels where it does not divide)."""
    groups = channels // group_size if channels % group_size == 0 else 1
    return nn.GroupNorm(groups, channels)


class FiLM(nn.Module):
    """Feature-wise linear modulation: GroupNorm, then `x * (1 + scale(c)) + shift(c)`.

    Source: Perez et al. 2018, "FiLM: Visual Reasoning with a General Conditioning Layer", eq. 2.

    Args:
        channels: C of the features (B, C, H, W).
        condition: D of the condition (B, D); the projection starts at zero, so FiLM starts as plain GroupNorm.
    """

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = group_norm(channels)
        self.project = nn.Linear(condition, 2 * channels)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Modulate `x` (B, C, H, W) by `condition` (B, D)."""
        scale, shift = self.project(condition)[..., None, None].chunk(2, dim=1)
        return torch.addcmul(shift, self.norm(x), 1 + scale)
