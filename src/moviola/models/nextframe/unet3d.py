"""The next-frame network that the source document's text announces: a U-Net over 3-D volumes of frames.

Source: the "Videogeneration" project, network architecture ("we extend U-Net to operate on 3D-volumes"); blocks after
Cicek et al. 2016, "3D U-Net", section 2. The source's code has frames as channels instead: see
`moviola.models.nextframe.faithful2d`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.core.weights import PretrainedMixin
from moviola.models.nextframe.config import NextFrameConfig
from moviola.models.nextframe.dense import NetworkInNetwork, initialise, one_hot_matrix
from moviola.models.nextframe.history import from_unit, real_places, to_unit
from moviola.nn.norm import group_norm
from moviola.nn.volume import Conv3d


class _Pair(nn.Module):
    """Two 3x3x3 convolutions, each normalised and rectified.

    Without the norm, a few steps at a rate that suits the other forms can leave no unit above zero (seen on digits:
    black frames and no gradient from step 40 on). The paper's is over the batch; ours is over groups of channels.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = Conv3d(channels_in, channels_out, 3, padding=1)
        self.conv2 = Conv3d(channels_out, channels_out, 3, padding=1)
        self.norm1, self.norm2 = group_norm(channels_out), group_norm(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))


class _Up(nn.Module):
    """Twice the size in time and space and a convolution; then the skip joins, then a pair."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = Conv3d(channels_in, channels_out, (1, 3, 3), padding=(0, 1, 1))
        self.pair = _Pair(2 * channels_out, channels_out)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="nearest")[:, :, -skip.shape[2] :]  # the newest stay last
        return self.pair(torch.cat([skip, F.relu(self.conv(x))], dim=1))


def _pool(x: Tensor) -> Tensor:
    """Halve T, H and W; an odd T grows by an empty slice on the left, so that the newest stays in the last one."""
    return F.avg_pool3d(F.pad(x, (0, 0, 0, 0, x.shape[2] % 2, 0)), 2)


class NextFrameUNet3d(PretrainedMixin, nn.Module):
    """Predict the next frame from a caption and up to `history` frames; the form "unet3d".

    The levels of `NextFrameUNet2d` with 3-D convolutions, pooling in time as well. The dense network makes a volume
    again; skips are volumes; the time axis of the last one is collapsed by a convolution over all K slices. A channel
    beside the colours marks real places.

    Args:
        config: sizes.
    """

    config_class = NextFrameConfig
    config: NextFrameConfig

    def __init__(self, config: NextFrameConfig) -> None:
        super().__init__()
        self.config = config
        f, c, side = config.filters, config.channels, config.size // 16
        steps = ((c + 1, f), (f, 2 * f), (2 * f, 4 * f), (4 * f, 8 * f))
        self.down = nn.ModuleList(_Pair(a, b) for a, b in steps)
        deep, deepest = (
            -(-config.history // 8),
            -(-config.history // 16),
        )  # slices at 1/8 and 1/16, rounded up
        cells, shape = 8 * f * deep * (2 * side) ** 2, (16 * f, deepest, side, side)
        self.dense = NetworkInNetwork(cells, sum(config.slots), config.hidden, shape)
        self.dropout = nn.Dropout(config.dropout)
        steps = ((16 * f, 8 * f), (8 * f, 4 * f), (4 * f, 2 * f), (2 * f, f))
        self.up = nn.ModuleList(_Up(a, b) for a, b in steps)
        self.collapse = Conv3d(f, f, (config.history, 1, 1))
        self.head = nn.Conv2d(f, c, 1)
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
        real = real_places(history, count)[:, :, None, None, None].expand(-1, -1, 1, *history.shape[3:])
        x = torch.cat([to_unit(history, count, self.config.channels), real], dim=2).transpose(1, 2)
        skips: list[Tensor] = []
        for level, pair in enumerate(self.down):
            x = pair(_pool(x) if level else x)  # (B, C, T, H, W)
            skips.append(x)
        x = self.dense(x, one_hot_matrix(slots, self.config.slots))
        skips[-1] = self.dropout(skips[-1])
        for up, skip in zip(self.up, reversed(skips), strict=True):
            x = up(x, skip)
        x = self.head(F.relu(self.collapse(x)).squeeze(2))
        return from_unit(x.float().sigmoid()).to(history.dtype)
