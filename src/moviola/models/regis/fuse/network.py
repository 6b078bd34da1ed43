"""REGIS-Fuse.

Source: "REGIS: Refining Generated Videos via Iterative Stylistic Redesigning" (2023) with the network of Liu et al.
2021, "FuseFormer: Fusing Fine-Grained Information in Transformers for Video Inpainting", section 3. Rotary positions:
Su et al. 2021, "RoFormer", eq. 34, one share of the channels an axis.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.core.weights import PretrainedMixin
from moviola.models.protocols import Condition
from moviola.models.regis.base import check_clip
from moviola.models.regis.fuse.config import FuseConfig
from moviola.models.regis.fuse.split import grid, soft_compose, soft_split

_SLOPE = 0.2  # of the leaky ReLU
_LONGEST = 32.0  # tokens a radian, of the slowest rotary channel
_REACH = (
    1.1  # of the tanh: at black and white it still has a slope, or a dark set ends in black frames for good
)


def rotary_angles(frames: int, rows: int, columns: int, channels: int, device: torch.device) -> Tensor:
    """Return the angle by which each pair of channels of each token turns.

    A third of the pairs each turns with row and column, the rest with the frame; frequencies fall geometrically
    from 1 to 1/32 radian a token.

    Args:
        frames, rows, columns: of the tokens, ordered frame by frame, row by row.
        channels: of a head; even, 6 or more.
        device: where it goes.

    Returns:
        float32 (frames * rows * columns, channels / 2).
    """
    third = channels // 6
    shares = (channels // 2 - 2 * third, third, third)
    axes = torch.meshgrid(
        *(torch.arange(n, device=device, dtype=torch.float32) for n in (frames, rows, columns)), indexing="ij"
    )
    parts = []
    for place, share in zip(axes, shares, strict=True):
        steps = torch.arange(share, device=device) / max(share - 1, 1)
        parts.append(place.flatten()[:, None] * _LONGEST**-steps)
    return torch.cat(parts, dim=1)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turn channel i and channel i + D/2 of `x` (..., L, D) by `angles` (L, D/2); keeps the type of `x`."""
    a, b = x.float().chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).to(x.dtype)


class Attention(nn.Module):
    """Multi-head attention among all tokens of all frames.

    Args:
        width: D of a token.
        heads: how many heads share it.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)

    def forward(self, x: Tensor, angles: Tensor | None = None) -> Tensor:
        """Map tokens (B, L, D) to (B, L, D); `angles` (L, D / heads / 2) are rotary positions."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if angles is not None:
            q, k = rotate(q, angles), rotate(k, angles)
        seen = F.scaled_dot_product_attention(q, k, v)
        return self.join(seen.transpose(1, 2).flatten(2))


class FusionFeedForward(nn.Module):
    """The feed-forward network in which overlapping patches meet.

    Linear to patch^2 x C_f, soft composition to a map of C_f channels, GELU, soft split, linear back. GELU before the
    split is the same as after it, on fewer values.

    Source: FuseFormer, section 3.3 ("F3N").

    Args:
        width: D of a token.
        fusion: C_f.
        patch, stride: of the split.
    """

    def __init__(self, width: int, fusion: int, patch: int, stride: int) -> None:
        super().__init__()
        self.patch, self.stride = patch, stride
        self.expand = nn.Linear(width, fusion * patch * patch)
        self.shrink = nn.Linear(fusion * patch * patch, width)

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        """Map tokens (N, L, D) of N frames, split from maps of `height` x `width`, to (N, L, D)."""
        composed = soft_compose(self.expand(x), height, width, self.patch, self.stride)
        return self.shrink(soft_split(F.gelu(composed), self.patch, self.stride))


class FuseBlock(nn.Module):
    """A transformer block whose feed-forward network is a `FusionFeedForward`; both normalised first.

    Args:
        config: sizes.
    """

    def __init__(self, config: FuseConfig) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.attention = Attention(config.width, config.heads)
        self.feed = FusionFeedForward(config.width, config.fusion, config.patch, config.stride)

    def forward(self, x: Tensor, size: tuple[int, int], angles: Tensor | None) -> Tensor:
        """Map tokens (B, T, L, D), split from maps of `size`, to (B, T, L, D)."""
        b, t = x.shape[:2]
        x = x + self.attention(self.norm1(x).flatten(1, 2), angles).view_as(x)
        return x + self.feed(self.norm2(x).flatten(0, 1), *size).unflatten(0, (b, t))


