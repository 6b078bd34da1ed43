"""Bringing parts of the first frame to where they are in the next one, turned and shifted as a whole."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.nn.conv import FiLMBlock

_POOL = 2  # cells of the features to a cell of the maps, each way
_START = 0.01  # standard deviation of the first weights: the fields start near the identity, each a little different
_REACH = (
    2.0  # largest entry of what is learnt of a map: half the picture is 1, a turn by 180 degrees has J = -2 I
)


class Warp(NamedTuple):
    """What `AffineFields` makes of a picture.

    Attributes:
        picture: (B, 3, H, W), the mixture of the warped pictures.
        flows: of each field, (B, K, 2, H, W): where each pixel is taken from, less its own place, x before y; half the
            picture is 1.
        weights: of each field, (B, K, H, W), with the sum 1.
    """

    picture: Tensor
    flows: Tensor
    weights: Tensor


class AffineFields(nn.Module):
    """A picture warped by grids of affine maps, and mixed from the warps.

    Around the centre c of a cell the picture to be drawn takes its pixels from p + d + J (p - c), p the place of the
    pixel, with d and J of the cell: the local affine motion of Siarohin et al. 2019, "First Order Motion Model for
    Image Animation", eq. 4, on a regular grid in place of their key points. Between centres the maps are interpolated,
    so that cells of one map move a whole part rigidly, however far it turns. Ours: d = t - J u, so that all maps of a
    cell turn about one pivot, c + u, which is the same however far a part has turned.

    Args:
        channels: C of the features, a multiple of 8.
        condition: D of the condition.
        fields: K, how many warps there are to choose from at every place.
    """

    def __init__(self, channels: int, condition: int, fields: int) -> None:
        super().__init__()
        self.fields = fields
        self.block = FiLMBlock(channels, channels, condition)
        self.maps = nn.Conv2d(channels, 6 * fields + 2, 1)  # J and t of each field, u
        self.weights = nn.Conv2d(channels, fields, 1)
        for layer in (self.maps, self.weights):
            nn.init.normal_(layer.weight, std=_START)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, condition: Tensor, picture: Tensor) -> Warp:
        """Warp a picture.

        Args:
            features: (B, C, h, w), of what is to be drawn.
            condition: (B, D).
            picture: (B, 3, H, W); beyond its border it goes on as its outermost pixels.
        """
        b, k, size = len(picture), self.fields, picture.shape[2:]
        x = F.silu(self.block(F.avg_pool2d(features, _POOL), condition))
        matrix, shift = self._maps(_REACH * torch.tanh(self.maps(x).float() / _REACH))
        affine = F.interpolate(torch.cat([matrix, shift], dim=1), size=size, mode="bilinear")
        places = _places(size[0], size[1], affine)
        flow = affine[:, 4:] + _applied(affine[:, :4], places)
        warped = F.grid_sample(
            picture.float().repeat_interleave(k, dim=0),
            (places + flow).movedim(1, -1),
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )
        weights = F.interpolate(self.weights(F.silu(features)).float(), size=size, mode="bilinear").softmax(
            dim=1
        )
        mixed = (warped.reshape(b, k, *picture.shape[1:]) * weights[:, :, None]).sum(dim=1)
        return Warp(mixed.to(picture.dtype), flow.reshape(b, k, 2, *size), weights)

    def _maps(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return J of the cells, (B K, 4, h, w), and the shift that makes it a map about c + u, (B K, 2, h, w)."""
        b, _, rows, columns = raw.shape
        own, pivot = raw[:, :-2].reshape(b, self.fields, 6, rows, columns), raw[:, None, -2:]
        matrix = own[:, :, :4].flatten(0, 1)
        about = _places(rows, columns, raw) + pivot.expand(-1, self.fields, -1, -1, -1).flatten(0, 1)  # c + u
        return matrix, own[:, :, 4:].flatten(0, 1) - _applied(matrix, about)


def _places(rows: int, columns: int, like: Tensor) -> Tensor:
    """Return x and y of the centres of cells, from -1 to 1 over the picture, (1, 2, rows, columns)."""
    y, x = ((torch.arange(n, device=like.device, dtype=like.dtype) * 2 + 1) / n - 1 for n in (rows, columns))
    return torch.stack([x[None, :].expand(rows, columns), y[:, None].expand(rows, columns)])[None]


def _applied(matrix: Tensor, places: Tensor) -> Tensor:
    """Multiply matrices (B, 4, H, W), row by row, with places (1, 2, H, W): (B, 2, H, W)."""
    x, y = places[:, :1], places[:, 1:]
    return matrix[:, 0::2] * x + matrix[:, 1::2] * y
