"""The next-frame network of the source document's code: a 2-D U-Net whose channels are the frames.

Source: the "Videogeneration" project, its notebooks (10 grey frames of 128x128, 25,446,477 parameters, 98.9 % of them
in the two dense layers). Its text announces 3-D volumes; those are `moviola.models.nextframe.unet3d`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.core.weights import PretrainedMixin
from moviola.models.nextframe.config import NextFrameConfig
from moviola.models.nextframe.dense import NetworkInNetwork, initialise, one_hot_matrix
from moviola.models.nextframe.history import from_unit, to_unit


class _Pair(nn.Module):
    """Two 3x3 convolutions with ReLU."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv2(F.relu(self.conv1(x))))


class _Up(nn.Module):
    """Twice the size by nearest neighbour and a 2x2 convolution; then the skip joins, then a pair."""

    def __init__(self, channels_in: int, channels_up: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_up, 2)
        self.pair = _Pair(channels_up + channels_out, channels_out)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        x = F.relu(self.conv(F.pad(x, (0, 1, 0, 1))))  # an even kernel: the odd row and column go last
        return self.pair(torch.cat([skip, x], dim=1))


class NextFrameUNet2d(PretrainedMixin, nn.Module):
    """Predict the next frame from a caption and up to `history` frames; the form "faithful2d".

    Frames are channels; the bottleneck at 1/8 of the size is flattened and goes, with the one-hot caption, through
    two dense layers, whose result is a volume of 16f channels at 1/16. At the source's size these have 1024 and
    8192 = 8x8x128 units; here they follow the size.

    Empty places are black, as in the source: an empty place and a real black frame are the same to this form.

    The source fills its channels from the left, so that a channel is a place in the clip. Here the newest frame is
    always last, as in every form. For full histories, in all but the first K - 1 steps of a roll-out, both orders
    are the same one; for the others the first layer would only have to learn K times where the newest frame is.
    Hence no option.

    Args:
        config: sizes.
    """

    config_class = NextFrameConfig
    config: NextFrameConfig

    def __init__(self, config: NextFrameConfig) -> None:
        super().__init__()
        self.config = config
        f, c, side = config.filters, config.channels, config.size // 16
        steps = ((config.history * c, f), (f, 2 * f), (2 * f, 4 * f), (4 * f, 8 * f))
        self.down = nn.ModuleList(_Pair(a, b) for a, b in steps)
        cells, shape = 8 * f * (2 * side) ** 2, (16 * f, side, side)
        self.dense = NetworkInNetwork(cells, sum(config.slots), config.hidden, shape)
        self.dropout = nn.Dropout(config.dropout)
        # in, after the 2x2 convolution, out; the third keeps 4f channels before its skip, as in the source
        steps = ((16 * f, 8 * f, 8 * f), (8 * f, 4 * f, 4 * f), (4 * f, 4 * f, 2 * f), (2 * f, f, f))
        self.up = nn.ModuleList(_Up(*step) for step in steps)
        self.last = nn.Conv2d(f, 2 * c, 3, padding=1)
        self.head = nn.Conv2d(2 * c, c, 1)
        self.apply(initialise)
        nn.init.xavier_uniform_(self.head.weight)

    def forward(
        self,
        history: Tensor,
        count: Tensor,
        slots: Tensor,
        first: Tensor | None = None,
        time: Tensor | None = None,
    ) -> Tensor:
        """Predict one frame; arguments and result as `NextFrameUNet.forward`; `first` and `time` are not looked at.

        The result is inside [-1, 1].
        """
        x = to_unit(history, count, self.config.channels).flatten(1, 2)  # (B, K C, H, W)
        skips: list[Tensor] = []
        for level, pair in enumerate(self.down):
            x = pair(F.avg_pool2d(x, 2) if level else x)
            skips.append(x)
        x = self.dense(x, one_hot_matrix(slots, self.config.slots))
        skips[-1] = self.dropout(skips[-1])
        for up, skip in zip(self.up, reversed(skips), strict=True):
            x = up(x, skip)
        x = self.head(F.relu(self.last(x)))
        return from_unit(x.float().sigmoid()).to(history.dtype)
