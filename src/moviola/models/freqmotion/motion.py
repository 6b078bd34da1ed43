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

    With shifts (ours), a bank's features are s_i sin(omega_i (t + tau) + phi_i), tau of each video its own, that is
    a_i sin + b_i cos, (a_i, b_i) = s_i (cos, sin)(omega_i tau): two scales a feature, edited like any others.

    Args:
        config: sizes.
        low, high: range of |omega| at the start.
        number: of the bank.
    """

    def __init__(self, config: FreqMotionConfig, low: float, high: float, number: int = 0) -> None:
        super().__init__()
        self.number, self.shifts, self.size = number, config.shifts, config.motion
        self.period = 4 * math.pi / (low + high)
        count = config.features + config.trend
        self.sinusoids = SinusoidFeatures(config.features, low, high, config.learned, config.stationary)
        self.slope = nn.Parameter(torch.randn(config.trend) * 0.5) if config.trend else None
        self.affine = EqualizedLinear(config.motion, count, bias=None if config.center else 1.0)
        self.scale, self.activate = 1 / math.sqrt(count), config.activate
        self.parts, self.banks = config.parts, len(config.ranges)
        if self.parts and number:
            return  # what moves a part goes through the layers of bank 0, whichever bank it is
        self.hidden = nn.Linear(count, config.motion)
        nn.init.normal_(self.hidden.weight)
        nn.init.zeros_(self.hidden.bias)
        self.out = EqualizedLinear(config.motion, config.style)

    def scales(self, code: Tensor, like: Tensor | None = None) -> Tensor:
        """Return the scales of the features that motion codes (B, D) ask for, (B, F); with shifts (B, 2 F).

        Args:
            code: motion codes.
            like: scales (B, 2 F) of other codes; the bank then moves the parts that it moves there.
        """
        scales = self.affine(code[:, : self.size])
        if not self.shifts:
            return scales
        # omega_i tau, (B, features): sin(omega_i (t + tau) + phi_i) = cos(omega_i tau) sin + sin(omega_i tau) cos
        angle = self._turn(code) / (2 * math.pi) * self.period * self.sinusoids.omega
        waves, trend = scales.split([angle.shape[1], scales.shape[1] - angle.shape[1]], dim=1)
        if self.parts:
            part = self.part_of(waves.shape[1])
            waves = waves / self._size(waves, part)[:, part]
            waves = waves * self._moves(code)[:, part] if like is None else waves
        scales = torch.cat([waves * angle.cos(), waves * angle.sin(), trend], dim=1)
        return scales if like is None or not self.parts else scales * (like != 0)

    def _size(self, waves: Tensor, part: Tensor) -> Tensor:
        """Return the root mean square of the scales (B, features) of each part, (B, parts)."""
        count = torch.bincount(part, minlength=self.parts)
        power = waves.new_zeros(len(waves), self.parts).index_add(1, part, waves.square())
        return (power / count + 1e-8).sqrt()

    def _moves(self, code: Tensor) -> Tensor:
        """Return whether this bank moves each part, bool (B, parts)."""
        choice = code[:, self.size :].unflatten(1, (self.parts, -1))[..., : self.banks].argmax(dim=2)
        return choice == self.number

    def _turn(self, code: Tensor) -> Tensor:
        """Return by how much the middle of the bank is shifted, radians: (B, 1), or with parts (B, features)."""
        if not self.parts:
            first = self.size + 2 * self.number
            return torch.atan2(code[:, first + 1], code[:, first])[:, None]
        x, y = code[:, self.size :].unflatten(1, (self.parts, -1))[..., self.banks :].unbind(dim=2)
        return torch.atan2(y, x)[:, self.part_of(len(self.sinusoids.omega))]

    def part_of(self, features: int) -> Tensor:
        """Return to which part each feature belongs, int64 (features,)."""
        return torch.arange(features, device=self.sinusoids.omega.device) % self.parts

    def features(self, times: Tensor, omega: Tensor | None = None) -> Tensor:
        """Return the features of times (B, T), those that grow with time last: (B, T, F); with shifts (B, T, 2 F)."""
        waves = self.sinusoids(times, omega)
        if self.shifts:
            waves = torch.cat([waves, self.sinusoids(times, omega, quarter=True)], dim=-1)
        return waves if self.slope is None else torch.cat([waves, times[..., None] * self.slope], dim=-1)

    def frequencies(self) -> Tensor:
        """Return the omega of each feature, (F,); 0 for those that grow with time."""
        omega = self.sinusoids.omega
        omega = torch.cat([omega, omega]) if self.shifts else omega
        return omega if self.slope is None else torch.cat([omega, torch.zeros_like(self.slope)])

    def forward(self, times: Tensor, scales: Tensor, omega: Tensor | None = None) -> Tensor:
        """Return mu(t).

        Args:
            times: (B, T), time units.
            scales: from `scales`, perhaps edited.
            omega: (features,) in place of the learned ones, for loops.

        Returns:
            (B, T, style).
        """
        return self.project(self.weighted(times, scales, omega))

    def weighted(self, times: Tensor, scales: Tensor, omega: Tensor | None = None) -> Tensor:
        """Return the features times their scales, (B, T, F), arguments as `forward`."""
        features = self.features(times, omega) * scales[:, None, :]
        if self.shifts:
            count = len(self.sinusoids.omega)
            sine, cosine, trend = features.split([count, count, features.shape[-1] - 2 * count], dim=-1)
            features = torch.cat([sine + cosine, trend], dim=-1)
        return features

    def project(self, features: Tensor) -> Tensor:
        """Map weighted features (B, T, F) to mu(t), (B, T, style)."""
        # h_j = leaky_relu(sum_i W_ji f_i / sqrt(F) + b_j), f_i = s_i sin(omega_i t + phi_i): to (B, T, motion)
        hidden = nn.functional.linear(features, self.hidden.weight * self.scale, self.hidden.bias)
        return self.out(leaky_relu(hidden) if self.activate else hidden)
