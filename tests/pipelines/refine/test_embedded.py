"""The embedded refiner: it mends what it was trained to mend, and leaves the rest alone."""

from __future__ import annotations

import numpy as np
import pytest

import moviola as mv
from moviola.core.video import Video

TEXT = "a person with red hair and a white shirt casts a spell"


@pytest.fixture(scope="module")
def clip():
    """A clip of the embedded generator."""
    return mv.generate(TEXT, model="sprites", frames=16, seed=0)


def test_what_is_lost_in_some_frames_comes_back(clip):
    """A grey box over the body in two frames; one pass leaves less than half of the error there."""
    box = np.s_[[5, 6], 30:46, 24:40]
    frames = clip.frames.copy()
    frames[box] = 127
    mended = mv.refine(Video(frames, clip.fps), iterations=1, text=TEXT).frames
    before, after = (np.square(f[box].astype(float) - clip.frames[box]).mean() for f in (frames, mended))
    assert after < 0.5 * before


def test_what_is_right_stays(clip):
    """The clip as it was generated changes by few levels, and the background by almost nothing."""
    refined = mv.refine(clip, text=TEXT, iterations=2).frames.astype(float)
    change = np.abs(refined - clip.frames)
    assert change.mean() < 3 and change[:, :6].mean() < 0.5


def test_it_is_the_default_and_is_told_the_text(clip):
    """No model named is regis-u; text changes what it does."""
    named = mv.refine(clip, model="regis-u", iterations=1, text=TEXT).frames
    assert np.array_equal(mv.refine(clip, iterations=1, text=TEXT).frames, named)
    assert not np.array_equal(mv.refine(clip, iterations=1).frames, named)


def test_footage_of_another_kind_is_told_once(tmp_path, clip, capfd):
    """As far as its size says so: one line on stderr for a set; nothing for its own kind, and nothing when quiet."""
    from moviola.cli.main import run

    (tmp_path / "set").mkdir()
    for name in ("a", "b"):
        Video(np.zeros((2, 48, 80, 3), np.uint8), 10).save(tmp_path / "set" / f"{name}.mp4")
    call = ["refine", "--device", "cpu", "-n", "1"]
    assert run([*call, str(tmp_path / "set"), "-o", str(tmp_path / "out")]) == 0
    (line,) = capfd.readouterr().err.splitlines()
    assert "regis-u is a refiner for the clips of sprites, 64x64" in line and "moviola train" in line
    assert run([*call, str(tmp_path / "set/a.mp4"), "-o", str(tmp_path / "out.mp4"), "-q"]) == 0
    clip[:2].save(tmp_path / "own.mp4")
    assert run([*call, str(tmp_path / "own.mp4"), "-o", str(tmp_path / "out.mp4")]) == 0
    assert capfd.readouterr().err == ""
