"""A generative model of latents, so that the space can be sampled everywhere."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_STEPS = 40


class FlowPrior(nn.Module):
    """Flow matching from noise to codes: a network predicts the velocity of straight paths.

    x_s = (1 - s) noise + s code, v = code - noise: Lipman et al. 2023, "Flow Matching for Generative Modeling", with
    the straight paths of Liu et al. 2023, "Rectified Flow".

    Args:
        size: D of a code.
        hidden: units of its layers.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("std", torch.ones(size))
        self.first = nn.Linear(size + 9, hidden)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, hidden)
            )
            for _ in range(3)
        )
        self.last = nn.Linear(hidden, size)
        nn.init.zeros_(self.last.weight)

    def velocity(self, x: Tensor, s: Tensor) -> Tensor:
        """Return the velocity at x (B, D) and times s (B,) in [0, 1]."""
        angles = s[:, None] * 2.0 ** torch.arange(4, device=s.device) * torch.pi
        h = self.first(torch.cat([x, s[:, None], angles.sin(), angles.cos()], dim=1))
        for block in self.blocks:
            h = h + block(h)
        return self.last(h)

    def set_range(self, codes: Tensor) -> None:
        """Take mean and spread of codes (N, D), by which they are standardised."""
        self.mean.copy_(codes.mean(dim=0))
        self.std.copy_(
            codes.std(dim=0, unbiased=False).clamp(min=1e-6) if len(codes) > 1 else torch.ones_like(self.std)
        )

    def loss(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean squared error of the velocity at random times, for codes (B, D)."""
        target = (codes - self.mean) / self.std
        noise = torch.randn(codes.shape, generator=generator).to(codes)
        s = torch.rand(len(codes), generator=generator).to(codes)
        # x_s = (1 - s) noise + s code, whose velocity dx_s / ds is code - noise: both (B, D)
        x = torch.lerp(noise, target, s[:, None])
        return F.mse_loss(self.velocity(x, s), target - noise)

    @torch.no_grad()
    def sample(self, noise: Tensor) -> Tensor:
        """Map noise (B, D) to codes (B, D), by Heun's method in 40 steps."""
        x, times = noise, torch.linspace(0, 1, _STEPS + 1).to(noise)
        for a, b in itertools.pairwise(times):
            # Heun: x + ds (v(x, s) + v(x + ds v(x, s), s + ds)) / 2
            first = self.velocity(x, a.expand(len(x)))
            second = self.velocity(x + (b - a) * first, b.expand(len(x)))
            x = x + (b - a) * (first + second) / 2
        return x * self.std + self.mean
