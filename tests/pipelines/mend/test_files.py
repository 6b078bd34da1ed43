"""From file to file: streaming is the same as the whole, sound and rate stay, nothing is left half."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from moviola.core.video import Audio, Video
from moviola.data import codec
from moviola.pipelines.mend import mend, mend_file
from moviola.pipelines.mend import run as running

pytest.importorskip("cv2")
pytest.importorskip("scipy")

_spec = importlib.util.spec_from_file_location("mend_damage", Path(__file__).with_name("damage.py"))
assert _spec and _spec.loader
damage = importlib.util.module_from_spec(_spec)
sys.modules["mend_damage"] = damage
_spec.loader.exec_module(damage)


@pytest.fixture
def broken(tmp_path) -> Path:
    """A clip with every fault but drift, without loss, with sound."""
    frames = damage.lit(damage.flickering(damage.pieced(damage.clip(), 20), 0.05), 0.05)
    sound = Audio(np.sin(np.arange(12800) / 9).astype(np.float32)[:, None], 8000)
    return Video(frames, 25, sound).save(tmp_path / "in.mkv", lossless=True)


def test_streaming_is_the_whole(broken, tmp_path):
    """A file mended in pieces holds the frames of the clip mended in memory; sound and rate are the input's."""
    done = mend_file(broken, tmp_path / "out.mkv", lossless=True)
    out = codec.read(done.output, audio=True)
    whole = mend(codec.read(broken))
    assert done.how == "mended" and not done.faults.clean
    assert np.array_equal(out.frames, whole.frames)
    assert out.fps == 25 and out.audio is not None and out.audio.rate == 8000


def test_blocks_are_the_whole(monkeypatch):
    """Curves worked out in small blocks are those of one block."""
    from moviola.pipelines.mend import find

    video = damage.video(damage.flickering(damage.clip(), 0.1))
    whole = mend(video).frames
    monkeypatch.setattr(find, "_BLOCK", 7)
    assert np.array_equal(mend(video).frames, whole)


def test_a_clean_file_is_copied(tmp_path):
    """Byte for byte where the format is the same; else encoded once, frames unchanged."""
    path = damage.video(damage.clip()).save(tmp_path / "in.mkv", lossless=True)
    same, other = mend_file(path, tmp_path / "out.mkv"), mend_file(path, tmp_path / "out.npz")
    assert (same.how, other.how) == ("copied", "encoded")
    assert Path(same.output).read_bytes() == path.read_bytes()
    assert np.array_equal(codec.read(other.output).frames, codec.read(path).frames)


def test_a_run_that_ends_early_leaves_nothing(broken, tmp_path, monkeypatch):
    """Ctrl-C in the second pass: no file, no hidden one."""

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(running.Footage, "frames", _stopping(running.Footage.frames, interrupt))
    with pytest.raises(KeyboardInterrupt):
        mend_file(broken, tmp_path / "out.mkv")
    assert [p.name for p in tmp_path.iterdir()] == ["in.mkv"]


def _stopping(frames, interrupt):
    """`Footage.frames` that is interrupted at frame 10 of the second pass."""
    passes = []

    def watched(self):
        passes.append(1)
        for t, frame in enumerate(frames(self)):
            if len(passes) == 2 and t == 10:
                interrupt()
            yield frame

    return watched
