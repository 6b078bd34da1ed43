"""Corruptions of any strength: where they say they are, what they cover, and what each does, told another way."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moviola.core.errors import ConfigError, UnknownNameError
from moviola.data.corrupt import CORRUPTIONS, FAULTS, GREY, HOLES, UNKNOWABLE, Mixture, find_corruption
from moviola.data.corrupt.filters import blurred, displaced, smooth_field
from moviola.data.corrupt.regions import STAGES, band_mask, block_mask, held_mask

NAMES = list(CORRUPTIONS)


def rng(seed=0):
    return np.random.default_rng(seed)


def moving(frames=16, height=48, width=40):
    """A clip of texture that moves, with no level of grey in it and no two frames alike."""
    y, x = np.mgrid[:height, :width]
    made = [
        np.stack([(7 * x + 9 * t) % 120, (5 * y + 11 * t) % 120, (x * y // 3 + 4 * t) % 120], -1)
        for t in range(frames)
    ]
    return np.stack(made).astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_changes_what_the_mask_says_and_nothing_else(name):
    """Outside its mask a clip is bit-equal; inside something changed; the input is left alone."""
    clip = moving()
    before = clip.copy()
    out, mask = CORRUPTIONS[name].apply(clip, 0.7, rng())
    assert (out.shape, out.dtype, mask.shape, mask.dtype) == (clip.shape, np.uint8, clip.shape[:3], bool)
    assert np.array_equal(clip, before)
    assert np.array_equal(out[~mask], clip[~mask])
    assert (out[mask] != clip[mask]).any()


@pytest.mark.parametrize("name", NAMES)
def test_same_generator_same_corruption(name):
    """It depends on its generator alone, also in another process."""
    corruption, clip = CORRUPTIONS[name], moving()
    sent = pickle.loads(pickle.dumps(corruption))
    first, second = corruption.apply(clip, 0.5, rng(3)), sent.apply(clip, 0.5, rng(3))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("name", NAMES)
def test_covers_what_it_states(name, strength):
    """The mean cover over draws is the stated share, to a row of a box; whole frames are whole."""
    corruption, clip = CORRUPTIONS[name], moving(16, 64, 64)
    shares = [corruption.apply(clip, strength, rng(k))[1].mean() for k in range(6)]
    stated = corruption.covers(strength)
    if name == "soft":
        assert set(shares) == {15 / 16}  # all but the first frame
    elif stated == 1:
        assert set(shares) == {1.0}
    else:
        assert np.abs(np.array(shares) - stated).max() < 0.02


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 16, 16), (2, 9, 31), (5, 33, 18)])
def test_any_shape(name, shape):
    """One frame, odd sides, small pictures."""
    clip = moving(*shape)
    out, mask = CORRUPTIONS[name].apply(clip, 1.0, rng())
    assert out.shape == clip.shape
    assert mask.shape == shape
    assert mask.any()


@pytest.mark.parametrize(
    "name", ["noise", "drift", "flicker", "low-bit", "soft", "jpeg", "codec", "checkerboard", "ghost"]
)
def test_stronger_is_further_away(name):
    """The mean error over some draws grows with the strength."""
    clip = moving(8)
    errors = [
        np.mean(
            [np.abs(CORRUPTIONS[name].apply(clip, s, rng(k))[0] - clip.astype(int)).mean() for k in range(4)]
        )
        for s in (0.1, 0.4, 1.0)
    ]
    assert errors == sorted(errors)
    assert errors[0] < errors[2]


@pytest.mark.parametrize("name", ["blocks", "held-block", "frame-blocks", "pixels"])
def test_holes_are_grey(name):
    """What is covered is level 128, and nothing else is."""
    out, mask = CORRUPTIONS[name].apply(moving(), 0.8, rng())
    assert np.array_equal((out == GREY).all(-1), mask)


@settings(max_examples=25, deadline=None)
@given(
    frames=st.integers(1, 9),
    height=st.integers(4, 40),
    width=st.integers(4, 40),
    share=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_cover_of_masks(frames, height, width, share, seed):
    """Boxes stop within one row of a box of the share; a held box is the same rectangle in all frames."""
    shape = (frames, height, width)
    boxes = block_mask(shape, share, rng(seed))
    over = boxes.sum() - share * boxes.size
    assert -0.5 <= over <= max(1, frames / 2 + 1) * (width / 3 + 1) + 1
    held = held_mask(shape, share, rng(seed))
    assert (held == held[:1]).all()
    rows, columns = held[0].any(1), held[0].any(0)
    assert np.array_equal(held[0], rows[:, None] & columns)
    assert abs(held[0].sum() - share * height * width) <= max(height, width)


def test_boxes_are_drawn_evenly():
    """Every place is hit about as often as any other, corners and ends too."""
    mean = np.mean([block_mask((8, 24, 24), 0.3, rng(k)) for k in range(300)], axis=0)
    assert mean[0].mean() == pytest.approx(mean[4].mean(), abs=0.06)
    assert mean[:, :3, :3].mean() == pytest.approx(mean[:, 10:14, 10:14].mean(), abs=0.1)


def test_frame_blocks_differ_and_held_blocks_do_not():
    """Time is what tells the three kinds of boxes apart."""
    clip = moving()
    each = CORRUPTIONS["frame-blocks"].apply(clip, 0.6, rng())[1]
    assert len({mask.tobytes() for mask in each}) == len(clip)
    held = CORRUPTIONS["held-block"].apply(clip, 0.6, rng())[1]
    assert len({mask.tobytes() for mask in held}) == 1


def test_sliding_covers_all_in_one_round():
    """The stages of a round cover each pixel once; `for_pass` gives them in order and round again."""
    clip = moving(3, 8, 22)
    stages = [CORRUPTIONS["sliding"].for_pass(k).apply(clip, 1.0, rng())[1] for k in range(STAGES)]
    assert (np.sum(stages, axis=0) == 1).all()
    again = CORRUPTIONS["sliding"].for_pass(STAGES + 1).apply(clip, 1.0, rng(9))[1]
    assert np.array_equal(again, stages[1])
    assert np.array_equal(band_mask((3, 8, 22), 2), stages[2])
    assert CORRUPTIONS["noise"].for_pass(5) is CORRUPTIONS["noise"]


def test_sliding_fades_to_grey():
    """At half strength the band is half way to level 128."""
    clip = moving(1, 8, 8)
    out, mask = CORRUPTIONS["sliding"].apply(clip, 0.5, rng())
    assert np.abs(out[mask] - (clip[mask] + 128) / 2).max() <= 0.5


def test_noise_has_the_stated_strength():
    """On mid grey mean and standard deviation are 0 and 50 times the strength."""
    grey = np.full((4, 64, 64, 3), 128, np.uint8)
    noisy = CORRUPTIONS["noise"].apply(grey, 0.3, rng())[0] - 128.0
    assert noisy.mean() == pytest.approx(0, abs=0.2)
    assert noisy.std() == pytest.approx(15, rel=0.02)


def test_pixelated_cells_are_means():
    """Inside the mask a pixel is the mean of its cell of 2 + 6 * strength px."""
    clip = moving(6, 64, 64)
    out, mask = CORRUPTIONS["pixelate"].apply(clip, 0.5, rng())
    for t, y, x in np.argwhere(mask)[::997]:
        top, left = y // 5 * 5, x // 5 * 5
        cell = clip[t, top : top + 5, left : left + 5].reshape(-1, 3)
        assert np.abs(out[t, y, x] - cell.mean(0)).max() <= 0.51


def test_frozen_piece_shows_the_frame_before():
    """Within the mask every frame shows what the last frame before it showed."""
    clip = moving(12)
    for seed in range(5):
        out, mask = CORRUPTIONS["frozen"].apply(clip, 0.6, rng(seed))
        first = int(mask.any((1, 2)).argmax())
        assert first >= 1
        held = np.broadcast_to(clip[first - 1], clip.shape)
        assert np.array_equal(out[mask], held[mask])


def test_ghost_is_a_blend_with_one_frame_before():
    """Each frame is a blend of itself and one 1 to 3 frames earlier, in one proportion for the clip."""
    clip = (np.arange(12)[:, None, None, None] ** 2 * np.ones((1, 4, 4, 3))).astype(np.uint8)
    out = CORRUPTIONS["ghost"].apply(clip, 1.0, rng())[0]
    level, now = out[:, 0, 0, 0].astype(float), clip[:, 0, 0, 0].astype(float)
    fits = []
    for back in (1, 2, 3):
        before = now[np.maximum(np.arange(12) - back, 0)]
        share = ((now - level) * (now - before)).sum() / ((now - before) ** 2).sum()
        fits.append((np.abs(now + share * (before - now) - level).max(), share))
    error, share = min(fits)
    assert error < 0.75
    assert 0.3 < share < 0.61


def test_flicker_is_one_line_a_frame_and_channel():
    """Each frame and channel is an affine map of what it was; the maps of frames differ."""
    ramp = np.linspace(60, 190, 16 * 16).astype(np.uint8).reshape(1, 16, 16, 1)
    clip = np.broadcast_to(ramp, (6, 16, 16, 3)).copy()
    out = CORRUPTIONS["flicker"].apply(clip, 0.5, rng())[0].astype(float)
    lines = [
        np.polyfit(clip[t, ..., c].ravel().astype(float), out[t, ..., c].ravel(), 1)
        for t in range(6)
        for c in range(3)
    ]
    fitted = [np.polyval(line, clip[k // 3, ..., k % 3]) for k, line in enumerate(lines)]
    assert all(np.abs(fit - out[k // 3, ..., k % 3]).max() < 1.01 for k, fit in enumerate(fitted))
    assert np.std([line[0] for line in lines[::3]]) > 0.02


@pytest.mark.parametrize(("strength", "levels"), [(0.5, 10), (1.0, 3)])
def test_low_bit_has_few_levels(strength, levels):
    """No channel has more than the stated number of levels, and one for the step at either end."""
    clip = rng().integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    out = CORRUPTIONS["low-bit"].apply(clip, strength, rng(1))[0]
    assert all(levels - 1 <= len(np.unique(out[..., c])) <= levels + 1 for c in range(3))


def test_checkerboard_has_one_frequency():
    """What is added to a grey clip is the same in all frames and has no mean over two neighbouring cells."""
    grey = np.full((3, 32, 32, 3), 128, np.uint8)
    out = CORRUPTIONS["checkerboard"].apply(grey, 1.0, rng(2))[0].astype(float) - 128
    assert (out == out[:1]).all()
    spectrum = np.abs(np.fft.fft2(out[0, ..., 0]))
    peak = np.unravel_index(spectrum.argmax(), spectrum.shape)
    assert peak[0] in (8, 16, 24)
    assert peak[0] == peak[1] or peak[0] + peak[1] == 32


def test_soft_keeps_the_first_frame_and_loses_detail():
    """Gradient energy falls after the first frame and stays down."""
    clip = np.repeat(rng().integers(0, 256, (1, 32, 32, 3), dtype=np.uint8), 10, axis=0)
    out = CORRUPTIONS["soft"].apply(clip, 0.5, rng())[0].astype(float)
    energy = (np.diff(out, axis=2) ** 2).mean((1, 2, 3))
    assert np.array_equal(out[0], clip[0])
    assert (np.diff(energy) <= 1e-9).all()
    assert energy[5:] == pytest.approx(energy[-1])
    assert energy[-1] < 0.3 * energy[0]


def test_jitter_shows_frames_from_nearby():
    """A clip whose level is its time: no frame is further off than three."""
    clip = np.repeat(np.arange(20, dtype=np.uint8), 8 * 8 * 3).reshape(20, 8, 8, 3)
    out = CORRUPTIONS["jitter"].apply(clip, 1.0, rng())[0][:, 0, 0, 0].astype(int)
    assert np.abs(out - np.arange(20)).max() <= 3
    assert (out != np.arange(20)).any()


def test_codec_and_jpeg_are_near():
    """A smooth clip comes back as itself with small errors, frame for frame."""
    y, x = np.mgrid[:48, :47]
    clip = np.stack([np.stack([4 * x, 4 * y, 2 * x + 8 * t + 0 * y], -1) for t in range(9)]).astype(np.uint8)
    for name in ("jpeg", "codec"):
        out = CORRUPTIONS[name].apply(clip, 0.1, rng())[0].astype(int)
        error = np.abs(out[:, None] - clip[None].astype(int)).mean((2, 3, 4))
        assert (error.argmin(1) == np.arange(9)).all()
        assert error.diagonal().max() < 6


def test_blur_is_the_gaussian_of_scipy():
    """Equal to scipy's filter of that reach and border, to a step of rounding."""
    ndimage = pytest.importorskip("scipy.ndimage")
    clip = rng().integers(0, 256, (2, 20, 17, 3), dtype=np.uint8)
    expected = ndimage.gaussian_filter(
        clip.astype(float), (0, 1.3, 1.3, 0), mode="nearest", radius=(0, 4, 4, 0)
    )
    assert np.abs(blurred(clip, 1.3) - expected).max() <= 0.51


