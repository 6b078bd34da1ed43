"""Layers with an equalised learning rate: weights are stored at unit scale and scaled when they are used.

Source: Karras et al. 2018, "Progressive Growing of GANs for Improved Quality, Stability, and Variation", section 4.1;
the learning-rate multiplier and the gain of the leaky ReLU: Karras et al. 2020, "Analyzing and Improving the Image
Quality of StyleGAN" (StyleGAN2).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
GAIN = math.sqrt(2.0)


def leaky_relu(x: Tensor, gain: float = GAIN) -> Tensor:
    """Return `gain` times the leaky ReLU (slope 0.2): with sqrt(2), about the variance of what goes in."""
    return F.leaky_relu(x, SLOPE) * gain


class PixelNorm(nn.Module):
    """Divides each row by its root mean square (Karras et al. 2018, section 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., D) to (..., D)."""
        return x * (x.square().mean(dim=-1, keepdim=True) + 1e-8).rsqrt()


class EqualizedLinear(nn.Module):
    """`y = x W^T * rate / sqrt(D_in) + b * rate`, W drawn from N(0, 1 / rate^2).

    Args:
        features_in, features_out: D of the input and of the output.
        rate: multiplier of the learning rate.
        bias: start of every bias; None for no bias.
        activate: apply the leaky ReLU with gain sqrt(2).
    """

    def __init__(
        self,
        features_in: int,
        features_out: int,
        rate: float = 1.0,
        bias: float | None = 0.0,
        activate: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features_out, features_in) / rate)
        self.bias = None if bias is None else nn.Parameter(torch.full((features_out,), bias / rate))
        self.scale, self.rate, self.activate = rate / math.sqrt(features_in), rate, activate

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., D_in) to (..., D_out)."""
        y = F.linear(x, self.weight * self.scale, None if self.bias is None else self.bias * self.rate)
        return leaky_relu(y) if self.activate else y


class EqualizedConv2d(nn.Module):
    """A convolution over (B, C, H, W) with N(0, 1) weights, scaled by 1 / sqrt(fan in), "same" padding by default.

    Args:
        channels_in, channels_out: C of the input and of the output.
        kernel: odd side of the kernel.
        stride: step.
        padding: zeros around; None for half the kernel.
        bias: whether a bias is added.
        activate: apply the leaky ReLU with gain sqrt(2).
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int = 3,
        stride: int = 1,
        padding: int | None = None,
        bias: bool = True,
        activate: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels_out, channels_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(channels_out)) if bias else None
        self.scale = 1 / math.sqrt(channels_in * kernel**2)
        self.stride, self.padding = stride, kernel // 2 if padding is None else padding
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, H', W')."""
        y = F.conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)
        return leaky_relu(y) if self.activate else y
