"""The captioned next-frame U-Net.

Source: the "Videogeneration" project: a 3-D U-Net over the current frame and up to nine before it, with a dense
network-in-network at the bottleneck that also sees the caption; the output is one frame. Moving pixels by a choice
of shifts: Finn et al. 2016, "Unsupervised Learning for Physical Interaction through Video Prediction", section 3 (DNA).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.core.weights import PretrainedMixin
from moviola.models.nextframe.affine import AffineFields, Warp
from moviola.models.nextframe.config import NextFrameConfig
from moviola.models.nextframe.timing import FrameCode, TimeEmbedding
from moviola.nn.conv import DownBlock3d, FiLMBlock
from moviola.nn.memory import PictureMemory
from moviola.nn.norm import FiLM
from moviola.nn.slots import SlotEmbedding

_CODE = 16  # channels of the bottleneck on its way into the dense network
_HIDDEN = 256  # its hidden width
_STAY = 3.0  # start of the logit of the shift by nothing
_NEWEST = 5.0  # and of that of the newest frame beside the warps of the first


class _Dense(nn.Module):
    """The network-in-network: flatten, join the caption, two dense layers, back to a volume, added to the input.

    Its hidden layer knows what is to be drawn and where in the motion the clip is; it is handed on as well.
    """

    def __init__(self, channels: int, cells: int, condition: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, _CODE, 1)
        self.dense1 = nn.Linear(_CODE * cells + condition, _HIDDEN)
        self.dense2 = nn.Linear(_HIDDEN, channels * cells)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        flat = self.squeeze(x).flatten(1)
        hidden = F.silu(self.dense1(torch.cat([flat, condition], dim=1)))
        return x + self.dense2(hidden).view_as(x), hidden


class _Moves(nn.Module):
    """Moves the pixels of a frame: every pixel takes a weighted mean of its neighbours within `reach`."""

    def __init__(self, channels: int, reach: int) -> None:
        super().__init__()
        self.reach, self.count = reach, (2 * reach + 1) ** 2
        self.choice = nn.Conv2d(channels, 4 * self.count, 1)
        nn.init.zeros_(self.choice.weight)
        with torch.no_grad():
            bias = torch.zeros(self.count, 4)
            bias[self.count // 2] = _STAY
            assert self.choice.bias is not None
            self.choice.bias.copy_(bias.flatten())

    def forward(self, features: Tensor, frame: Tensor) -> Tensor:
        """Map features (B, C, H/2, W/2) and a frame (B, 3, H, W) to the moved frame."""
        weight = F.pixel_shuffle(self.choice(features), 2).float().softmax(dim=1).to(frame.dtype)
        padded = F.pad(frame, [self.reach] * 4, mode="replicate")
        shifted = F.unfold(padded, 2 * self.reach + 1).view(frame.shape[0], 3, self.count, *frame.shape[2:])
        return (shifted * weight[:, None]).sum(dim=2)


class _Choice(nn.Module):
    """Mixes pictures pixel by pixel; at the start nearly all is of the first of them.

    Args:
        channels: C of the features.
        pictures: N.
    """

    def __init__(self, channels: int, pictures: int) -> None:
        super().__init__()
        self.pictures = pictures
        self.logits = nn.Conv2d(channels, 4 * pictures, 1)
        nn.init.zeros_(self.logits.weight)
        with torch.no_grad():
            bias = torch.zeros(pictures, 4)
            bias[0] = _NEWEST
            assert self.logits.bias is not None
            self.logits.bias.copy_(bias.flatten())

    def forward(self, features: Tensor, pictures: Tensor) -> Tensor:
        """Map features (B, C, H/2, W/2) and pictures (B, N, 3, H, W) to their mixture (B, 3, H, W)."""
        weight = F.pixel_shuffle(self.logits(features), 2).float().softmax(dim=1).to(pictures.dtype)
        return (pictures * weight[:, :, None]).sum(dim=1)


class NextFrameUNet(PretrainedMixin, nn.Module):
    """Predict the next frame from a caption and up to `history` frames.

    The history is right-aligned: the newest frame is always last; empty places before the first frame are zero
    and marked by a mask channel. The result is a drawn frame plus the newest one (its pixels moved, with
    `config.reach`) times a mask; the mask is not squashed, since a sigmoid there saturates early in training and the
    network stays with copying.

    Args:
        config: sizes.
    """

    config_class = NextFrameConfig
    config: NextFrameConfig

    def __init__(self, config: NextFrameConfig) -> None:
        super().__init__()
        self.config = config
        w0, w1, w2, w3 = config.widths
        d, film = config.condition, config.caption == "film"
        self.caption = SlotEmbedding(config.slots, d)
        self.length = nn.Embedding(config.history + 1, d) if film else None
        steer = d if film else 1
        self.stem = DownBlock3d(13, w0 // 2, space=1, refine=False)
        self.newest = nn.Conv2d(12, w0, 3, padding=1)
        self.down1, self.down2, self.down3 = (
            DownBlock3d(w0 // 2, w1),
            DownBlock3d(w1, w2),
            DownBlock3d(w2, w3),
        )
        self.dense = _Dense(w3, (config.size // 16) ** 2, d)
        self.steer = nn.Linear(_HIDDEN, d) if film else None
        self.mid = FiLMBlock(w3, w3, steer)
        self.up2 = FiLMBlock(w3, w2, steer, upsample=True)
        self.fuse2 = nn.Conv2d(2 * w2, w2, 1)
        self.up1 = FiLMBlock(w2, w1, steer, upsample=True)
        self.fuse1 = nn.Conv2d(2 * w1, w1, 1)
        self.up0 = FiLMBlock(w1, w0, steer, upsample=True)
        self.fuse0 = nn.Conv2d(2 * w0 + w0 // 2, w1, 1)
        self.film = FiLM(w1, steer)
        self.last = nn.Conv2d(w1, w1, 3, padding=1)
        self.head = nn.Conv2d(w1, 16, 3, padding=1)
        self.moves = _Moves(w1, config.reach) if config.reach else None
        self.memory = PictureMemory(w1, 48, config.memory) if config.memory else None
        self.fields = AffineFields(w1, steer, config.affine) if config.affine else None
        self.warped = nn.Conv2d(12, w1, 3, padding=1) if config.affine else None
        self.choice = _Choice(w1, 2) if config.affine else None
        if self.warped is not None:
            nn.init.zeros_(self.warped.weight)
        self.time = TimeEmbedding(config.periods, d) if config.periods else None
        self.origin = FrameCode(config.size, d) if config.periods else None

    def forward(
        self,
        history: Tensor,
        count: Tensor,
        slots: Tensor,
        first: Tensor | None = None,
        time: Tensor | None = None,
    ) -> Tensor:
        """Predict one frame.

        Args:
            history: float32 (B, K, 3, H, W) in [-1, 1], newest frame last.
            count: int64 (B,), how many of the K frames are real (the last `count`), 1..K.
            slots: int64 (B, S).
            first: float32 (B, 3, H, W) in [-1, 1], the first frame of the roll-out, looked at with `config.memory`,
                `config.affine` and `config.periods`; None for the oldest real frame of the history.
            time: int64 (B,), number of the frame to predict, where `first` is 0, looked at with `config.periods`; None
                for `count`.

        Returns:
            float32 (B, 3, H, W); in [-1, 1] up to the last layer's overshoot.
        """
        return self.with_warp(history, count, slots, first, time)[0]

    def with_warp(
        self,
        history: Tensor,
        count: Tensor,
        slots: Tensor,
        first: Tensor | None = None,
        time: Tensor | None = None,
    ) -> tuple[Tensor, Warp | None]:
        """Return what `forward` does, and the warp of the first frame that it draws from, where it has one."""
        caption = self.caption(slots)
        if self.length is not None:
            caption = caption + self.length(count)
        first = oldest(history, count) if first is None else first
        if self.time is not None and self.origin is not None:
            caption = caption + self.time(count if time is None else time) + self.origin(first)
        volume = self._volume(history, count)
        newest = self.newest(volume[:, :12, -1])
        s0 = self.stem(volume)
        s1 = self.down1(s0)
        s2 = self.down2(s1)
        x = _squash(self.down3(s2))
        x, hidden = self.dense(x, caption)
        steer = (
            torch.zeros_like(caption[:, :1]) if self.steer is None else caption + F.silu(self.steer(hidden))
        )
        x = self.mid(x, steer)
        x = self.fuse2(torch.cat([self.up2(x, steer), s2[:, :, -1]], dim=1))
        x = self.fuse1(torch.cat([self.up1(x, steer), s1[:, :, -1]], dim=1))
        if self.memory is not None:
            x = self.memory(x, F.pixel_unshuffle(first.to(x.dtype), 4))
        warp = None if self.fields is None else self.fields(x, steer, first)
        x = self.fuse0(torch.cat([self.up0(x, steer), s0[:, :, -1], newest], dim=1))
        if self.warped is not None and warp is not None:
            x = x + self.warped(F.pixel_unshuffle(warp.picture.to(x.dtype), 2))
        x = x + self.last(F.silu(self.film(x, steer)))
        x = F.silu(x)
        frame = history[:, -1] if self.moves is None else self.moves(x, history[:, -1])
        if self.choice is not None and warp is not None:
            frame = self.choice(x, torch.stack([frame, warp.picture.to(frame.dtype)], dim=1))
        x = F.pixel_shuffle(self.head(x), 2).to(history.dtype)
        return torch.addcmul(x[:, :3], x[:, 3:], frame), warp

    def _volume(self, history: Tensor, count: Tensor) -> Tensor:
        """Return (B, 13, K, H/2, W/2): pixels folded by two, and the mask of real frames."""
        b, k = history.shape[:2]
        real = (torch.arange(k, device=count.device) >= k - count[:, None]).to(history.dtype)
        pixels = F.pixel_unshuffle((history * real[..., None, None, None]).flatten(0, 1), 2)
        pixels = pixels.unflatten(0, (b, k)).transpose(1, 2)
        mask = real[:, None, :, None, None].expand(b, 1, k, *pixels.shape[3:])
        return torch.cat([pixels, mask], dim=1)


def oldest(history: Tensor, count: Tensor) -> Tensor:
    """Return the oldest real frame (B, 3, H, W) of each history (B, K, 3, H, W)."""
    return history[torch.arange(len(history), device=count.device), history.shape[1] - count]


def _squash(x: Tensor) -> Tensor:
    """Drop the time axis: the newest slice, which after the last stride has seen the whole history."""
    return x[:, :, -1]
