"""Warps of the first frame by grids of affine maps."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from moviola.models.nextframe import NextFrameConfig, NextFrameUNet
from moviola.models.nextframe.affine import AffineFields

SIZE, CELLS = 32, 4


class Maps(nn.Module):
    """In place of a head: the same maps, whatever it sees."""

    def __init__(self, maps: Tensor) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, x: Tensor) -> Tensor:
        return self.maps.expand(len(x), -1, -1, -1)


def centres() -> Tensor:
    """Return x and y of the centres of cells over a picture from -1 to 1, (2, CELLS, CELLS)."""
    at = torch.arange(CELLS) * (2 / CELLS) - 1 + 1 / CELLS
    return torch.stack(torch.meshgrid(at, at, indexing="xy"))


def raw(
    turn: float = 0.0, shift: tuple[float, float] = (0.0, 0.0), pivot: tuple[float, float] = (0.0, 0.0)
) -> Tensor:
    """Return what the layer gives for one field: J of a turn by an angle, t, and u to a pivot (x, y)."""
    c, s = math.cos(turn), math.sin(turn)
    matrix = torch.tensor([c - 1, -s, s, c - 1])[:, None, None].expand(4, CELLS, CELLS)
    moved = torch.tensor(shift)[:, None, None].expand(2, CELLS, CELLS)
    maps = torch.cat([matrix, moved, torch.tensor(pivot)[:, None, None] - centres()])
    return 2 * torch.atanh(maps / (2 + 1e-6))  # they are kept within 2 by a tanh


def warped(maps: Tensor, picture: Tensor, fields: int = 1) -> Tensor:
    """Warp a picture (3, H, W) by `maps` (6 K + 2, CELLS, CELLS)."""
    layer = AffineFields(channels=8, condition=4, fields=fields)
    layer.maps = Maps(maps[None])  # type: ignore[assignment]
    features = torch.zeros(1, 8, 2 * CELLS, 2 * CELLS)
    return layer(features, torch.zeros(1, 4), picture[None]).picture[0]


@pytest.mark.parametrize("quarters", [1, 3])
def test_a_turn_about_the_centre_is_exact(quarters: int):
    """Cells that turn about one point move the picture as a whole, however far: as torch turns an array."""
    picture = torch.rand(3, SIZE, SIZE)
    result = warped(raw(quarters * math.pi / 2), picture)
    assert torch.allclose(result, torch.rot90(picture, quarters, dims=(1, 2)), atol=1e-4)


def test_a_shift_in_pixels():
    """t is in halves of the picture, and says where a pixel is taken from."""
    picture = torch.rand(3, SIZE, SIZE)
    shift = (3 * 2 / SIZE, -2 * 2 / SIZE)  # from 3 px to the right, from 2 px above
    result = warped(raw(shift=shift), picture)
    assert torch.allclose(result[:, 2:, :-3], picture[:, :-2, 3:], atol=1e-5)


def test_a_turn_about_a_pivot():
    """A quarter about (0.25, -0.25), which is 4 px to the right and 4 px up: as if that were moved to the centre."""
    picture = torch.zeros(3, SIZE, SIZE)
    picture[:, 8:14, 16:24] = torch.rand(3, 6, 8)  # around the pivot, x 20, y 12
    result = warped(raw(math.pi / 2, pivot=(0.25, -0.25)), picture)
    about = torch.rot90(picture.roll((4, -4), (1, 2)), 1, dims=(1, 2)).roll((-4, 4), (1, 2))
    assert torch.allclose(result, about, atol=1e-4)


def test_they_start_near_the_identity():
    """A network that has fields starts as one that copies; each is a little different, or they would learn the same."""
    torch.manual_seed(0)
    layer = AffineFields(channels=8, condition=4, fields=3)
    rows = torch.linspace(0, 1, SIZE)
    picture = torch.stack(
        [rows[None, :].expand(SIZE, -1), rows[:, None].expand(-1, SIZE), rows[:, None] * rows]
    )
    warp = layer(torch.randn(1, 8, 8, 8), torch.randn(1, 4), picture[None])
    assert warp.flows.shape == (1, 3, 2, SIZE, SIZE) and warp.weights.shape == (1, 3, SIZE, SIZE)
    assert torch.allclose(warp.weights.sum(dim=1), torch.ones(1, SIZE, SIZE), atol=1e-5)
    assert (warp.picture[0] - picture).abs().max() < 0.15
    assert (warp.flows[:, 0] - warp.flows[:, 1]).abs().max() > 0


def test_the_warps_reach_the_frame():
    """With a choice that takes the second picture, the frame is what the first field makes of the first frame."""
    torch.manual_seed(0)
    config = NextFrameConfig(slots=(3,), size=SIZE, history=3, widths=(8, 8, 8, 8), condition=8, affine=1)
    network = NextFrameUNet(config).eval()
    assert network.fields is not None and network.choice is not None
    network.fields.maps = Maps(raw(math.pi / 2)[None])  # type: ignore[assignment]
    with torch.no_grad():
        network.choice.logits.bias.copy_(torch.tensor([-50.0] * 4 + [50.0] * 4))  # type: ignore[union-attr]
        for parameter in (network.head.weight, network.head.bias):
            parameter.zero_()  # type: ignore[union-attr]
        network.head.bias[12:] = 1  # type: ignore[index]  # nothing drawn, all taken over
        history, first = torch.rand(1, 3, 3, SIZE, SIZE), torch.rand(1, 3, SIZE, SIZE)
        frame = network(history, torch.tensor([3]), torch.zeros(1, 1, dtype=torch.long), first)
    assert torch.allclose(frame, torch.rot90(first, 1, dims=(2, 3)), atol=1e-4)


def test_other_forms_have_none():
    """Warps belong to the form `film`."""
    with pytest.raises(ValidationError, match="no affine maps"):
        NextFrameConfig(slots=(3,), form="unet3d", affine=1)


def test_channels_last_is_the_same():
    """Training keeps weights and features with the channels last: the values do not change."""
    torch.manual_seed(0)
    fields = AffineFields(channels=8, condition=4, fields=2)
    features, condition, picture = torch.randn(2, 8, 8, 8), torch.randn(2, 4), torch.rand(2, 3, SIZE, SIZE)
    plain = fields(features, condition, picture).picture
    last = fields.to(memory_format=torch.channels_last)(  # type: ignore[call-overload]
        features.to(memory_format=torch.channels_last), condition, picture
    ).picture
    assert torch.allclose(last, plain, atol=1e-5)
