"""Each fault alone and in pairs, against the clip before it was damaged; and clean clips."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moviola as mv
from moviola.core.errors import ConfigError, InputError
from moviola.pipelines.mend import MendSettings, find_faults, mend
from moviola.pipelines.mend.find import Faults

_spec = importlib.util.spec_from_file_location("mend_damage", Path(__file__).with_name("damage.py"))
assert _spec and _spec.loader
damage = importlib.util.module_from_spec(_spec)
sys.modules["mend_damage"] = damage
_spec.loader.exec_module(damage)

pytest.importorskip("cv2")
pytest.importorskip("scipy")

CLEAN = damage.clip()


def steps(frames: np.ndarray) -> np.ndarray:
    """Mean absolute difference from frame to frame; [t] from t - 1 to t."""
    change = np.abs(np.diff(frames.astype(np.float64), axis=0)).mean((1, 2, 3))
    return np.concatenate([[0.0], change])


@pytest.mark.parametrize("speed", [0.0, 1.0, 2.0])
def test_a_clean_clip_comes_back(speed):
    """Nothing is found, and every frame is the same, bit for bit."""
    video = damage.video(damage.clip(speed=speed))
    assert find_faults(video).clean
    assert np.array_equal(mend(video).frames, video.frames)


def test_flicker_goes():
    """Of the whole picture, found and taken out; with the undamaged clip as the guide as well."""
    broken = damage.video(damage.flickering(CLEAN))
    faults = find_faults(broken)
    assert faults.flickers[0] and not faults.seams
    for guide in (None, damage.video(CLEAN)):
        mended = mend(broken, guide=guide)
        assert damage.psnr(mended.frames, CLEAN) > damage.psnr(broken.frames, CLEAN) + 6


def test_local_flicker_goes():
    """Of parts of the picture."""
    broken = damage.video(damage.lit(CLEAN))
    assert find_faults(broken).flickers[1]
    mended = mend(broken, guide=damage.video(CLEAN))
    assert damage.psnr(mended.frames, CLEAN) > damage.psnr(broken.frames, CLEAN) + 4


@pytest.mark.parametrize("at", [12, 20, 31])
def test_a_seam_is_found_and_bridged(at):
    """In its place; the step over it is no larger than others, and the colours of the first piece go on."""
    broken = damage.pieced(CLEAN, at)
    video = damage.video(broken)
    assert find_faults(video).seams == [at]
    mended = mend(video).frames
    assert steps(broken)[at] > 2 * steps(CLEAN).max()
    assert steps(mended)[at - 3 : at + 4].max() < 1.3 * steps(CLEAN).max()
    assert np.abs(mended[at + 6 :].mean((0, 1, 2)) - CLEAN[at + 6 :].mean((0, 1, 2))).max() < 2


def test_drift_goes():
    """Mean and contrast come back, of 24 levels and a quarter."""
    clean = damage.clip(count=96, speed=0.25)
    broken = damage.drifting(clean)
    assert find_faults(damage.video(broken)).drifts[0]
    mended = mend(damage.video(broken)).frames.astype(np.float64)
    means, spreads = (getattr(mended, name)((1, 2)) for name in ("mean", "std"))
    assert np.abs(means - clean.mean((1, 2))).max() < 3
    assert np.abs(spreads / clean.std((1, 2)) - 1).max() < 0.05


def test_a_reference_gives_its_colours():
    """Mean and contrast of the first second are those of the picture."""
    picture = damage.rounded((CLEAN[0] - 128.0) * 0.7 + 100)
    mended = mend(damage.video(CLEAN), reference=picture).frames
    assert np.abs(mended[:25].mean((0, 1, 2)) - picture.mean((0, 1))).max() < 1.5
    assert np.abs(mended[:25].std((0, 1, 2)) / picture.std((0, 1)) - 1).max() < 0.05


def test_repeated_frames_are_filled():
    """Frames between take their places, nearer to what was lost than the repeats; all others stay bit for bit."""
    clean = damage.clip(speed=2.0)
    broken = damage.stuttering(clean, [10, 25, 26])
    assert find_faults(damage.video(broken)).repeats == ((10, 11), (25, 27))
    mended = mend(damage.video(broken)).frames
    lost = [10, 25, 26]
    kept = [t for t in range(len(clean)) if t not in lost]
    assert np.array_equal(mended[kept], clean[kept])
    for t in lost:
        assert damage.psnr(mended[t], clean[t]) > damage.psnr(broken[t], clean[t]) + 5


def test_flicker_and_a_seam_at_once():
    """A seam that is named is bridged in a clip that flickers."""
    broken = damage.flickering(damage.pieced(CLEAN, 20), 0.05)
    mended = mend(damage.video(broken), flicker=True, seams=[20]).frames
    matched = np.abs(mended[26:].mean((1, 2)) - CLEAN[26:].mean((1, 2))).mean()
    assert matched < 0.5 * np.abs(broken[26:].mean((1, 2)) - CLEAN[26:].mean((1, 2))).mean()
    assert steps(mended)[20] < steps(broken)[20] / 2


def test_flicker_and_repeats_at_once():
    """The light is steadied and the lost frames are filled."""
    clean = damage.clip(speed=2.0)
    broken = damage.flickering(damage.stuttering(clean, [15]), 0.08)
    mended = mend(damage.video(broken), flicker=True).frames
    assert damage.psnr(mended, clean) > damage.psnr(broken, clean) + 5


def test_drift_and_a_seam_at_once():
    """Both are found, and the colours end near those of the beginning."""
    clean = damage.clip(count=96, speed=0.25)
    broken = damage.pieced(damage.drifting(clean, 20, 0.1), 48, shift=3)
    faults = find_faults(damage.video(broken))
    assert faults.seams == [48] and faults.drifts[0]
    mended = mend(damage.video(broken)).frames
    before, after = (np.abs(x[60:].mean((1, 2)) - clean[60:].mean((1, 2))).mean() for x in (broken, mended))
    assert after < before / 3


def test_a_cut_is_no_seam():
    """Another scene is left as it is."""
    joined = np.concatenate([CLEAN[:20], damage.clip(seed=5)[:20] // 2])
    faults = find_faults(damage.video(joined))
    assert faults.seams == [] and faults.clean


def test_the_rest_is_kept():
    """Rate, size, sound and length are those of the input, from memory and by the public name."""
    from moviola.core.audio import Audio

    sound = Audio(np.zeros((16000, 1), np.float32), 10000)
    video = mv.Video(damage.flickering(CLEAN), 25, sound)
    mended = mv.mend(video)
    assert (mended.fps, len(mended), mended.audio) == (video.fps, len(video), sound)


@given(st.integers(1, 40), st.integers(16, 40), st.integers(16, 40), st.data())
def test_any_length_and_size(count, height, width, data):
    """Any clip of two frames or more is mended without a fault, with seams at its first and last frames as well."""
    frames = damage.flickering(damage.clip(count, height, width), 0.1)
    video = damage.video(frames)
    if count == 1:
        with pytest.raises(InputError, match="one frame"):
            mend(video)
        return
    seams = data.draw(st.sampled_from([[1], [count - 1], sorted({1, count - 1})]))
    mended = mend(video, flicker=True, seams=seams, drift=True, stills=True)
    assert mended.frames.shape == frames.shape


@pytest.mark.parametrize("seams", [[0], [40], [-3], [12, 12], [20, 10], []])
def test_bad_seams(seams):
    """Outside the clip, or out of order."""
    with pytest.raises(ConfigError, match="seam"):
        mend(damage.video(CLEAN), seams=seams)


def test_a_guide_of_another_length_or_shape():
    """Both are said."""
    video = damage.video(CLEAN)
    with pytest.raises(InputError, match=r"30 frames .* has 40"):
        mend(video, guide=damage.video(CLEAN[:30]))
    with pytest.raises(InputError, match=r"48x48 .* 64x48"):
        mend(video, guide=damage.video(CLEAN[:, :, :48]))


def test_a_switch_looks_for_its_fault_only():
    """What was not asked for is not mended."""
    broken = damage.video(damage.flickering(CLEAN))
    assert find_faults(broken, MendSettings(stills=True)).clean
    assert np.array_equal(mend(broken, seams="auto").frames, broken.frames)


def test_what_was_found_in_words():
    """Each size beside what it is of, and only of what was found."""
    both = Faults(9.44, 1.2, (True, True), [24], [])
    assert both.lines() == [
        "flicker of the picture (9.4 levels) and of parts of it (1.2 levels)",
        "a seam at frame 24",
    ]
    parts = Faults(0.3, 2.0, (False, True), [8, 24], [])
    assert parts.lines() == ["flicker of parts of it (2.0 levels)", "seams at frames 8, 24"]
