"""Resizing against Pillow, torch and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import ConfigError, UnknownNameError
from moviola.core.resample import KERNELS, _resample, _taps, resize_frames

SIZES = st.integers(1, 40)


def noise(height: int, width: int, frames: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


@given(SIZES, SIZES, SIZES, SIZES, st.sampled_from(KERNELS), st.booleans())
def test_a_flat_picture_stays_flat(h, w, height, width, kernel, antialias):
    out = resize_frames(np.full((1, h, w, 3), 77, np.uint8), height, width, kernel, antialias)
    assert out.shape == (1, height, width, 3)
    assert (out == 77).all()


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("size", [(11, 9), (50, 64), (20, 31)])
def test_bilinear_is_torchs(size, antialias):
    frames = noise(20, 31)
    tensor = torch.from_numpy(frames).permute(0, 3, 1, 2).double()
    wanted = torch.nn.functional.interpolate(tensor, size=size, mode="bilinear", antialias=antialias)
    got = resize_frames(frames, *size, "bilinear", antialias)
    # Pillow rounds once an axis
    assert np.abs(got - wanted.permute(0, 2, 3, 1).numpy()).max() <= 1.01


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "lanczos"])
def test_growing_needs_no_antialias(kernel):
    frames = noise(13, 17) // 4 + 96  # mild, as Pillow clips between its two passes
    by_pillow = resize_frames(frames, 40, 60, kernel, antialias=True).astype(int)
    assert np.abs(by_pillow - resize_frames(frames, 40, 60, kernel, antialias=False)).max() <= 1


@pytest.mark.parametrize("kernel", ["bicubic", "lanczos"])
def test_an_interpolating_kernel_keeps_the_samples(kernel):
    frame = noise(9, 9, 1)[0]
    grown = _resample(frame, _taps(9, 27, kernel), _taps(9, 27, kernel))
    assert (grown[1::3, 1::3] == frame).all()


def test_nearest_repeats_and_picks():
    frames = noise(4, 6)
    grown = resize_frames(frames, 12, 18, "nearest")
    assert (grown == frames.repeat(3, 1).repeat(3, 2)).all()
    assert (resize_frames(grown, 4, 6, "nearest") == frames).all()


def test_box_halving_is_the_mean():
    frames = noise(8, 8)
    mean = frames.reshape(2, 4, 2, 4, 2, 3).mean(axis=(2, 4))
    assert np.abs(resize_frames(frames, 4, 4, "box") - mean).max() <= 1.0


def test_only_antialias_removes_what_cannot_be_shown():
    stripes = np.zeros((1, 8, 64, 3), np.uint8)
    stripes[:, :, ::2] = 255
    smooth = resize_frames(stripes, 8, 21, "lanczos", True)
    folded = resize_frames(stripes, 8, 21, "lanczos", False)
    inside = slice(3, -3)
    assert smooth[:, :, inside].std() < 8 < 60 < folded[:, :, inside].std()


def test_bad_arguments():
    with pytest.raises(UnknownNameError, match="lanczos"):
        resize_frames(noise(4, 4), 2, 2, "lancsoz")  # type: ignore[arg-type]
    for size in [(0, 4), (4, -1), (4, 20000)]:
        with pytest.raises(ConfigError, match="16384"):
            resize_frames(noise(4, 4), *size)
