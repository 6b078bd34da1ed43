"""Where the samples of a video stand in [-1, 1]^3, and their positional encoding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

Grid = Literal["centres", "corners"]


def places(numbers: Tensor, count: int, grid: Grid) -> Tensor:
    """Return where samples of an axis stand.

    Args:
        numbers: of the samples, any shape, 0 for the first; any real numbers, so that 0.5 lies between two samples.
        count: samples of the axis.
        grid: "centres", -1 + (2 k + 1) / n, or "corners", -1 + 2 k / (n - 1).

    Returns:
        Coordinates, shaped as `numbers`; the samples themselves lie in [-1, 1].
    """
    if grid == "centres":
        return (2 * numbers + 1) / count - 1
    return 2 * numbers / max(count - 1, 1) - 1


def axis(count: int, samples: int, grid: Grid) -> Tensor:
    """Return the coordinates of `count` samples, (count,), that fill an axis of `samples` samples."""
    if grid == "centres":
        return places(torch.arange(count, dtype=torch.float32), count, grid)
    return torch.linspace(-1, 1, count) if count > 1 else torch.zeros(1)


def octaves_of(samples: int, most: int, nyquist: bool) -> int:
    """Return how many octaves an axis of `samples` samples gets: with `nyquist` those of 2^i <= samples / 4."""
    return min(most, max(int(math.log2(max(samples / 4, 1))) + 1, 1)) if nyquist else most


class PositionalEncoding(nn.Module):
    """[c, sin(2^i pi c), cos(2^i pi c)] for each axis, i below the octaves of that axis.

    Source: Mildenhall et al. 2020, "NeRF", eq. 4, with the coordinate itself, as INR-V uses it.

    Args:
        octaves: of each axis.
    """

    def __init__(self, octaves: Sequence[int]) -> None:
        super().__init__()
        self.octaves = tuple(octaves)
        for k, count in enumerate(self.octaves):
            self.register_buffer(f"rates{k}", 2.0 ** torch.arange(count) * math.pi, persistent=False)

    @property
    def sizes(self) -> list[int]:
        """Features of each axis."""
        return [1 + 2 * count for count in self.octaves]

    def one(self, axis: int, values: Tensor) -> Tensor:
        """Encode coordinates of one axis: (...) to (..., sizes[axis])."""
        angles = values[..., None] * getattr(self, f"rates{axis}")
        return torch.cat([values[..., None], angles.sin(), angles.cos()], dim=-1)

    def forward(self, coordinates: Tensor) -> Tensor:
        """Encode (..., axes): (..., sum of sizes)."""
        return torch.cat([self.one(k, coordinates[..., k]) for k in range(len(self.octaves))], dim=-1)


def mesh(t: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Return the points of a grid, (T H W, 3), in the order (t, y, x)."""
    return torch.stack(torch.meshgrid(t, y, x, indexing="ij"), dim=-1).flatten(0, 2)
