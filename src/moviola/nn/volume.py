"""3-D convolutions that stay right under bf16 autocast on a CPU; every 3-D convolution in moviola is one of these.

oneDNN's bf16 kernels (as PyTorch 2.13 has them, on CPUs with AVX-512 bf16) go wrong on volumes two samples deep, high
or wide: a weight gradient is memory never written to, NaN or anything, a stride over two columns gives wrong values
(PyTorch issue 169688), and some write where they may not. Volumes that small go in float32 there; they cost little.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SMALL = 2  # T, H or W


def _goes_wrong(x: Tensor) -> bool:
    return x.device.type == "cpu" and min(x.shape[2:]) <= _SMALL and torch.is_autocast_enabled("cpu")


class Conv3d(nn.Conv3d):
    """`torch.nn.Conv3d` over (B, C, T, H, W); float32 where the module's text says so."""

    def forward(self, input: Tensor) -> Tensor:
        """Map (B, C_in, T, H, W) to (B, C_out, T', H', W')."""
        if not _goes_wrong(input):
            return super().forward(input)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float())


class ConvTranspose3d(nn.ConvTranspose3d):
    """`torch.nn.ConvTranspose3d` over (B, C, T, H, W); float32 where the module's text says so."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map (B, C_in, T, H, W) to (B, C_out, T', H', W')."""
        if not _goes_wrong(input):
            return super().forward(input, output_size)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float(), output_size)


def conv3d(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
    """`torch.nn.functional.conv3d` over (B, C, T, H, W); float32 where the module's text says so."""
    if not _goes_wrong(x):
        return F.conv3d(x, weight, bias, stride, padding)
    with torch.autocast("cpu", enabled=False):
        return F.conv3d(x.float(), weight.float(), None if bias is None else bias.float(), stride, padding)
