"""Convolution blocks in two and three dimensions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from moviola.nn.norm import FiLM, group_norm
from moviola.nn.volume import Conv3d


class FiLMBlock(nn.Module):
    """Two 3x3 convolutions, each after FiLM and SiLU, around a residual path.

    Args:
        channels_in, channels_out: C before and after.
        condition: D of the condition.
        upsample: double H and W by nearest neighbour first.
    """

    def __init__(
        self, channels_in: int, channels_out: int, condition: int, *, upsample: bool = False
    ) -> None:
        super().__init__()
        self.upsample = upsample
        self.film1 = FiLM(channels_in, condition)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.film2 = FiLM(channels_out, condition)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.skip = nn.Conv2d(channels_in, channels_out, 1) if channels_in != channels_out else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, H', W'), H' = 2H when upsampling."""
        h = F.silu(self.film1(x, condition))
        if self.upsample:
            h, x = (F.interpolate(t, scale_factor=2, mode="nearest") for t in (h, x))
        h = self.conv2(F.silu(self.film2(self.conv1(h), condition)))
        return h + self.skip(x)


class DownBlock3d(nn.Module):
    """Halve time (and space): a strided 3-D convolution and a residual 1x3x3 convolution.

    Time is padded on the left, so the newest frame stays in the last slice.

    Args:
        channels_in, channels_out: C before and after.
        space: stride in H and W (1 or 2).
        refine: add the residual convolution.
    """

    def __init__(self, channels_in: int, channels_out: int, *, space: int = 2, refine: bool = True) -> None:
        super().__init__()
        self.down = Conv3d(channels_in, channels_out, (2, 3, 3), stride=(2, space, space), padding=(0, 1, 1))
        self.norm = group_norm(channels_out)
        self.refine = Conv3d(channels_out, channels_out, (1, 3, 3), padding=(0, 1, 1)) if refine else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, T, H, W) to (B, C_out, ceil(T/2), H/space, W/space)."""
        if x.shape[2] % 2:
            x = F.pad(x, (0, 0, 0, 0, 1, 0))
        x = self.down(x)
        if self.refine is None:
            return F.silu(self.norm(x))
        return x + self.refine(F.silu(self.norm(x)))


class DownBlock2d(nn.Module):
    """A residual block that halves H and W by average pooling, for discriminators (no normalisation).

    Args:
        channels_in, channels_out: C before and after.
        wrap: applied to every convolution (spectral normalisation, say).
    """

    def __init__(self, channels_in: int, channels_out: int, wrap=lambda layer: layer) -> None:  # noqa: ANN001
        super().__init__()
        self.conv1 = wrap(nn.Conv2d(channels_in, channels_in, 3, padding=1))
        self.conv2 = wrap(nn.Conv2d(channels_in, channels_out, 3, padding=1))
        self.skip = wrap(nn.Conv2d(channels_in, channels_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, H/2, W/2)."""
        h = self.conv1(F.leaky_relu(x, 0.2))
        h = self.conv2(F.avg_pool2d(F.leaky_relu(h, 0.2), 2))
        return h + self.skip(F.avg_pool2d(x, 2))
