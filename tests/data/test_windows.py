"""Windows of videos without captions."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import InputError
from moviola.core.notes import Note
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.toys.sinusoid import Config
from moviola.data.windows import SinusoidWindows, VideoWindows


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
    windows, rng = SinusoidWindows(Config(size=16, frames=5)), np.random.default_rng(0)
    first, second = (windows.sample(rng)["frames"] for _ in range(2))
    assert first.shape == (5, 16, 16, 3) and not np.array_equal(first, second)


def write(place, name, fps, count):
    """Frame k begins after k / fps seconds and has that many hundredths as its value."""
    values = np.array([round(100 * k / fps) for k in range(count)], np.uint8)[:, None, None, None]
    codec.write(Video(np.broadcast_to(values, (count, 16, 16, 3)).copy(), fps), place / name)


def test_rates_and_broken_clips(tmp_path, monkeypatch):
    """Windows of one rate, at a stride; both kinds of odd clips are named."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "videos"
    place.mkdir()
    for name, fps in (("a", 10), ("b", 10), ("c", 20)):
        write(place, f"{name}.npz", fps, 2 * fps)
    (place / "d.mp4").write_bytes(b"nothing of a film")
    with pytest.warns(Note) as notes:
        windows = VideoWindows(place, 8, frames=4, stride=2)
    assert [str(one.message).split(":")[-1].strip() for one in notes] == ["d.mp4", "c.npz"]
    assert windows.fps == 5
    for i in range(30):
        values = windows.sample(np.random.default_rng(i))["frames"][:, 0, 0, 0].astype(int)
        assert (np.diff(values) == 20).all()


@pytest.mark.parametrize("name", [f"clip{i}.npz" for i in range(12)])
def test_a_single_clip_is_trained_on_whatever_its_name(tmp_path, monkeypatch, name):
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "videos").mkdir()
    write(tmp_path / "videos", name, 10, 8)
    assert len(VideoWindows(tmp_path / "videos", 8, 4, held=False)) == 1
