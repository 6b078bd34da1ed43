"""Whole clips and intervals by number: which files become clips, which frames they hold, what is noted."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest

from moviola.core.errors import ConfigError, InputError
from moviola.core.notes import Note
from moviola.core.seeds import numpy_generator
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.toys import sinusoid
from moviola.data.whole_clips import DRAW_BITS, RandomNumbers, SinusoidTable, WholeClips


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a clip whose frame k has the value first + k everywhere, `write("a.npz", 12)`; knows the folder."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "clips"
    folder.mkdir()

    def make(name: str, frames: int, fps: float = 10, first: int = 0, size: int = 8) -> None:
        values = np.arange(first, first + frames, dtype=np.uint8)[:, None, None, None]
        (folder / name).parent.mkdir(exist_ok=True)
        codec.write(Video(np.broadcast_to(values, (frames, size, size, 3)).copy(), fps), folder / name)

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
    options += [{"interval": 7}, {"interval": 6}, {"interval": 7, "limit": 3}, {"interval": 7, "hold_out": 2}]
    texts = [
        WholeClips(write.folder, **{"height": 8, "width": 8, "frames": 5, **one}).fingerprint()
        for one in options
    ]
    assert len(set(texts)) == len(options)
    assert texts[0] == WholeClips(write.folder, 8, 8, 5).fingerprint()
    toy = sinusoid.Config(size=16, frames=4)
    assert SinusoidTable(2, toy).fingerprint() != SinusoidTable(2, toy, seed=1).fingerprint()


# -- intervals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["folder", "file", "list"])
def test_intervals_of_a_long_file(write, form):
    """Clip i begins at frame 10 i, whatever the data is given as; beyond its end its own last frame stays."""
    write("jelly.npz", 49)
    (write.folder / "list.txt").write_text("jelly.npz\n")
    path = write.folder / {"folder": "", "file": "jelly.npz", "list": "list.txt"}[form]
    with warnings.catch_warnings():
        warnings.simplefilter("error", Note)
        clips = WholeClips(path, 8, 8, 5, 2, interval=10)
    assert clips.captions == ("jelly @0", "jelly @10", "jelly @20", "jelly @30", "jelly @40")
    assert clips.fps == pytest.approx(5)
    for i in range(5):
        assert values(clips.read(i)) == [10 * i + 2 * j for j in range(5)]
        assert values(clips.source(i)) == list(range(10 * i, 10 * i + 9))
    assert values(clips.read(3, np.array([-1, 0.5, 3.5, 9.0]))) == [30, 31, 37, 38]
    both = clips.gather([4, 1], np.array([[0, 1], [3, 2]]))
    assert both[..., 0, 0, 0].tolist() == [[40, 42], [16, 14]]


def test_intervals_that_overlap(write):
    """Where the interval is shorter than a clip."""
    write("a.npz", 12)
    with pytest.warns(
        Note, match=r"^1 of 12 frames are left out, at the end of a\.npz: too few for a clip of 5$"
    ):
        clips = WholeClips(write.folder, 8, 8, 5, interval=3)
    assert [values(clips.read(i))[0] for i in range(len(clips))] == [0, 3, 6]


def test_ends_of_files_are_noted_once(write):
    """With the files whose end is left out; files too short for any clip are told of apart."""
    for name, frames in (("a.npz", 47), ("b.npz", 39), ("c.npz", 8), ("d.npz", 21)):
        write(name, frames)
    with pytest.warns(Note) as noted:
        clips = WholeClips(write.folder, 8, 8, 9, interval=10)
    assert [str(one.message) for one in noted] == [
        "1 of 4 videos have fewer than 9 frames and are left out: c.npz",
        "8 of 115 frames are left out, at the end of a.npz, d.npz: too few for a clip of 9",
    ]
    assert clips.captions == tuple(
        f"{name} @{start}"
        for name, count in (("a", 4), ("b", 4), ("d", 2))
        for start in range(0, 10 * count, 10)
    )
    some = WholeClips(write.folder, 8, 8, 9, interval=10, limit=5)
    assert some.captions == clips.captions[:5]


def test_names_of_intervals(write):
    """Captions of the files where there are some, with the file's name where two have the same."""
    for name in ("a.npz", "b.npz", "c.npz"):
        write(name, 10)
    paths = write.folder / "list.txt"
    paths.write_text("a.npz\t\ta jelly\nb.npz\t\ta jelly\nc.npz\t\ta shark\n")
    clips = WholeClips(paths, 8, 8, 5, interval=5)
    assert clips.captions == (
        "a jelly (a) @0", "a jelly (a) @5", "a jelly (b) @0", "a jelly (b) @5", "a shark @0", "a shark @5",
    )  # fmt: skip


