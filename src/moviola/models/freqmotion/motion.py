"""From a motion code and times to the part of the style that moves."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from moviola.models.freqmotion.config import FreqMotionConfig
from moviola.nn.equalized import EqualizedLinear, leaky_relu
from moviola.nn.fourier import SinusoidFeatures


class MotionBank(nn.Module):
    """Sinusoids of one range of frequencies, weighted by the motion code, to a trajectory mu(t) in style space.

    Frequency-aware weight modulation, "Frequency-based Motion Representation for Video GANs", section III: with one
    scale s_i = affine(m)_i a feature, h = leaky_relu(sum_i W_ji s_i sin(omega_i t + phi_i) / sqrt(F) + b_j) without
    demodulation; a second linear layer follows. W s applied to the features is W applied to the scaled features.

    Args:
        config: sizes.
        low, high: range of |omega| at the start.
    """

    def __init__(self, config: FreqMotionConfig, low: float, high: float) -> None:
        super().__init__()
        count = config.features + config.trend
        self.sinusoids = SinusoidFeatures(config.features, low, high, config.learned, config.stationary)
        self.slope = nn.Parameter(torch.randn(config.trend) * 0.5) if config.trend else None
        self.affine = EqualizedLinear(config.motion, count, bias=None if config.center else 1.0)
        self.hidden = nn.Linear(count, config.motion)
        nn.init.normal_(self.hidden.weight)
        nn.init.zeros_(self.hidden.bias)
        self.out = EqualizedLinear(config.motion, config.style)
        self.scale, self.activate = 1 / math.sqrt(count), config.activate

    def features(self, times: Tensor, omega: Tensor | None = None) -> Tensor:
        """Return the features of times (B, T): (B, T, F), the ones that grow with time last."""
        waves = self.sinusoids(times, omega)
        return waves if self.slope is None else torch.cat([waves, times[..., None] * self.slope], dim=-1)

    def frequencies(self) -> Tensor:
        """Return the omega of each feature, (F,); 0 for those that grow with time."""
        omega = self.sinusoids.omega
        return omega if self.slope is None else torch.cat([omega, torch.zeros_like(self.slope)])

    def forward(self, times: Tensor, scales: Tensor, omega: Tensor | None = None) -> Tensor:
        """Return mu(t).

        Args:
            times: (B, T), time units.
            scales: (B, F), from `affine`, perhaps edited.
            omega: (features,) in place of the learned ones, for loops.

        Returns:
            (B, T, style).
        """
        features = self.features(times, omega) * scales[:, None, :]
        hidden = nn.functional.linear(features, self.hidden.weight * self.scale, self.hidden.bias)
        return self.out(leaky_relu(hidden) if self.activate else hidden)
