"""Flaws put into good video, against other people's filters and against what they must leave alone."""

from __future__ import annotations

import io
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from moviola.core.errors import ConfigError, UnknownNameError
from moviola.core.video import Video
from moviola.data import corrupt


def random_video(frames=6, height=24, width=20, seed=0):
    rng = np.random.default_rng(seed)
    return Video(rng.integers(0, 256, (frames, height, width, 3), dtype=np.uint8), 10)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_noise_has_the_stated_strength():
    """On mid grey, where nothing is clipped, mean and standard deviation are those asked for."""
    grey = Video(np.full((8, 64, 64, 3), 128, np.uint8), 10)
    noisy = corrupt.add_noise(grey, 10, rng()).frames.astype(float) - 128
    assert abs(noisy.mean()) < 0.1
    assert noisy.std() == pytest.approx(10, rel=0.02)
    assert abs(np.corrcoef(noisy[0].ravel(), noisy[1].ravel())[0, 1]) < 0.05


@pytest.mark.parametrize("sigma", [0.7, 2.0])
def test_blur_is_the_gaussian_of_scipy(sigma):
    """Equal to scipy's filter with the same reach and border, to one step of rounding."""
    ndimage = pytest.importorskip("scipy.ndimage")
    video = random_video()
    expected = ndimage.gaussian_filter(
        video.frames[2].astype(float),
        (sigma, sigma, 0),
        mode="nearest",
        radius=(int(np.ceil(4 * sigma)),) * 2 + (0,),
    )
    assert np.abs(corrupt.blur(video, sigma).frames[2] - expected).max() <= 0.51


def test_blur_of_nothing_changes_nothing():
    """A sigma of 0 is no blur, and an even picture stays even to its border."""
    video = random_video()
    assert np.array_equal(corrupt.blur(video, 0).frames, video.frames)
    flat = Video(np.full((1, 9, 9, 3), 77, np.uint8), 10)
    assert (corrupt.blur(flat, 3).frames == 77).all()


def test_jpeg_is_what_pillow_writes():
    """Each frame is the picture that a JPEG file of that quality holds; lower quality, larger error."""
    video = random_video()
    file = io.BytesIO()
    Image.fromarray(video.frames[3]).save(file, "JPEG", quality=30)
    assert np.array_equal(corrupt.jpeg(video, 30).frames[3], np.asarray(Image.open(file)))
    errors = [np.abs(corrupt.jpeg(video, q).frames.astype(int) - video.frames).mean() for q in (90, 50, 10)]
    assert errors == sorted(errors)


@given(frames=st.integers(1, 12), seed=st.integers(0, 5))
def test_temporal_flaws_make_no_new_frames(frames, seed):
    """Frozen, shuffled, reversed and dropped video shows frames of the original, in its shape and rate."""
    video = random_video(frames, 3, 4, seed)
    known = {frame.tobytes() for frame in video.frames}
    for damage in corrupt.DAMAGES.values():
        out = damage.apply(video, rng(seed))
        assert (out.frames.shape, out.fps, out.frames.dtype) == (video.frames.shape, video.fps, np.uint8)
        if damage.temporal:
            assert {frame.tobytes() for frame in out.frames} <= known


def test_order_of_frames():
    """What is shown, frame by frame."""
    video = Video(np.arange(10, dtype=np.uint8).repeat(3).reshape(10, 1, 1, 3), 10)

    def shown(v):
        return v.frames[:, 0, 0, 0].tolist()

    assert shown(corrupt.freeze(video)) == [0] * 10
    assert shown(corrupt.reverse(video)) == list(range(9, -1, -1))
    assert sorted(shown(corrupt.shuffle(video, rng()))) == list(range(10))
    dropped = shown(corrupt.drop(video, 0.5, rng()))
    assert dropped[0] == 0
    assert all(b in (a, i) for i, (a, b) in enumerate(itertools.pairwise(dropped), start=1))
    assert len(set(dropped)) == 10 - round(0.5 * 9)


@pytest.mark.parametrize("name", corrupt.DAMAGES)
def test_same_seed_same_flaw(name):
    """A damage depends on its generator alone, leaves its input as it was, and can be sent to another process."""
    video, damage = random_video(), corrupt.find_damage(name)
    before = video.frames.copy()
    sent = pickle.loads(pickle.dumps(damage))
    assert np.array_equal(damage.apply(video, rng(3)).frames, sent.apply(video, rng(3)).frames)
    assert np.array_equal(video.frames, before)
    assert not np.array_equal(damage.apply(video, rng(3)).frames, before)


def test_bad_strengths():
    """Strengths outside their range are refused by name."""
    video = random_video()
    for call in (
        lambda: corrupt.add_noise(video, -1, rng()),
        lambda: corrupt.blur(video, -0.1),
        lambda: corrupt.jpeg(video, 0),
        lambda: corrupt.drop(video, 1.5, rng()),
    ):
        with pytest.raises(ConfigError, match=r"not -?[0-9]"):
            call()
    with pytest.raises(UnknownNameError, match="did you mean blur"):
        corrupt.find_damage("blurr")
