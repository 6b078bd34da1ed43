"""DiffAugment: the same for real and fake, differentiable, and what its source says it does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moviola.training.augment import affine_clips, diff_augment, rotate_hues

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


# -- clips that go through an encoder ------------------------------------------------------------------


class Fixed:
    """Stands in for a generator: a flip or none, and what `uniform` gives in turn."""

    def __init__(self, draw: float, *values: float) -> None:
        self.draw, self.values = draw, list(values)

    def random(self) -> float:
        return self.draw

    def uniform(self, low: float, high: float) -> float:
        value = self.values.pop(0)
        assert low <= value <= high
        return value


def some_clips(count: int = 3):
    """Random ones, in [-1, 1]."""
    return 2 * torch.rand(count, 4, 3, 12, 16, generator=torch.Generator().manual_seed(0)) - 1


def test_a_flip_twice_is_the_clip():
    """And once is the mirror image."""
    clips = some_clips()
    flip = lambda: [Fixed(0.0, 0.0, 1.0, 0.0, 0.0) for _ in clips]  # noqa: E731
    once = affine_clips(clips, flip())
    assert torch.allclose(once, clips.flip(-1), atol=1e-4)
    assert torch.allclose(affine_clips(once, flip()), clips, atol=1e-4)


def test_shifts_and_scales():
    """A shift by two pixels of sixteen, and the border comes in; a scale leaves the middle where it is."""
    clips = some_clips()
    moved = affine_clips(clips, [Fixed(1.0, 0.0, 1.0, 0.125, 0.0) for _ in clips])
    assert torch.allclose(moved[..., :-1], clips[..., 1:], atol=1e-4)
    assert torch.allclose(moved[..., -1], clips[..., -1], atol=1e-4)
    middle = torch.zeros(1, 1, 3, 12, 16)
    middle[..., 4:8, 6:10] = 1
    grown = affine_clips(middle, [Fixed(1.0, 0.0, 1.15, 0.0, 0.0)])
    assert torch.allclose(grown, grown.flip(-1).flip(-2), atol=1e-4) and grown.sum() > 1.2 * middle.sum()


def test_all_frames_of_a_clip_move_alike():
    """A still stays one, and what is drawn for a clip does not depend on the others."""
    still = some_clips()[:, :1].expand(-1, 4, -1, -1, -1)
    random = lambda: [np.random.default_rng(k) for k in range(3)]  # noqa: E731
    for change in (affine_clips, rotate_hues):
        out = change(still, random())
        assert torch.allclose(out, out[:, :1].expand_as(out), atol=1e-5)
        assert torch.allclose(change(still[1:2], random()[1:2]), out[1:2], atol=1e-5)
        assert float(out.abs().amax()) <= 1 + 1e-5


def test_hues_turn_around_grey():
    """Grey stays, the sum of the channels stays, and a third of a turn exchanges them."""
    clips = 0.3 * some_clips()  # so that nothing is clamped
    grey = clips.mean(dim=2, keepdim=True).expand_as(clips)
    for angle in (-3.0, -0.5, 0.4, 2.0):
        turn = [Fixed(0.0, angle) for _ in clips]
        assert torch.allclose(rotate_hues(grey, [Fixed(0.0, angle) for _ in clips]), grey, atol=1e-5)
        out = rotate_hues(clips, turn)
        assert torch.allclose(out.sum(dim=2), clips.sum(dim=2), atol=1e-5)
        assert torch.allclose(out.square().sum(dim=2), clips.square().sum(dim=2), atol=1e-5)
    third = rotate_hues(clips, [Fixed(0.0, 2 * np.pi / 3) for _ in clips])
    assert torch.allclose(third, clips.roll(1, dims=2), atol=1e-5)
    assert torch.equal(rotate_hues(clips, [Fixed(1.0) for _ in clips]), clips)
    assert float(rotate_hues(3 * clips, [Fixed(0.0, 1.0) for _ in clips]).abs().amax()) <= 1
