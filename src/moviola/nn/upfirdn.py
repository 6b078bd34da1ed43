"""Upsampling, filtering and downsampling of pictures by a small separable filter, in plain operators.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN" (StyleGAN2), which calls it
upfirdn: zeros are put between the samples, borders are padded or cropped, the filter is applied, every n-th sample is
kept. There it is a kernel of its own; here it is a depthwise convolution.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLUR = (1.0, 3.0, 3.0, 1.0)


def blur_filter(taps: Sequence[float] = BLUR, gain: float = 1.0) -> Tensor:
    """Return the outer product of `taps` with itself, (K, K), that sums to `gain`."""
    row = torch.tensor(taps, dtype=torch.float32)
    square = torch.outer(row, row)
    return square * (gain / square.sum())


def upfirdn2d(
    x: Tensor, kernel: Tensor, up: int = 1, down: int = 1, padding: tuple[int, int] = (0, 0)
) -> Tensor:
    """Upsample by zeros, pad, filter (true convolution), and keep every `down`-th sample.

    Args:
        x: (B, C, H, W).
        kernel: (K, K).
        up: samples a sample becomes each way; the last is followed by `up` - 1 zeros, too.
        down: step of the samples that are kept.
        padding: zeros before and after, each way; negative numbers crop.

    Returns:
        (B, C, H', W'), H' = (H up + before + after - K) // down + 1.
    """
    batch, channels, height, width = x.shape
    if up > 1:
        x = F.pad(x[:, :, :, None, :, None], (0, up - 1, 0, 0, 0, up - 1))
        x = x.reshape(batch, channels, height * up, width * up)
    before, after = padding
    within = max(min(before, after), 0)  # what the convolution pads by itself, without a copy
    if (before, after) != (within, within):
        x = F.pad(x, (before - within, after - within) * 2)
    weight = kernel.flip(0, 1).to(x.dtype).expand(channels, 1, -1, -1)
    return F.conv2d(x, weight, stride=down, padding=within, groups=channels)


class Upsample2d(nn.Module):
    """Doubles H and W: zeros between samples, then the filter [1, 3, 3, 1] / 4 each way.

    Its two phases are (x_{i-1} + 3 x_i) / 4 and (3 x_i + x_{i+1}) / 4, which is bilinear interpolation; beyond the
    borders lie zeros. Much faster on a CPU than a depthwise convolution of three channels.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, 2H, 2W)."""
        larger = F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
        return larger[..., 2:-2, 2:-2]


class Blur2d(nn.Module):
    """The filter alone.

    Args:
        padding: zeros before and after, each way.
        taps: of the filter.
        gain: what the filter sums to (4 after zeros were put between samples).
    """

    kernel: Tensor

    def __init__(self, padding: tuple[int, int], taps: Sequence[float] = BLUR, gain: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("kernel", blur_filter(taps, gain), persistent=False)
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H', W')."""
        return upfirdn2d(x, self.kernel, padding=self.padding)
