"""Turning caption slots into a vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SlotEmbedding(nn.Module):
    """One-hot slots, one embedding table, summed, then a small network.

    The source document represents a sentence as a one-hot matrix; a row of it is one slot here.

    Args:
        sizes: number of values of each slot; each gets one more value, 0, for "not said".
        width: D of the result.
    """

    def __init__(self, sizes: tuple[int, ...], width: int) -> None:
        super().__init__()
        starts = torch.tensor([0, *[s + 1 for s in sizes[:-1]]]).cumsum(0)
        self.register_buffer("starts", starts, persistent=False)
        self.table = nn.Embedding(sum(s + 1 for s in sizes), width)
        nn.init.normal_(self.table.weight, std=len(sizes) ** -0.5)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())

    starts: Tensor

    def forward(self, slots: Tensor) -> Tensor:
        """Map slots, int64 (B, S) with 0 for "not said" and 1..n for a value, to float32 (B, width)."""
        x = self.table(slots + self.starts).sum(dim=1)
        return x + self.mlp(x)
