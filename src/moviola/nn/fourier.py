"""Features of time: sinusoids of learned frequency and phase."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SinusoidFeatures(nn.Module):
    """sin(omega_i t + phi_i) of any real times.

    Source: Hyun et al. 2023, "Frequency-based Motion Representation for Video Generative Adversarial Networks": half of
    the omegas start uniform in (low, high), half in (-high, -low), the phases uniform in (-1, 1).

    Args:
        count: number of features.
        low, high: range of |omega| at the start, radians a time unit.
        learned: whether omega and phi are trained.
        stationary: spread the phases evenly over the whole circle. A random sum of the features is then, on average,
            equally strong at all times; with phases in (-1, 1) sines outweigh cosines, and all sums swell together.
    """

    def __init__(
        self, count: int, low: float, high: float, learned: bool = True, stationary: bool = False
    ) -> None:
        super().__init__()
        magnitude = low + (high - low) * torch.rand(count)
        sign = torch.where(torch.arange(count) < (count + 1) // 2, 1.0, -1.0)
        self.omega = nn.Parameter(magnitude * sign, requires_grad=learned)
        phi = 2 * torch.rand(count) - 1
        if stationary:
            phi = (torch.randperm(count) + 0.5) * (2 * torch.pi / count) - torch.pi
        self.phi = nn.Parameter(phi, requires_grad=learned)

    def forward(self, times: Tensor, omega: Tensor | None = None, quarter: bool = False) -> Tensor:
        """Map times (...) to features (..., count).

        Args:
            times: in units of the clock.
            omega: (count,), in place of the learned frequencies.
            quarter: a quarter of a period later: cosines.
        """
        angle = times[..., None] * (self.omega if omega is None else omega) + self.phi
        return torch.cos(angle) if quarter else torch.sin(angle)
