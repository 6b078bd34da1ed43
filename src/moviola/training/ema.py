"""Exponential moving average of weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class EMA:
    """A copy of a module whose weights follow `decay * copy + (1 - decay) * module`.

    Early on the decay is min(decay, (1 + step) / (10 + step)), so the copy does not remember the initial weights.

    Args:
        module: what to follow.
        decay: share kept a step.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, source: nn.Module, step: int) -> None:
        """Move towards `source` after `step` (from 0)."""
        keep = min(self.decay, (1 + step) / (10 + step))
        for mine, theirs in zip(self.module.parameters(), source.parameters(), strict=True):
            mine.lerp_(theirs, 1 - keep)
        for mine, theirs in zip(self.module.buffers(), source.buffers(), strict=True):
            mine.copy_(theirs)
