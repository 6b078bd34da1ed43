"""Windows of videos without captions."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import InputError
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.toys.sinusoid import Config
from moviola.data.windows import DrawnWindows, VideoWindows


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Videos of 5, 9 and 12 frames whose frame k has the value 20 k."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "videos"
    place.mkdir()
    for frames in (5, 9, 12):
        values = (20 * np.arange(frames, dtype=np.uint8))[:, None, None, None]
        codec.write(Video(np.broadcast_to(values, (frames, 16, 16, 3)).copy(), 8), place / f"{frames}.npz")
    return place


def test_frames_at_a_stride(folder):
    """Consecutive with the stride, from every start that fits, of every clip that is long enough."""
    windows = VideoWindows(folder, 8, frames=4, stride=2)
    assert len(windows) == 2
    rng, starts = np.random.default_rng(0), set()
    for _ in range(100):
        frames = windows.sample(rng)["frames"]
        assert frames.shape == (4, 8, 8, 3)
        values = frames[:, 0, 0, 0].astype(int) // 20
        assert (np.diff(values) == 2).all()
        starts.add(int(values[0]))
    assert starts == set(range(6))


def test_too_short(folder):
    """How many frames are needed, and how many there are."""
    with pytest.raises(
        InputError, match=r"no video of 13 frames, which 5 frames at a stride of 3 need; .*12 at most"
    ):
        VideoWindows(folder, 8, frames=5, stride=3)


def test_drawn(tmp_path):
    """Toy clips of the window's length, another each time."""
    windows, rng = DrawnWindows(Config(size=16, frames=5)), np.random.default_rng(0)
    first, second = (windows.sample(rng)["frames"] for _ in range(2))
    assert first.shape == (5, 16, 16, 3) and not np.array_equal(first, second)
