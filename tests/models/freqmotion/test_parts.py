"""Things that move apart: each in one band, drawn evenly, at a time of its own."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from moviola.models.freqmotion import Codes, FreqMotionConfig, FreqMotionGenerator
from moviola.models.freqmotion.bands import BAND_NAMES
from moviola.pipelines.edit.motion import MotionEdit, default_bands, edit_codes

RANGES = ((0.6, 1.2), (1.5, 2.2), (3.0, 4.2))


def generator(**changes) -> FreqMotionGenerator:
    """A small one, untrained, the same each time."""
    torch.manual_seed(0)
    settings = {
        "size": 16, "content": 8, "motion": 6, "style": 10, "content_layers": 2, "features": 12, "widths": (8, 8, 4),
        "ranges": RANGES, "shifts": True, "activate": False, "center": True, "gated": True, "parts": 4,
    }  # fmt: skip
    return FreqMotionGenerator(FreqMotionConfig(**{**settings, **changes})).eval()


def moved(codes: Codes) -> torch.Tensor:
    """Which banks move which parts: bool (B, banks, parts)."""
    used = torch.stack([scales != 0 for scales in codes.scales], dim=1)  # (B, banks, 2 features)
    return torch.stack([used[..., part::4].any(dim=2) for part in range(4)], dim=2)


@torch.no_grad()
def test_each_part_has_one_band_and_every_band_its_turn():
    """Of 3,000 videos each part is moved by exactly one bank, by each in a third of them, whatever the others do."""
    model = generator()
    chosen = moved(model.draw(0, range(3000)))
    assert (chosen.sum(dim=1) == 1).all()
    number = chosen.float().argmax(dim=1)  # (B, parts)
    bound = 4.5 * (1 / 3 * 2 / 3 / 3000) ** 0.5
    for part in range(4):
        shares = torch.bincount(number[:, part], minlength=3) / 3000
        assert (shares - 1 / 3).abs().max() < bound
    assert abs((number[:, 0] == number[:, 1]).float().mean() - 1 / 3) < bound


@torch.no_grad()
def test_all_motions_have_one_size():
    """The scales of a part, amplitude by amplitude, have a root mean square of 1 in every video."""
    for bank in generator().draw(0, range(50)).scales:
        squares = bank[:, :12].square() + bank[:, 12:].square()
        size = torch.stack([squares[:, part::4].mean(dim=1).sqrt() for part in range(4)], dim=1)
        assert torch.allclose(size[size > 0], torch.ones(()), atol=1e-3) and (size > 0).any()


@torch.no_grad()
def test_the_motions_of_the_parts_sum_up_to_the_whole():
    """w(t) - w_c is the sum over the parts as it is over the banks, but for the biases, which do not move."""
    model, times = generator(), torch.linspace(-1, 7, 12).expand(2, -1)
    codes = model.draw(3, [0, 1])
    parts = torch.stack(model.part_motions(times, codes)).sum(dim=0)
    whole = model.trajectory(times, codes) - codes.content[:, None]
    assert len(model.part_motions(times, codes)) == 4
    assert torch.allclose(parts - parts[:, :1], whole - whole[:, :1], atol=1e-5)
    assert float((whole - whole[:, :1]).abs().amax()) > 0.1


@torch.no_grad()
def test_a_part_moves_one_way_at_any_speed():
    """With one sinusoid a part, its path follows one direction of style space in all videos: the banks share layers."""
    model = generator(features=4)  # one sinusoid a part and bank
    assert (
        sum("hidden.weight" in name for name, _ in model.named_parameters() if name.startswith("banks")) == 1
    )
    times = torch.linspace(-1, 7, 40).expand(60, -1)
    codes = model.draw(0, range(60))
    paths = model.part_motions(times, codes)[2]
    directions = paths - paths.mean(dim=1, keepdim=True)
    singular = torch.linalg.svdvals(directions.flatten(0, 1).double())
    assert singular[1] / singular[0] < 1e-4  # one direction in all videos, slow and fast


@torch.no_grad()
def test_a_turned_part_is_the_same_motion_at_another_time():
    """Its two numbers are a shift of that part alone, in periods of the middle of the bank that moves it."""
    model, times = generator(), torch.linspace(-1, 7, 9)[None]
    z = model.draw_latent("motion", 0, [0])
    extra = z[:, 6:].view(4, 5)
    extra[1] = torch.tensor([0.0, 9.0, 0.0, 1.0, 0.0])  # part 1: the middle bank, not shifted
    turned = z.clone()
    turned[:, 6:].view(4, 5)[1, 3:] = torch.tensor([0.0, 1.0])  # by a quarter of a turn

    def part(latent: torch.Tensor, at: torch.Tensor, number: int) -> torch.Tensor:
        codes = Codes(torch.zeros(1, 10), model.scales(model.map_motion(latent)), ())
        return model.part_motions(at, codes)[number]

    later = 2 * torch.pi / ((1.5 + 2.2) / 2) / 4
    assert torch.allclose(part(turned, times, 1), part(z, times + later, 1), atol=1e-4)
    assert torch.allclose(part(turned, times, 2), part(z, times, 2), atol=1e-6)


@torch.no_grad()
def test_another_code_for_a_band_moves_the_same_parts():
    """Altering a band neither takes a part from another band nor gives it one; the other bands' scales stay."""
    model = generator()
    bands = default_bands(model)
    assert bands.names == BAND_NAMES[3]
    for index in range(10):
        own = model.draw(5, [index])
        for band in range(3):
            codes = tuple(99 if k == band else None for k in range(3))
            altered = edit_codes(model, 5, index, MotionEdit(bands, codes=codes))
            assert torch.equal(moved(altered), moved(own))
            for k in range(3):
                same = torch.equal(altered.scales[k], own.scales[k])
                assert same == (k != band or not own.scales[k].any())


@pytest.mark.parametrize(
    "changes", [{"shifts": False}, {"activate": True}, {"trend": 2}, {"parts": 13}, {"parts": -1}]
)
def test_parts_need_what_they_need(changes):
    """One speed a part holds only for sinusoids that nothing mixes."""
    with pytest.raises(ValidationError, match="parts"):
        generator(**changes)