class _Encoder(nn.Module):
    """Frames to features at a half and at a quarter of the size."""

    def __init__(self, channels: int, width: int, layers: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, width // 2, 3, stride=2, padding=1)
        self.middle = nn.Conv2d(width // 2, width // 2, 3, padding=1)
        self.down = nn.Conv2d(width // 2, width, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(layers))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        half = F.leaky_relu(self.middle(F.leaky_relu(self.stem(x), _SLOPE)), _SLOPE)
        x = self.down(half)
        for layer in self.layers:
            x = x + layer(F.leaky_relu(x, _SLOPE))
        return half, x


class _Decoder(nn.Module):
    """Features at a quarter of the size to the full size, doubled bilinearly twice."""

    def __init__(self, width: int, channels_out: int, skipped: int) -> None:
        super().__init__()
        self.skips = skipped > 0
        self.up1 = nn.Conv2d(width, width, 3, padding=1)
        self.mix1 = nn.Conv2d(width + (width // 2 if self.skips else 0), width // 2, 3, padding=1)
        self.up2 = nn.Conv2d(width // 2 + skipped, width // 2, 3, padding=1)
        self.head = nn.Conv2d(width // 2, channels_out, 3, padding=1)

    def forward(self, x: Tensor, half: Tensor, full: Tensor) -> Tensor:
        x = F.leaky_relu(self.up1(_double(x)), _SLOPE)
        x = F.leaky_relu(self.mix1(torch.cat([x, half], dim=1) if self.skips else x), _SLOPE)
        x = _double(x)
        x = F.leaky_relu(self.up2(torch.cat([x, full.to(x.dtype)], dim=1) if self.skips else x), _SLOPE)
        return self.head(x)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class FuseRefiner(PretrainedMixin, nn.Module):
    """Clean a clip with a transformer over overlapping patches of all its frames.

    A convolutional encoder brings every frame to a quarter of its size; soft split makes tokens; blocks of attention
    (all tokens of all frames) and fusion feed-forward work on them; soft composition adds them to the features;
    a convolutional decoder doubles the size twice.

    Any number of frames and any sides that `config.multiple` divides are taken; attention costs the square of
    frames x tokens a frame.

    Args:
        config: sizes.
    """

    config_class = FuseConfig
    config: FuseConfig
    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def __init__(self, config: FuseConfig) -> None:
        super().__init__()
        self.config = config
        c, area = config.channels, config.patch**2
        self.encoder = _Encoder(c + 1, config.encoder, config.encoder_layers)
        self.embed = nn.Linear(config.encoder * area, config.width)
        self.blocks = nn.ModuleList(FuseBlock(config) for _ in range(config.blocks))
        self.spread = nn.Linear(config.width, config.encoder * area)
        self.decoder = _Decoder(config.encoder, c, c + 1 if config.skips else 0)
        if config.output == "residual":
            for parameter in self.decoder.head.parameters():
                nn.init.zeros_(parameter)

    def forward(self, video: Tensor, mask: Tensor | None = None) -> Tensor:
        """Refine clips, for training.

        Args:
            video: float32 (B, T, C, H, W) in [-1, 1].
            mask: (B, T, 1, H, W), 1 where the clip is known to be corrupted; None for all 0.

        Returns:
            float32 (B, T, C, H, W); it may overshoot [-1, 1], which `refine` does not.

        Raises:
            ConfigError: shapes that do not fit.
        """
        check_clip(video, mask, self.config)
        b, t = video.shape[:2]
        known, marks = self._inputs(video, mask)
        full = torch.cat([known, marks], dim=2).flatten(0, 1)
        half, features = self.encoder(full)
        features = features + self._tokens(features, b, t).to(features.dtype)
        drawn = self.decoder(features, half, full).float().unflatten(0, (b, t))
        return known + drawn if self.config.output == "residual" else _REACH * drawn.tanh()

    def refine(self, video: Tensor, mask: Tensor | None = None, condition: Condition | None = None) -> Tensor:
        """Make one pass; see `moviola.models.protocols.Refiner`. `condition` is not used: it takes none."""
        return self(video, mask).clamp(*self.value_range)

    def _inputs(self, video: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the clip without what the mask erases, and the mask as floats (B, T, 1, H, W)."""
        if mask is None:
            return video, torch.zeros_like(video[:, :, :1])
        marks = mask.to(video.dtype)
        if not self.config.erase:
            return video, marks
        whole = (marks > 0).all(dim=-1, keepdim=True).all(dim=-2, keepdim=True)
        return torch.where(whole, video, video * (1 - marks)), marks

    def _tokens(self, features: Tensor, batch: int, frames: int) -> Tensor:
        """Map features (B T, E, h, w) through soft split, blocks and soft composition."""
        c, size = self.config, (features.shape[2], features.shape[3])
        angles = None
        if c.positions == "rotary":
            rows, columns = grid(*size, c.patch, c.stride)
            angles = rotary_angles(frames, rows, columns, c.width // c.heads, features.device)
        x = self.embed(soft_split(features, c.patch, c.stride)).unflatten(0, (batch, frames))
        for block in self.blocks:
            x = block(x, size, angles)
        return soft_compose(self.spread(x).flatten(0, 1), *size, c.patch, c.stride)
