"""Digits: deterministic, exactly periodic, and true to what they say of themselves."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moviola.core.errors import ConfigError, FormatError, InputError
from moviola.data.toys import digits
from moviola.data.toys.digits import Config, make, parse, read_idx
from moviola.data.toys.motion import MOTIONS


@given(
    index=st.integers(0, 10_000),
    seed=st.integers(0, 5),
    size=st.sampled_from([16, 32, 48, (24, 40), (40, 24)]),
    most=st.integers(1, 3),
    frames=st.integers(1, 30),
)
@settings(max_examples=30)
def test_any_size_and_length_and_the_caption_says_the_truth(index, seed, size, most, frames):
    config = Config(
        size=size, elements=(1, most), frames=frames, periods=(4, 6), travel=(0.1, 0.4), any_phase=True
    )
    clip = make(index, seed, config)
    assert clip.video.frames.shape == (frames, *config.shape, 3)
    elements = clip.truth["elements"]
    assert 1 <= len(elements) <= most
    said = [(e.name, e.colour, e.motion) for e in parse(clip.caption)]
    assert said == [(e["name"], e["colour"], e["motion"]) for e in elements]
    np.testing.assert_array_equal(clip.video.frames, make(index, seed, config).video.frames)
    for element in elements:
        height, width = config.shape
        centres, radius = element["centres"], element["radius"]
        assert centres.shape == (frames, 2) and element["angles"].shape == (frames,)
        assert (centres >= radius - 1e-6).all() and (
            centres <= np.array([width, height]) - radius + 1e-6
        ).all()


@pytest.mark.parametrize("motion", MOTIONS)
def test_the_period_is_exact(motion):
    config = Config(size=32, frames=40, motions=(motion,), periods=(6, 9), elements=(2, 2))
    for index in range(6):
        clip = make(index, 3, config)
        period, frames = clip.truth["period"], clip.video.frames
        assert period in (6, 9, 18)
        np.testing.assert_array_equal(frames[period:], frames[:-period])
        assert all(
            (frames[0] != frames[k]).any() for k in range(1, 6 if period > 6 else 4) if k != period // 2
        )


@pytest.mark.parametrize("motion", [m for m in MOTIONS if not m.startswith("spin")])
def test_the_ink_moves_as_the_truth_says(motion):
    config = Config(size=64, motions=(motion,), elements=(1, 1))
    for index in range(5):
        clip = make(index, 0, config)
        ink = clip.video.frames[..., 0].astype(float)
        grid = np.arange(64) + 0.5
        mass = ink.sum((1, 2))
        found = np.stack([(ink.sum(1) * grid).sum(1), (ink.sum(2) * grid).sum(1)], axis=1) / mass[:, None]
        centres = clip.truth["elements"][0]["centres"]
        np.testing.assert_allclose(found - found[0], centres - centres[0], atol=0.06)


@pytest.mark.parametrize("motion", ["spin-clockwise", "spin-counter-clockwise"])
def test_a_spin_turns_the_ink_about_the_centre_by_the_angle(motion):
    config = Config(size=96, motions=(motion,), elements=(1, 1), scale=0.6, periods=(12,))
    checked = 0
    for index in range(12):
        clip = make(index, 0, config)
        element = clip.truth["elements"][0]
        if element["name"] not in "2479":  # lopsided ones: their ink has a centroid away from the centre
            continue
        ink = clip.video.frames[..., 0].astype(float)
        grid = np.arange(96) + 0.5
        mass = ink.sum((1, 2))
        found = np.stack([(ink.sum(1) * grid).sum(1), (ink.sum(2) * grid).sum(1)], axis=1) / mass[:, None]
        arm = found - element["centres"]
        c, s = np.cos(element["angles"]), np.sin(element["angles"])
        wanted = np.stack([c * arm[0, 0] - s * arm[0, 1], s * arm[0, 0] + c * arm[0, 1]], axis=1)
        np.testing.assert_allclose(arm, wanted, atol=0.08)
        checked += 1
    assert checked


def test_seed_and_index_make_different_clips_and_settings_do_not_shift_the_draws():
    base = make(0, 0, Config(size=32))
    assert (
        base.caption != make(1, 0, Config(size=32)).caption
        or base.caption != make(2, 0, Config(size=32)).caption
    )
    assert any((make(i, 0).video.frames != make(i, 1).video.frames).any() for i in range(3))
    assert make(0, 0, Config(size=32, any_phase=True)).caption == base.caption


def test_every_digit_and_motion_comes_up():
    elements = [e for i in range(150) for e in make(i, 0, Config(size=8, frames=1)).truth["elements"]]
    assert {e["name"] for e in elements} == set(digits.NAMES)
    assert {e["motion"] for e in elements} == set(MOTIONS)


def test_elements_keep_apart_where_there_is_room():
    gaps = []
    for index in range(20):
        first, second = make(index, 0, Config(size=128, scale=0.2, elements=(2, 2))).truth["elements"]
        gaps.append(np.hypot(*(first["centres"] - second["centres"]).T).min())
    assert np.mean(np.array(gaps) > 2 * first["radius"]) > 0.8


@pytest.mark.parametrize(
    "values", [{"size": 4}, {"elements": [2, 1]}, {"motions": ["hops"]}, {"fps": 0}, {"sise": 8}]
)
def test_settings_out_of_range_are_refused(values):
    with pytest.raises(ConfigError, match="Config"):
        Config.make(values)


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def test_handwritten_digits_from_idx_files(tmp_path):
    images = np.zeros((20, 28, 28), np.uint8)
    for k in range(20):
        images[k, 6:22, 6 : 8 + k % 10] = 255  # the wider, the larger the digit
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx(images)))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(
        gzip.compress(idx(np.arange(20, dtype=np.uint8) % 10))
    )
    config = Config(size=48, glyphs=path, elements=(1, 1))
    for index in range(10):
        clip = make(index, 0, config)
        element = clip.truth["elements"][0]
        assert element["sample"] % 10 == int(element["name"])
        ink = clip.video.frames[0, ..., 0].astype(float).sum() / 255
        assert ink == pytest.approx(
            16 * (2 + element["sample"] % 10) * (2 * element["radius"] / 28) ** 2, rel=0.15
        )


def test_idx_files_that_are_none(tmp_path):
    path = tmp_path / "a-images-idx3-ubyte"
    with pytest.raises(InputError, match="no IDX file"):
        read_idx(path)
    path.write_bytes(b"hello")
    with pytest.raises(FormatError, match="not an IDX file"):
        read_idx(path)
    path.write_bytes(idx(np.zeros((2, 3), np.uint8))[:-1])
    with pytest.raises(InputError, match="ends early: 5 bytes of data, its header promises 6"):
        read_idx(path)
    path.write_bytes(b"\x1f\x8bnot gzip at all")
    with pytest.raises(InputError, match="cannot be read"):
        read_idx(path)


def test_real_mnist(shared):
    path = shared / "media/datasets/mnist/t10k-images-idx3-ubyte.gz"
    images, labels = read_idx(path), read_idx(path.with_name("t10k-labels-idx1-ubyte.gz"))
    assert images.shape == (10000, 28, 28) and np.bincount(labels).sum() == 10000
    clip = make(0, 0, Config(glyphs=path, elements=(1, 1)))
    element = clip.truth["elements"][0]
    assert labels[element["sample"]] == int(element["name"])
