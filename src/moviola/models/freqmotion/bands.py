"""Bands of speed: which sinusoids are slow, which are fast."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from moviola.core.errors import ConfigError

BAND_NAMES = {1: ("all",), 2: ("low", "high"), 3: ("low", "mid", "high")}


@dataclass(frozen=True)
class Bands:
    """Edges that part the frequencies 0 to infinity into bands; the last one is open-ended.

    Attributes:
        edges: |omega| where one band ends and the next begins, radians a time unit, ascending; none for one band.
        softness: width of the transition at an edge, in octaves of |omega|; 0 for a hard edge.
    """

    edges: tuple[float, ...] = ()
    softness: float = 0.0

    def __post_init__(self) -> None:
        if not all(math.isfinite(e) and e > 0 for e in self.edges):
            raise ConfigError(f"edges of bands are positive frequencies, not {_list(self.edges)}")
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise ConfigError(f"edges of bands ascend, each above the one before, not {_list(self.edges)}")
        if not 0 <= self.softness < math.inf:
            raise ConfigError(f"the softness of bands is 0 or more octaves, not {self.softness}")

    def __len__(self) -> int:
        """Number of bands."""
        return len(self.edges) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bands, lowest first: low, mid, high where there are three; else numbers."""
        return BAND_NAMES.get(len(self), tuple(f"band{k}" for k in range(len(self))))

    def index(self, name: str) -> int:
        """Return the number of the band called `name` (or its number as text).

        Raises:
            ConfigError: there is no such band.
        """
        if name in self.names:
            return self.names.index(name)
        if name.isdigit() and int(name) < len(self):
            return int(name)
        raise ConfigError(f"no band {name!r}; the bands are {', '.join(self.names)}, from slow to fast")

    def masks(self, omega: Tensor) -> Tensor:
        """Return how far each frequency belongs to each band.

        Args:
            omega: (F,), signed.

        Returns:
            (bands, F) in [0, 1]; each column sums to 1, exactly where edges are hard.
        """
        size = omega.detach().abs().clamp(min=1e-9)
        high_pass = [torch.ones_like(size), *(self._above(size, edge) for edge in self.edges)]
        high_pass.append(torch.zeros_like(size))
        return torch.stack([a - b for a, b in itertools.pairwise(high_pass)])

    def _above(self, size: Tensor, edge: float) -> Tensor:
        """Return 1 above an edge, 0 below it, a raised cosine in the transition."""
        if self.softness == 0:
            return (size >= edge).to(size)
        # (1 + sin(pi o)) / 2 with o = log2(|omega| / edge) / softness, held at -1/2 and 1/2: (F,)
        octaves = (size / edge).log2() / self.softness
        return (1 + torch.sin(math.pi * octaves.clamp(-0.5, 0.5))) / 2

    @staticmethod
    def by_quantiles(omega: Tensor, count: int, softness: float = 0.0) -> Bands:
        """Return `count` bands that hold equally many of the frequencies `omega` (F,)."""
        if not 1 <= count <= omega.numel():
            raise ConfigError(f"the number of bands is 1 to {omega.numel()}, not {count}")
        parts = torch.arange(1, count) / count
        edges = torch.quantile(omega.detach().abs().double(), parts.double())
        return Bands(tuple(float(e) for e in edges), softness)


def blend_scales(scales: Sequence[Tensor], masks: Tensor, gains: Sequence[float] | None = None) -> Tensor:
    """Return the scales of one bank when each band has a code and a gain of its own.

    Args:
        scales: for each band the scales (B, F) that its code makes.
        masks: (bands, F).
        gains: factor on each band's scales; None for 1.

    Returns:
        (B, F): sum over bands of gain mask scale. Where all codes are one code and all gains 1, exactly its scales.
    """
    every = torch.stack(list(scales))
    # a sum of products, not steps from the first: with hard edges each feature's scale is then one code's, exactly
    blended = (every * masks[:, None]).sum(dim=0)
    out = torch.where((every == every[0]).all(dim=0), every[0], blended)
    if gains is not None and any(g != 1 for g in gains):
        factor = torch.ones_like(masks[0])
        for gain, mask in zip(gains, masks, strict=True):
            factor = factor + (gain - 1) * mask
        out = out * factor
    return out


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{v:g}" for v in values)
