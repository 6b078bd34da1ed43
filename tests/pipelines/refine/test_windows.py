"""Windows: few, in order, faded exactly as a loop would, whatever the length and the pieces."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import ConfigError, InputError
from moviola.pipelines.refine.windows import check_overlap, cut, fade, join, mirrored, mix


def numbered(count: int) -> np.ndarray:
    """Frames that say their own number."""
    frames = np.zeros((count, 1, 2, 3), np.uint8)
    frames[:] = np.arange(count, dtype=np.uint8)[:, None, None, None]
    return frames


def in_pieces(frames: np.ndarray, piece: int) -> list[np.ndarray]:
    """Cut every `piece` frames."""
    return [frames[i : i + piece] for i in range(0, len(frames), piece)]


def as_floats(frames: np.ndarray) -> torch.Tensor:
    """(T, C, H, W) as they are."""
    return torch.from_numpy(frames.copy()).movedim(-1, 1).float()


@given(st.integers(1, 70), st.integers(1, 12), st.data())
def test_cut_and_join_give_the_video_back(total, length, data):
    """Whatever the lengths, with as few windows as the overlap allows."""
    overlap = data.draw(st.integers(0, length // 2))
    frames = numbered(total)
    windows = list(cut(in_pieces(frames, data.draw(st.integers(1, 20))), length, overlap))
    assert len(windows) == max(1, math.ceil((total - overlap) / (length - overlap)))
    assert [w.index for w in windows] == list(range(len(windows)))
    for w in windows:
        assert len(w.frames) == length
        assert np.array_equal(w.frames[: w.count], frames[w.start : w.start + w.count])
    back = torch.cat(list(join(((w, as_floats(w.frames)) for w in windows), overlap)))
    assert torch.equal(back, as_floats(frames))


def test_cross_fade_against_a_loop():
    """Frame by frame: the weight of the later window rises by 1 / (overlap + 1); the last window only adds its end."""
    total, length, overlap = 17, 8, 3
    windows = list(cut([numbered(total)], length, overlap))
    assert [w.start for w in windows] == [0, 5, 9]
    values = [as_floats(w.frames) + 100 * w.index for w in windows]
    expected = []
    for t in range(total):
        if t < 5:
            value = t
        elif t < 8:
            weight = (t - 5 + 1) / 4
            value = (1 - weight) * t + weight * (100 + t)
        elif t < 10:
            value = 100 + t
        elif t < 13:
            weight = (t - 10 + 1) / 4
            value = (1 - weight) * (100 + t) + weight * (200 + t)
        else:
            value = 200 + t
        expected.append(value)
    joined = torch.cat(list(join(zip(windows, values, strict=True), overlap)))
    assert joined[:, 0, 0, 0].tolist() == pytest.approx(expected)


def test_a_short_video_is_continued_backwards():
    """0 1 2 in a window of 8, and only they come back."""
    (window,) = cut([numbered(3)], 8, 2)
    assert window.frames[:, 0, 0, 0].tolist() == [0, 1, 2, 1, 0, 1, 2, 1]
    assert (window.start, window.count) == (0, 3)


@given(st.integers(2, 9), st.integers(0, 8), st.integers(0, 8))
def test_mirrored_is_numpys_reflection(count, before, after):
    """As `np.pad(mode="reflect")`."""
    line = np.arange(count) * 3
    expected = np.pad(line, (before, after), mode="reflect")
    assert np.array_equal(line[mirrored(count, -before, count + after)], expected)


def test_mirrored_of_one():
    """A single place is repeated."""
    assert mirrored(1, -2, 3).tolist() == [0] * 5


def test_memory_is_flat():
    """A window is given before more frames are asked for than it needs."""
    asked = []

    def frames():
        for i in range(1000):
            asked.append(i)
            yield numbered(1)

    for window in cut(frames(), 8, 2):
        assert len(asked) <= window.start + 8


@given(st.floats(-1, 1, width=32), st.integers(1, 40))
def test_mix_of_equals_is_exact(value, length):
    """No weight moves it."""
    same = torch.full((length,), value)
    assert torch.equal(mix(same, same, fade(length)), same)


def test_bad_input():
    """Overlaps of more than half a window; no frame; two sizes."""
    assert check_overlap(4, 8) == 4
    for overlap in (-1, 5):
        with pytest.raises(ConfigError, match=r"0 to 4 frames"):
            check_overlap(overlap, 8)
    with pytest.raises(InputError, match="without frames"):
        list(cut([], 8, 2))
    with pytest.raises(InputError, match="one size"):
        list(cut([numbered(2), np.zeros((2, 3, 3, 3), np.uint8)], 8, 2))
