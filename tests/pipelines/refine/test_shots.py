"""Windows go over no cut, in any number of passes, however the frames come."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import InputError
from moviola.core.video import Video
from moviola.pipelines.refine import make_plan, refine
from moviola.pipelines.refine.passes import chain
from moviola.pipelines.refine.shots import Shots, cut_shots
from moviola.pipelines.refine.windows import join


def scenes(*lengths: int) -> np.ndarray:
    """Still scenes of large coloured blocks, one after the other, uint8 (T, 32, 32, 3)."""
    parts = []
    for seed, length in enumerate(lengths):
        blocks = np.random.default_rng(seed).integers(0, 256, (1, 4, 4, 3), np.uint8)
        parts.append(blocks.repeat(8, axis=1).repeat(8, axis=2).repeat(length, axis=0))
    return np.concatenate(parts)


def in_pieces(frames: np.ndarray, size: int) -> list[np.ndarray]:
    """Cut every `size` frames."""
    return [frames[i : i + size] for i in range(0, len(frames), size)]


@given(st.lists(st.integers(5, 20), min_size=1, max_size=4), st.integers(1, 20), st.integers(1, 9), st.data())
def test_windows_lie_in_one_shot(lengths, size, length, data):
    """They cover the video, count through it, and give it back."""
    overlap = data.draw(st.integers(0, length // 2))
    frames, edges, shots = scenes(*lengths), np.cumsum([0, *lengths]), Shots()
    windows = list(cut_shots(shots.divide(in_pieces(frames, size)), length, overlap))
    assert shots.cuts == edges[1:-1].tolist()
    assert [window.index for window in windows] == list(range(len(windows)))
    for window in windows:
        assert edges[window.shot] <= window.start and window.start + window.count <= edges[window.shot + 1]
        assert np.array_equal(window.frames[: window.count], frames[window.start :][: window.count])
    values = ((w, torch.from_numpy(w.frames.copy()).movedim(-1, 1).float()) for w in windows)
    back = torch.cat(list(join(values, overlap)))
    assert np.array_equal(back.movedim(1, -1).numpy(), frames)


def test_a_refiner_of_neighbours_sees_one_shot(formula):
    """Each window's mean over time: a still shot stays itself in three passes, whatever lies beyond the cut."""
    model = formula(lambda video: video.mean(1, keepdim=True).expand_as(video), size=32)
    frames = scenes(13, 12, 7)
    assert np.array_equal(refine(Video(frames, 10), model, 3).frames, frames)
    assert np.array_equal(refine(Video(frames, 10), model, "auto").frames, frames)


def test_later_passes_keep_the_cuts_of_the_first(formula):
    """Also where a pass leaves nothing of them: all frames become grey, and shots are still apart."""
    calls = []

    def grey(video):
        calls.append(len(video))
        return torch.zeros_like(video)

    plan = make_plan(formula(grey, size=32), iterations=2, batch=1)
    list(chain(in_pieces(scenes(6, 5), 4), plan))
    assert calls == [1] * 4  # two shots, two passes


def test_one_shot_is_as_without_cuts(smearing, noise_video):
    """The windows of a video without cuts are those of the whole."""
    video = noise_video(21)
    shots = Shots()
    windows = list(cut_shots(shots.divide(in_pieces(video.frames, 5)), 8, 2))
    assert shots.cuts == [] and [window.start for window in windows] == [0, 6, 12, 13]


def test_frames_are_asked_for_as_they_are_needed():
    """A window is given two frames, and a piece, after its own."""
    asked = []

    def frames():
        for t in range(200):
            asked.append(t)
            yield scenes(1)

    for window in cut_shots(Shots().divide(frames()), 8, 2):
        assert len(asked) <= window.start + 8 + 3
    with pytest.raises(InputError, match="without frames"):
        list(cut_shots(Shots().divide([]), 8, 2))
