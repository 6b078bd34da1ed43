"""What tells a next-frame network where in a repeating motion it is: the time, and the frame the motion began with."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_HARMONICS = 3
_GRID = 4  # cells a side of the first frame's code


class TimeEmbedding(nn.Module):
    """Sines and cosines of the time within given periods, through two layers.

    As the position of a token in Vaswani et al. 2017, section 3.5, with the data's own periods for wavelengths, so that
    a time ever so large is one that was trained.

    Args:
        periods: P of them, in frames.
        channels: D of the result.
    """

    periods: Tensor

    def __init__(self, periods: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.register_buffer("periods", torch.tensor(periods), persistent=False)
        self.dense1 = nn.Linear(2 * _HARMONICS * len(periods), channels)
        self.dense2 = nn.Linear(channels, channels)

    def forward(self, time: Tensor) -> Tensor:
        """Embed frame numbers, int64 (B,), as (B, D)."""
        phase = (
            2 * math.pi * (time[:, None] % self.periods) / self.periods
        )  # (B, P), whole numbers until here
        angle = torch.cat([k * phase for k in range(1, _HARMONICS + 1)], dim=1)
        waves = torch.cat([angle.sin(), angle.cos()], dim=1)
        return self.dense2(F.silu(self.dense1(waves.to(self.dense1.weight.dtype))))


class FrameCode(nn.Module):
    """A frame as one vector that knows what stands where.

    Args:
        size: H = W of the frame, a multiple of 16.
        channels: D of the result.
        width: C of the convolutions.
    """

    def __init__(self, size: int, channels: int, width: int = 48) -> None:
        super().__init__()
        self.stem = nn.Conv2d(48, width, 3, padding=1)
        self.down = nn.Conv2d(width, width, 4, stride=size // 4 // _GRID)
        self.dense = nn.Linear(width * _GRID**2, channels)

    def forward(self, frame: Tensor) -> Tensor:
        """Map frames (B, 3, H, W) in [-1, 1] to (B, D)."""
        x = F.silu(self.stem(F.pixel_unshuffle(frame, 4)))
        return self.dense(F.silu(F.adaptive_avg_pool2d(self.down(x), _GRID)).flatten(1))
