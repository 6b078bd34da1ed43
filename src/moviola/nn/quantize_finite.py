"""Finite scalar quantisation: every channel of a latent is rounded to one of a few levels.

Source: Mentzer et al. 2023, "Finite Scalar Quantization: VQ-VAE Made Simple", section 3.1 and its appendix's code.
There is nothing to learn, so no code can die, and nothing to commit to.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from moviola.nn.quantize import Quantized, perplexity, straight_through

_EPSILON = 1e-3  # the bound is so much wider than the outermost level, which the tanh else never reaches


class FiniteScalarQuantizer(nn.Module):
    """A grid of codes, the product of its channels' levels.

    It has the interface of `EmaCodebook`; `initialise` and `update` do nothing.

    Args:
        levels: L of each of the D channels, 3 or more; the paper advises 5 or more.
    """

    levels: Tensor
    strides: Tensor
    initialised = True

    def __init__(self, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.size = prod(levels)
        strides = [prod(levels[:k]) for k in range(len(levels))]
        self.register_buffer("levels", torch.tensor(levels), persistent=False)
        self.register_buffer("strides", torch.tensor(strides), persistent=False)

    def _bounded(self, latents: Tensor) -> Tensor:
        """Squash latents (..., D) so that rounding gives L levels a channel.

        They are -L/2 ... L/2 - 1 where L is even, else -(L-1)/2 ... (L-1)/2.
        """
        half = (self.levels - 1) * (1 + _EPSILON) / 2
        offset = torch.where(self.levels % 2 == 0, 0.5, 0.0)
        return torch.tanh(latents + torch.atanh(offset / half)) * half - offset

    def nearest(self, latents: Tensor) -> Tensor:
        """Map (N, D) to the numbers int64 (N,) of their codes."""
        with torch.no_grad(), torch.autocast(latents.device.type, enabled=False):
            steps = self._bounded(latents.detach().float()).round().long() + self.levels // 2
            return (steps * self.strides).sum(dim=-1)

    def lookup(self, codes: Tensor) -> Tensor:
        """Map numbers int64 (...) to code vectors float32 (..., D), each channel in [-1, 1]."""
        half = self.levels // 2
        steps = codes[..., None] // self.strides % self.levels
        return (steps - half).float() / half

    def forward(self, latents: Tensor) -> Quantized:
        """Quantise latents (..., D) of any float type; works in float32 under autocast too."""
        with torch.autocast(latents.device.type, enabled=False):
            bounded = self._bounded(latents.float())
            values = straight_through(bounded, bounded.round()) / (self.levels // 2)
            codes = self.nearest(latents.flatten(0, -2)).view(latents.shape[:-1])
            counts = torch.bincount(codes.flatten(), minlength=self.size)
            return Quantized(
                values=values,
                codes=codes,
                commitment=values.new_zeros(()),
                usage=(counts > 0).float().mean(),
                perplexity=perplexity(counts),
            )

    def initialise(self, latents: Tensor, generator: torch.Generator) -> None:
        """Do nothing: the grid does not depend on the data."""

    def update(self, latents: Tensor, codes: Tensor, generator: torch.Generator) -> int:
        """Do nothing; no code restarts."""
        return 0
