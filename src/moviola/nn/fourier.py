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
    """

    def __init__(self, count: int, low: float, high: float, learned: bool = True) -> None:
        super().__init__()
        magnitude = low + (high - low) * torch.rand(count)
        sign = torch.where(torch.arange(count) < (count + 1) // 2, 1.0, -1.0)
        self.omega = nn.Parameter(magnitude * sign, requires_grad=learned)
        self.phi = nn.Parameter(2 * torch.rand(count) - 1, requires_grad=learned)

    def forward(self, times: Tensor, omega: Tensor | None = None) -> Tensor:
        """Map times (...) to features (..., count); `omega` (count,) replaces the learned frequencies."""
        return torch.sin(times[..., None] * (self.omega if omega is None else omega) + self.phi)