@pytest.mark.parametrize(("interval", "stride"), [(1, 1), (2, 2), (4, 1), (5, 2)])
def test_no_frame_of_a_held_out_interval_is_trained_on(write, interval, stride):
    """Of pixels: no value that a held-out clip can show, also between its frames, is in a clip to train on."""
    write("a.npz", 120)
    write("b.npz", 120, first=120)
    options = {"interval": interval, "hold_out": 12}
    with pytest.warns(Note) as noted:
        trained = WholeClips(write.folder, 8, 8, 5, stride, **options)
    held = WholeClips(write.folder, 8, 8, 5, stride, held=True, **options)
    total = len(WholeClips(write.folder, 8, 8, 5, stride, interval=interval))
    moments = np.arange(4 * stride + 1) / stride
    seen = {v for k in range(len(held)) for v in values(held.read(k, moments))}
    learnt = {v for k in range(len(trained)) for v in values(trained.read(k, moments))}
    assert len(held) == total // 12 and len(trained) > 0
    assert not seen & learnt
    dropped = total - len(held) - len(trained)
    span = 4 * stride + 1
    assert dropped > 0
    assert (
        f"{dropped} of {total} clips share frames with the {len(held)} held out and are not trained on; "
        f"none would at data.interval={span}"
    ) in [str(one.message) for one in noted]


def test_nothing_is_lost_to_intervals_side_by_side(write):
    """At the interval that the note names, all other clips are trained on."""
    write("a.npz", 45)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Note)
        trained = WholeClips(write.folder, 8, 8, 5, 2, interval=9, hold_out=2)
        held = WholeClips(write.folder, 8, 8, 5, 2, interval=9, hold_out=2, held=True)
    assert trained.captions == ("a @0", "a @18", "a @36") and held.captions == ("a @9", "a @27")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"interval": -1}, "data.interval is -1; it is a number of frames"),
        ({"interval": 4, "loop": True}, "data.interval cuts long files and data.loop repeats short ones"),
        ({"interval": 4, "frames": 13}, "has no clip of 13 frames, which .* need; its 1 videos have 12"),
        ({"interval": 1, "hold_out": 2}, "leaves none to train on; 4 share frames with those, none would at"),
        ({"interval": 4, "hold_out": 9, "held": True}, "has 2 clips; to hold out one in 9 holds out none"),
    ],
)  # fmt: skip
def test_intervals_that_cannot_be(write, settings, words):
    """One line each that says what would be right."""
    write("a.npz", 12)
    with pytest.raises((ConfigError, InputError), match=words) as raised:
        WholeClips(write.folder, 8, 8, **{"frames": 5, **settings})
    assert "\n" not in str(raised.value)


def test_a_clip_of_a_long_file_is_read_alone(write):
    """Of three megabytes of frames, the 60 kilobytes of the clip come into memory."""
    write("long.npz", 250, size=64)
    clips = WholeClips(write.folder, 64, 64, 5, interval=5)
    tracemalloc.start()
    try:
        clip = clips.read(30)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert values(clip) == [150, 151, 152, 153, 154]
    assert clip.nbytes == 5 * 64 * 64 * 3 and peak < 5 * clip.nbytes


def test_the_toy():
    """Its own frames, and a caption for each."""
    config = sinusoid.Config(size=16, frames=4)
    clips = SinusoidTable(3, config)
    assert len(set(clips.captions)) == 3
    for k in range(3):
        assert np.array_equal(clips.read(k), sinusoid.make(k, 0, config).video.frames)


def test_draws_are_whole_numbers():
    """Uniform below 2^53: exact, whatever the device holds."""
    draws = [RandomNumbers().sample(numpy_generator(0, k))["draw"] for k in range(500)]
    assert all(d.dtype == np.int64 and 0 <= d < 2**DRAW_BITS for d in draws)
    assert abs(np.mean(draws) / 2**DRAW_BITS - 0.5) < 0.07