def test_displaced_by_whole_pixels_is_a_shift():
    """Against slicing, with the edge repeated."""
    clip = rng().integers(0, 256, (2, 9, 11, 3), dtype=np.uint8)
    shift = np.zeros((2, 2, 9, 11), np.float32)
    shift[:, 0], shift[:, 1] = 2, -1
    x, y = (np.arange(11) + 2).clip(0, 10), (np.arange(9) - 1).clip(0, 8)
    assert np.array_equal(displaced(clip, shift), clip[:, y][:, :, x])


def test_smooth_field_is_bilinear():
    """Between nodes the field is a plane in each direction, within -1 and 1, whatever the shape."""
    field = smooth_field((2, 13, 9), 3, rng())
    assert np.abs(field).max() <= 1
    assert np.abs(np.diff(field[:, :7], 2, axis=1)).max() < 1e-6
    assert np.abs(np.diff(field[:, :, :5], 2, axis=2)).max() < 1e-6


def test_names():
    """Holes and faults are all there is; a wrong name offers the nearest."""
    assert sorted((*HOLES, *FAULTS, *UNKNOWABLE)) == sorted(NAMES)
    assert not set(Mixture().weights) & set(UNKNOWABLE)
    with pytest.raises(UnknownNameError, match="did you mean checkerboard"):
        find_corruption("chekerboard")


