"""Attention along one axis at a time of a video volume.

Source: Ho et al. 2019, "Axial Attention in Multidimensional Transformers"; Yan et al. 2021, "VideoGPT", section 3.1
and figure 3 (the residual block).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from moviola.nn.norm import group_norm
from moviola.nn.volume import Conv3d


class AxisAttention(nn.Module):
    """Self-attention of several heads along one axis; all other axes count as batch.

    Args:
        channels: C.
        heads: number of heads; divides C.
        axis: 1, 2 or 3: time, height or width of (B, T, H, W, C).
    """

    def __init__(self, channels: int, heads: int, axis: int) -> None:
        super().__init__()
        self.heads, self.axis = heads, axis
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, H, W, C) to the same shape."""
        lead, length = x.shape[: self.axis].numel(), x.shape[self.axis]
        # what comes after the axis counts as heads: the three are views, and nothing is copied
        qkv = self.qkv(x).reshape(lead, length, -1, 3, x.shape[-1] // self.heads)
        q, k, v = (part.transpose(1, 2) for part in qkv.unbind(3))
        y = F.scaled_dot_product_attention(q, k, v)  # (lead, rest * heads, L, D)
        return self.out(y.transpose(1, 2).reshape(x.shape))


class AxialAttention(nn.Module):
    """The sum of attention along time, along height and along width.

    It knows no positions (the convolutions around it do), so it takes volumes of any size.

    Args:
        channels: C.
        heads: number of heads of each; divides C.
    """

    def __init__(self, channels: int, heads: int = 2) -> None:
        super().__init__()
        self.time = AxisAttention(channels, heads, 1)
        self.height = AxisAttention(channels, heads, 2)
        self.width = AxisAttention(channels, heads, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape; fastest in channels-last order, which it keeps."""
        x = x.movedim(1, -1)
        return (self.time(x) + self.height(x) + self.width(x)).movedim(-1, 1)


class AxialBlock(nn.Module):
    """A residual block: a 3x3x3 convolution to half the channels, a linear layer back, axial attention.

    A norm and a ReLU come before each.

    GroupNorm stands where the source has BatchNorm, so that a clip's result does not depend on the others of its
    batch, nor on whether the network is training. A new block changes nothing: its last layers start at zero.

    Args:
        channels: C, even.
        heads: of the attention.
    """

    def __init__(self, channels: int, heads: int = 2) -> None:
        super().__init__()
        self.norm1, self.norm2 = group_norm(channels), group_norm(channels // 2)
        self.norm3 = group_norm(channels)
        self.narrow = Conv3d(channels, channels // 2, 3, padding=1, bias=False)
        self.widen = nn.Linear(channels // 2, channels, bias=False)
        self.attention = AxialAttention(channels, heads)
        for axis in self.attention.children():
            nn.init.zeros_(axis.out.weight)  # type: ignore[union-attr, arg-type]
            nn.init.zeros_(axis.out.bias)  # type: ignore[union-attr, arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T, H, W) to the same shape."""
        # (B, C, T, H, W) -> (B, C / 2, T, H, W) -> (B, C, T, H, W): the bottleneck of figure 3
        h = F.relu(self.norm2(self.narrow(F.relu(self.norm1(x)))))
        h = self.widen(h.movedim(1, -1)).movedim(-1, 1)
        return x + self.attention(F.relu(self.norm3(h)))
