"""Blending: the statistics it promises, the published formula, scikit-image's L*a*b*, and equal inputs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2lab

from moviola.core.errors import ConfigError
from moviola.propagation.blend import blend, contrast_preserving, from_lab, to_lab


def textures(seed=0, size=(96, 128)):
    """Two independent textures around mid grey."""
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(128, 12, (*size, 1)).repeat(3, 2).round().astype(np.uint8) for _ in range(2))


def test_lab_is_scikit_images():
    frame = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert np.abs(to_lab(frame) - rgb2lab(frame)).max() < 0.5
    assert np.abs(from_lab(to_lab(frame)) - frame).max() < 0.6


@given(share=st.floats(0, 1), seed=st.integers(0, 99), window=st.sampled_from([0, 7, 31]))
def test_equal_frames_come_back(share, seed, window):
    frame = np.random.default_rng(seed).integers(0, 256, (17, 23, 3), dtype=np.uint8)
    assert np.abs(contrast_preserving(frame, frame, share, window) - frame).max() < 1
    shares = np.full((17, 23), share, np.float32)
    assert np.abs(blend(frame, frame, shares).astype(int) - frame).max() <= 1


@pytest.mark.parametrize("window", [0, 31])
def test_contrast_is_kept(window):
    """An average of two independent textures has 1/sqrt(2) of their deviation; the blend has all of it."""
    one, two = (to_lab(t)[..., 0].std() for t in textures())
    kept = to_lab(contrast_preserving(*textures(), 0.5, window))[..., 0].std()
    lost = to_lab(contrast_preserving(*textures(), 0.5, window, keep=0))[..., 0].std()
    assert lost == pytest.approx((one + two) / 2 / np.sqrt(2), rel=0.03)
    assert kept == pytest.approx((one + two) / 2, rel=0.06)


def test_independent_inputs_give_the_published_formula():
    """Sum w (x - m) / sqrt(sum w^2) + m, per channel, over the whole frame (L alone: the textures are grey)."""
    first, second = textures(3, (200, 300))
    one, two = to_lab(first)[..., 0], to_lab(second)[..., 0]
    for w in (0.2, 0.5):
        mean = w * one.mean() + (1 - w) * two.mean()
        expected = (w * one + (1 - w) * two - mean) / np.sqrt(w**2 + (1 - w) ** 2) + mean
        found = to_lab(contrast_preserving(first, second, w, window=0))[..., 0]
        assert np.abs(found - expected).max() < 0.5


def test_ends_of_the_shares():
    """All of one frame is that frame, wherever the other differs."""
    rng = np.random.default_rng(4)
    first, second = rng.integers(0, 256, (2, 30, 40, 3), dtype=np.uint8)
    share = np.zeros((30, 40), np.float32)
    share[:, 20:] = 1
    found = contrast_preserving(first, second, share)
    assert np.abs(found[:, 20:] - first[:, 20:]).max() < 1
    assert np.abs(found[:, :20] - second[:, :20]).max() < 1


def test_detail_of_one_and_colour_of_both():
    """Flat second frame, textured first: chosen detail is the first's, the colour lies between."""
    texture, _ = textures(5)
    flat = np.full_like(texture, 60)
    everywhere = np.ones(texture.shape[:2], np.float32)
    found = blend(texture, flat, everywhere, 0.5, pull=1e-3).astype(float)
    assert found.std() == pytest.approx(texture.std(), rel=0.05)
    assert 80 < found.mean() < 108
    assert np.corrcoef(found.ravel(), texture.ravel())[0, 1] > 0.99


def test_without_fusion():
    """An infinite pull is the blend alone."""
    first, second = textures(6)
    share = np.full(first.shape[:2], 0.3, np.float32)
    expected = np.rint(contrast_preserving(first, second, share))
    assert (blend(first, second, share, pull=np.inf) == expected).all()
    assert np.abs(blend(first, second, share, pull=1e5) - expected).max() <= 1


def test_what_is_refused():
    frame = np.zeros((4, 5, 3), np.uint8)
    with pytest.raises(ConfigError, match="cannot blend"):
        contrast_preserving(frame, frame[:3], 0.5)
    with pytest.raises(ConfigError, match="cannot blend"):
        contrast_preserving(frame, frame, np.zeros((5, 4), np.float32))
    with pytest.raises(ConfigError, match="keep"):
        contrast_preserving(frame, frame, 0.5, keep=2)
