"""DiffAugment: the same for real and fake, differentiable, and what its source says it does."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moviola.training.augment import diff_augment

POLICIES = ["color", "translation", "cutout", "color,translation,cutout"]


def generator(seed: int = 0) -> torch.Generator:
    """A seeded CPU generator."""
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("policy", POLICIES)
def test_equal_generators_equal_augmentation(policy):
    """The same draws for both; other draws differ."""
    x = torch.rand(6, 3, 16, 16) * 2 - 1
    assert torch.equal(diff_augment(x, generator(), policy), diff_augment(x.clone(), generator(), policy))
    assert not torch.equal(diff_augment(x, generator(1), policy), diff_augment(x, generator(), policy))
    assert diff_augment(x, generator(), policy).shape == x.shape


def test_empty_policy_is_the_identity():
    """And draws nothing."""
    x, draws = torch.rand(2, 3, 8, 8), generator(3)
    assert diff_augment(x, draws, "") is x
    assert torch.equal(torch.rand(2, generator=draws), torch.rand(2, generator=generator(3)))


@pytest.mark.parametrize("policy", POLICIES)
def test_differentiable(policy):
    """Gradients match finite differences."""
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: diff_augment(t, generator(), policy).sum(dim=(2, 3)), (x,))


@given(seed=st.integers(0, 2**32))
def test_translation_shifts_by_up_to_an_eighth(seed):
    """Each output is the input moved by whole pixels; what enters repeats the border."""
    x = torch.rand(3, 1, 16, 16, generator=generator(seed))
    moved = diff_augment(x, generator(seed), "translation")
    padded = torch.nn.functional.pad(x, (2, 2, 2, 2), mode="replicate")
    for a, b in zip(padded, moved, strict=True):
        assert any(torch.equal(a[:, i : i + 16, j : j + 16], b) for i in range(5) for j in range(5))


@given(seed=st.integers(0, 2**32))
def test_cutout_blanks_one_rectangle(seed):
    """Of at most a quarter by a quarter, in all channels; the rest is untouched."""
    x = torch.rand(4, 3, 16, 16, generator=generator(seed)) + 0.5
    cut = diff_augment(x, generator(seed), "cutout")
    for before, after in zip(x, cut, strict=True):
        gone = (after == 0).all(dim=0)
        assert torch.equal(after[:, ~gone], before[:, ~gone])
        rows, columns = gone.any(dim=1), gone.any(dim=0)
        assert (
            torch.equal(gone, rows[:, None] & columns[None])
            and 2 <= rows.sum() <= 4
            and 2 <= columns.sum() <= 4
        )


@given(seed=st.integers(0, 2**32))
def test_color_is_affine_within_its_ranges(seed):
    """Brightness moves the mean by up to 0.2; contrast and saturation scale by 0.75..1.25 and 0.6..1.4."""
    x = torch.rand(4, 3, 16, 16, generator=generator(seed)) * 2 - 1
    made = diff_augment(x, generator(seed), "color")
    shift = (made - x).mean(dim=(1, 2, 3))
    assert shift.abs().max() <= 0.2 + 1e-5
    grey, new_grey = (t.mean(dim=1) - t.mean(dim=(1, 2, 3))[:, None, None] for t in (x, made))
    contrast = new_grey.flatten(1).norm(dim=1) / grey.flatten(1).norm(dim=1)
    hue, new_hue = (t - t.mean(dim=1, keepdim=True) for t in (x, made))
    saturation = new_hue.flatten(1).norm(dim=1) / hue.flatten(1).norm(dim=1) / contrast
    assert ((contrast > 0.75 - 1e-4) & (contrast < 1.25 + 1e-4)).all()
    assert ((saturation > 0.6 - 1e-4) & (saturation < 1.4 + 1e-4)).all()
