"""Whole clips by number: which files become clips, which frames they hold, what is noted."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from moviola.core.errors import InputError
from moviola.core.notes import Note
from moviola.core.seeds import numpy_generator
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.toys import sinusoid
from moviola.data.whole_clips import DRAW_BITS, DrawnTable, Draws, WholeClips


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a clip whose frame k has the value k everywhere, `write("a.npz", 12)`; returns the folder."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "clips"
    folder.mkdir()

    def make(name: str, frames: int, fps: float = 10) -> None:
        values = np.arange(frames, dtype=np.uint8)[:, None, None, None]
        (folder / name).parent.mkdir(exist_ok=True)
        codec.write(Video(np.broadcast_to(values, (frames, 8, 8, 3)).copy(), fps), folder / name)

    make.folder = folder
    return make


def values(clip: np.ndarray) -> list[int]:
    """The frames' values."""
    return clip[:, 0, 0, 0].tolist()


def test_frames_by_number(write):
    """Every second frame; numbers between samples read the frames between; beyond the end the last one stays."""
    write("a.npz", 12)
    clips = WholeClips(write.folder, 8, 8, 5, 2)
    assert (len(clips), clips.captions, clips.fps) == (1, ("a",), 5.0)
    assert values(clips.read(0)) == [0, 2, 4, 6, 8]
    assert values(clips.read(0, np.array([0.5, 1.0, 4.5, 9.0]))) == [1, 2, 9, 11]
    both = clips.gather([0, 0], np.array([[0, 1], [3, 2]]))
    assert both.shape == (2, 2, 8, 8, 3) and both[..., 0, 0, 0].tolist() == [[0, 2], [6, 4]]


def test_short_clips_are_named(write):
    """And left out; without the others the line says how many frames are needed, and how many there are."""
    for name, frames in (("a.npz", 9), ("b.npz", 8), ("c.npz", 20)):
        write(name, frames)
    with pytest.warns(Note, match=r"1 of 3 clips have fewer than 9 frames and are left out: b\.npz"):
        clips = WholeClips(write.folder, 8, 8, 5, 2)
    assert clips.captions == ("a", "c")
    with pytest.raises(
        InputError, match="no clip of 21 frames, which 21 frames at a stride of 1 need"
    ) as raised:
        WholeClips(write.folder, 8, 8, 21)
    assert "its 3 clips have 20 at most" in str(raised.value) and "\n" not in str(raised.value)


def test_clips_held_out(write):
    """The last of every so many; together they are all clips. A set too small to split says so."""
    for name in "abcde":
        write(f"{name}.npz", 6)
    trained = WholeClips(write.folder, 8, 8, 5, hold_out=2)
    held = WholeClips(write.folder, 8, 8, 5, hold_out=2, held=True)
    assert trained.captions == ("a", "c", "e") and held.captions == ("b", "d")
    with pytest.raises(InputError, match="has 5 clips; to hold out one in 9 holds out none"):
        WholeClips(write.folder, 8, 8, 5, hold_out=9, held=True)
    with pytest.raises(InputError, match="to hold out one in 1 leaves none to train on"):
        WholeClips(write.folder, 8, 8, 5, hold_out=1)


def test_loops(write):
    """A file that is too short begins again; a still is left out."""
    write("a.npz", 3)
    write("still.npz", 1)
    with pytest.warns(Note, match=r"still\.npz"):
        clips = WholeClips(write.folder, 8, 8, 5, loop=True)
    assert values(clips.read(0)) == [0, 1, 2, 0, 1]


def test_broken_clips_are_named(write):
    """Those that cannot be decoded."""
    write("a.npz", 5)
    (write.folder / "b.npz").write_bytes(b"no video")
    with pytest.warns(Note, match=r"1 clips cannot be decoded and are left out: b\.npz"):
        assert len(WholeClips(write.folder, 8, 8, 5)) == 1


def test_names(write):
    """Stems; with folders where two are alike."""
    for name in ("left/000.npz", "right/000.npz", "right/001.npz"):
        write(name, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Note)
        clips = WholeClips(write.folder, 8, 8, 5)
    assert clips.captions == ("left/000", "right/000", "001")
    assert WholeClips(write.folder, 8, 8, 5, limit=2).captions == ("left/000", "right/000")


def test_list_files(write):
    """Paths line by line, captions behind them; a missing one is met with its line."""
    write("a.npz", 5)
    paths = write.folder / "list.txt"
    paths.write_text("a.npz\t\ta grey clip\n")
    assert WholeClips(paths, 8, 8, 5).captions == ("a grey clip",)
    paths.write_text("# two\na.npz\nb.npz\n")
    with pytest.raises(InputError, match=r"list\.txt line 3: no such file: b\.npz"):
        WholeClips(paths, 8, 8, 5)


def test_fingerprints_tell_frames_apart(write):
    """What changes the pixels changes the text."""
    for name in ("a.npz", "b.npz"):
        write(name, 12)
    options = [{}, {"stride": 2}, {"loop": True}, {"limit": 1}, {"height": 4}, {"frames": 4}]
    texts = [
        WholeClips(write.folder, **{"height": 8, "width": 8, "frames": 5, **one}).fingerprint()
        for one in options
    ]
    assert len(set(texts)) == len(options)
    assert texts[0] == WholeClips(write.folder, 8, 8, 5).fingerprint()
    toy = sinusoid.Config(size=16, frames=4)
    assert DrawnTable(2, toy).fingerprint() != DrawnTable(2, toy, seed=1).fingerprint()


def test_the_toy():
    """Its own frames, and a caption for each."""
    config = sinusoid.Config(size=16, frames=4)
    clips = DrawnTable(3, config)
    assert len(set(clips.captions)) == 3
    for k in range(3):
        assert np.array_equal(clips.read(k), sinusoid.make(k, 0, config).video.frames)


def test_draws_are_whole_numbers():
    """Uniform below 2^53: exact, whatever the device holds."""
    draws = [Draws().sample(numpy_generator(0, k))["draw"] for k in range(500)]
    assert all(d.dtype == np.int64 and 0 <= d < 2**DRAW_BITS for d in draws)
    assert abs(np.mean(draws) / 2**DRAW_BITS - 0.5) < 0.07
