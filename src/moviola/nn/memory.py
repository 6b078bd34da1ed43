"""Looking things up in a picture that stays in view."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_HEADS = 2
_WIDTH = 2.0  # cells; standard deviation of the prior that a place looks at itself


class PictureMemory(nn.Module):
    """Cross-attention from the features of a frame to a reference picture.

    Every step of a roll-out reads the reference itself, so its content does not fade (Vaswani et al. 2017, section 3.2;
    the prior by distance is ours).

    Args:
        channels: C of the features.
        picture_channels: C of the reference picture.
        keys: D of queries, keys and values, all heads together; even.
    """

    def __init__(self, channels: int, picture_channels: int, keys: int) -> None:
        super().__init__()
        self.seen = nn.Sequential(nn.Conv2d(picture_channels, keys, 3, padding=1), nn.SiLU())
        self.query = nn.Conv2d(channels + _PLACE, keys, 1)
        self.key = nn.Conv2d(keys + _PLACE, keys, 1)
        self.value = nn.Conv2d(keys, keys, 1)
        self.out = nn.Conv2d(keys, channels, 1)
        self.locality = nn.Parameter(torch.full((_HEADS,), 1 / (2 * _WIDTH**2)))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, picture: Tensor) -> Tensor:
        """Add to features (B, C, H, W) what they look up in a picture (B, picture_channels, H, W)."""
        encoded = self.seen(picture)
        place = _places(features)
        query = self.query(torch.cat([features, place.expand(len(features), -1, -1, -1)], dim=1))
        key = self.key(torch.cat([encoded, place.expand(len(features), -1, -1, -1)], dim=1))
        attended = F.scaled_dot_product_attention(
            _tokens(query), _tokens(key), _tokens(self.value(encoded)), attn_mask=self._prior(query)
        )
        attended = attended.transpose(2, 3).flatten(1, 2).unflatten(2, features.shape[2:])
        return features + self.out(attended)

    def _prior(self, like: Tensor) -> Tensor:
        """Return what is added to the scores, (heads, HW, HW): minus the squared distance, in cells, times a weight."""
        height, width = like.shape[2:]
        rows, columns = (torch.arange(n, device=like.device, dtype=torch.float32) for n in (height, width))
        across, along = (columns[:, None] - columns).square(), (rows[:, None] - rows).square()
        distance = along[:, None, :, None] + across[None, :, None, :]
        scores = -self.locality.float()[:, None, None] * distance.reshape(height * width, -1)
        return scores.to(like.dtype)[None]


_PLACE = 6


def _places(like: Tensor) -> Tensor:
    """Return where each place is, (1, 6, H, W): x, y and their sines and cosines over the picture."""
    height, width = like.shape[2:]
    y, x = (torch.linspace(-1, 1, n, device=like.device, dtype=like.dtype) for n in (height, width))
    rows, columns = y[:, None].expand(height, width), x[None, :].expand(height, width)
    turns = [f(math.pi * at) for at in (rows, columns) for f in (torch.sin, torch.cos)]
    return torch.stack([rows, columns, *turns])[None]


def _tokens(x: Tensor) -> Tensor:
    """Map (B, heads D, H, W) to (B, heads, HW, D)."""
    return x.flatten(2).unflatten(1, (_HEADS, -1)).transpose(2, 3)