@pytest.mark.parametrize("strength", [0.0, -0.1, 1.5, float("nan")])
def test_bad_strength(strength):
    """Above 0, at most 1."""
    with pytest.raises(ConfigError, match="above 0 and at most 1, not"):
        CORRUPTIONS["noise"].apply(moving(1), strength, rng())


@pytest.mark.parametrize(
    "frames", [np.zeros((4, 8, 8)), np.zeros((4, 8, 8, 3)), np.zeros((4, 8, 8, 1), np.uint8)]
)
def test_bad_frames(frames):
    """Only uint8 (T, H, W, 3)."""
    with pytest.raises(ConfigError, match="takes frames uint8"):
        CORRUPTIONS["noise"].apply(frames, 0.5, rng())


def test_colours_are_taken_away_alike_in_all_frames():
    """Each draw is luma, an order of channels or an inverted channel, the same everywhere; all nine come up."""
    clip, seen = moving(3), set()
    luma = clip @ np.array([0.299, 0.587, 0.114])
    for seed in range(60):
        out = CORRUPTIONS["colours"].apply(clip, 1.0, rng(seed))[0].astype(float)
        if np.abs(out - luma[..., None]).max() <= 0.51:
            seen.add("luma")
            continue
        sources = []
        for c in range(3):
            fits = [
                (k, s)
                for k in range(3)
                for s in (0, 1)
                if np.array_equal(out[..., c], abs(255 * s - clip[..., k].astype(float)))
            ]
            assert len(fits) == 1
            sources.append(fits[0])
        seen.add(tuple(sources))
    assert len(seen) == 9
    assert ((0, 0), (1, 0), (2, 0)) not in seen
