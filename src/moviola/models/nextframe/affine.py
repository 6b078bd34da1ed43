"""Bringing parts of the first frame to where they are in the next one, turned and shifted as a whole."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.nn.conv import FiLMBlock

_POOL = 2  # cells of the features to a cell of the maps, each way
_START = 0.01  # standard deviation of the first weights: the fields start near the identity, each a little different
_REACH = 2.0  # largest entry of d and J: half the picture is 1, and a turn by 180 degrees has J = -2 I


class AffineFields(nn.Module):
    """A picture warped by grids of affine maps, and mixed from the warps.

    Around the centre c of a cell the picture to be drawn takes its pixels from p + d + J (p - c), p the place of the
    pixel, with d and J of the cell: the local affine motion of Siarohin et al. 2019, "First Order Motion Model for
    Image Animation", eq. 4, on a regular grid in place of their key points. Between centres the maps are interpolated,
    so that cells of one map move a whole part rigidly, however far it turns.

    Args:
        channels: C of the features, a multiple of 8.
        condition: D of the condition.
        fields: K, how many warps there are to choose from at every place.
    """

    def __init__(self, channels: int, condition: int, fields: int) -> None:
        super().__init__()
        self.fields = fields
        self.block = FiLMBlock(channels, channels, condition)
        self.maps = nn.Conv2d(channels, 6 * fields, 1)
        self.weights = nn.Conv2d(channels, fields, 1)
        for layer in (self.maps, self.weights):
            nn.init.normal_(layer.weight, std=_START)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, condition: Tensor, picture: Tensor) -> Tensor:
        """Warp a picture.

        Args:
            features: (B, C, h, w), of what is to be drawn.
            condition: (B, D).
            picture: (B, 3, H, W).

        Returns:
            (B, 3, H, W); beyond its border the picture goes on as its outermost pixels.
        """
        x = F.silu(self.block(F.avg_pool2d(features, _POOL), condition))
        maps = _REACH * torch.tanh(self.maps(x).float() / _REACH)
        b, _, rows, columns = maps.shape
        maps = maps.reshape(b * self.fields, 6, rows, columns)
        centres = _places(rows, columns, maps)  # (1, 2, rows, columns)
        shift = maps[:, 4:] - _applied(
            maps[:, :4], centres
        )  # d - J c: the same map about the picture's centre
        size = picture.shape[2:]
        affine = F.interpolate(torch.cat([maps[:, :4], shift], dim=1), size=size, mode="bilinear")
        places = _places(*size, maps)
        places = places + affine[:, 4:] + _applied(affine[:, :4], places)
        source = picture.float().repeat_interleave(self.fields, dim=0)
        warped = F.grid_sample(
            source, places.movedim(1, -1), mode="bilinear", padding_mode="border", align_corners=False
        )
        weights = F.interpolate(self.weights(F.silu(features)).float(), size=size, mode="bilinear").softmax(
            dim=1
        )
        mixed = (warped.reshape(b, self.fields, *picture.shape[1:]) * weights[:, :, None]).sum(dim=1)
        return mixed.to(picture.dtype)


def _places(rows: int, columns: int, like: Tensor) -> Tensor:
    """Return x and y of the centres of cells, from -1 to 1 over the picture, (1, 2, rows, columns)."""
    y, x = ((torch.arange(n, device=like.device, dtype=like.dtype) * 2 + 1) / n - 1 for n in (rows, columns))
    return torch.stack([x[None, :].expand(rows, columns), y[:, None].expand(rows, columns)])[None]


def _applied(matrix: Tensor, places: Tensor) -> Tensor:
    """Multiply matrices (B, 4, H, W), row by row, with places (1, 2, H, W): (B, 2, H, W)."""
    x, y = places[:, :1], places[:, 1:]
    return matrix[:, 0::2] * x + matrix[:, 1::2] * y
