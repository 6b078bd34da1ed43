"""Convolutions whose weights a style scales, without a weight tensor for each sample.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 2.2 and appendix B. The
style s scales input channels, w'_oik = s_i w_oik, and demodulation divides by the norm of w'_o (eqs. 1 and 3). Since a
convolution is linear, scaling its input by s and its output by 1 / norm is the same; no grouped convolution. Only where
the kernel is 1x1 does each sample get its weights: a matrix product.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.nn.equalized import GAIN, SLOPE, EqualizedLinear
from moviola.nn.upfirdn import BLUR, Blur2d, Upsample2d


class ModulatedConv2d(nn.Module):
    """A convolution modulated by a style.

    Args:
        channels_in, channels_out: C of the input and of the output.
        kernel: odd side of the kernel.
        style: D of the style.
        demodulate: divide by the norm of the modulated weights.
        upsample: double H and W (transposed convolution, then the blur).
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        style: int,
        demodulate: bool = True,
        upsample: bool = False,
    ) -> None:
        super().__init__()
        weight = torch.randn(channels_out, channels_in, kernel, kernel)
        self.weight = nn.Parameter(
            weight.contiguous(memory_format=torch.channels_last)
        )  # the faster order on CPUs
        self.affine = EqualizedLinear(style, channels_in, bias=1.0)
        self.scale = 1 / math.sqrt(channels_in * kernel**2)
        self.demodulate, self.padding = demodulate, kernel // 2
        extra = len(BLUR) - 2 - (kernel - 1)  # as the authors of StyleGAN2 place the blur
        self.blur = Blur2d(((extra + 1) // 2 + 1, extra // 2 + 1), gain=4.0) if upsample else None

    def convolve(self, x: Tensor, style: Tensor) -> tuple[Tensor, Tensor | None]:
        """Convolve (B, C_in, H, W); return that, and the factor of demodulation (B, C_out, 1, 1) that is left to do."""
        scales = self.affine(style)
        weight = self.weight * self.scale
        if self.blur is not None:
            x = F.conv_transpose2d(x * scales[:, :, None, None], weight.transpose(0, 1), stride=2)
            x = self.blur(x)
        elif self.padding == 0:
            # 1x1: a small matrix for each sample costs less than another pass over its features
            matrices = weight.flatten(1) * scales[:, None, :]
            x = torch.bmm(matrices, x.flatten(2)).unflatten(2, x.shape[2:])
        else:
            x = F.conv2d(x * scales[:, :, None, None], weight, padding=self.padding)
        if not self.demodulate:
            return x, None
        # 1 / sqrt(sum_ik (s_i w_oik)^2 + eps): (B, C_in) x (C_in, C_out)
        norms = scales.square() @ weight.square().sum(dim=(2, 3)).t()
        return x, (norms + 1e-8).rsqrt().to(x.dtype)[:, :, None, None]

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Map (B, C_in, H, W), with styles (B, D), to (B, C_out, H', W')."""
        x, factor = self.convolve(x, style)
        return x if factor is None else x * factor


class StyledConv2d(nn.Module):
    """Modulated convolution, noise of a learned strength, bias, leaky ReLU.

    Args: as `ModulatedConv2d`.
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, style: int, upsample: bool = False
    ) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(channels_in, channels_out, kernel, style, upsample=upsample)
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(channels_out))

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None = None) -> Tensor:
        """Map (B, C_in, H, W), styles (B, D) and noise (B, 1, H', W') to (B, C_out, H', W')."""
        x, factor = self.conv.convolve(x, style)
        assert factor is not None  # it demodulates
        # the gain of the leaky ReLU is taken first, since it is positive; noise and bias are not added to each other,
        # which would make a map of each channel; all but the first of these passes over the features are in place
        x = x * (factor * GAIN)
        if noise is not None:
            x = x.add_((self.noise_strength * noise * GAIN).to(x.dtype))
        return F.leaky_relu_(x.add_((self.bias[:, None, None] * GAIN).to(x.dtype)), SLOPE)


class ToRGB(nn.Module):
    """A picture from features, added to the picture of the resolution below.

    Args:
        channels: C of the features.
        style: D of the style.
        colours: C of the picture.
        upsample: whether the picture from below has half the size.
    """

    def __init__(self, channels: int, style: int, colours: int = 3, upsample: bool = True) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(channels, colours, 1, style, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(colours))
        self.upsample = Upsample2d() if upsample else None

    def forward(self, x: Tensor, style: Tensor, coarser: Tensor | None = None) -> Tensor:
        """Map features (B, C, H, W), styles (B, D) and the coarser picture to (B, colours, H, W)."""
        picture = self.conv(x, style) + self.bias[:, None, None]
        if coarser is not None:
            picture = picture + (coarser if self.upsample is None else self.upsample(coarser))
        return picture
