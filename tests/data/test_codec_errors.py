"""Bad input, bad output places, full disks and ctrl-C: one line that helps, and nothing half-written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moviola.core import atomic
from moviola.core.errors import (
    ConfigError,
    FormatError,
    InputError,
    OutputError,
    UnknownNameError,
    VideoReadError,
)
from moviola.core.video import Audio, Video
from moviola.data import codec

FORMATS = [".mp4", ".mov", ".mkv", ".webm", ".gif", ".webp", ".png", ".npz", ".tif"]


def clip(frames: int = 30, height: int = 48, width: int = 64) -> Video:
    return Video(np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8), 25)


def only(folder: Path, *names: str) -> bool:
    """Whether the folder holds these entries and nothing else, hidden ones included."""
    return sorted(p.name for p in folder.iterdir()) == sorted(names)


def one_line(error: pytest.ExceptionInfo[InputError], *words: object) -> bool:
    text = str(error.value)
    return "\n" not in text and error.value.exit_code == 2 and all(str(word) in text for word in words)


@pytest.mark.parametrize(
    "call", [codec.read, codec.probe, codec.stream, lambda p: codec.read_frames_at(p, [0])]
)
def test_every_way_of_reading_says_what_is_wrong(tmp_path, call: Callable):
    with pytest.raises(VideoReadError) as error:
        call(tmp_path / "missing.mp4")
    assert one_line(error, "no such file", "missing.mp4")
    (tmp_path / "a.txt").write_text("words")
    with pytest.raises(FormatError) as error:
        call(tmp_path / "a.txt")
    assert one_line(error, ".txt", ".mp4", ".gif", ".npz")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(VideoReadError) as error:
        call(tmp_path / "empty.mp4")
    assert one_line(error, "empty.mp4", "0 bytes")
    (tmp_path / "folder").mkdir()
    with pytest.raises(VideoReadError) as error:
        call(tmp_path / "folder")
    assert one_line(error, "folder", "no frames")


@pytest.mark.parametrize("suffix", [*codec.VIDEO_SUFFIXES, *codec.IMAGE_SUFFIXES])
@pytest.mark.parametrize(
    "content", [b"just some words\n" * 99, b"\0" * 999, b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n"]
)
def test_other_things_under_a_video_name(tmp_path, suffix, content):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(VideoReadError) as error:
        codec.read(path)
    assert one_line(error, path)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.97])
def test_cut_short(tmp_path, suffix, part):
    frames = 1 if suffix == ".tif" else 30
    path = codec.write(clip(frames), tmp_path / f"a{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(VideoReadError) as error:
        codec.read(path)
    assert one_line(error, path)
    with pytest.raises(VideoReadError):
        Video.concat(list(codec.stream(path)))


def test_damaged_in_the_middle(tmp_path):
    for suffix in (".png", ".npz"):
        path = codec.write(clip(), tmp_path / f"a{suffix}")
        data = bytearray(path.read_bytes())
        data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
        path.write_bytes(data)
        with pytest.raises(VideoReadError) as error:
            codec.read(path)
        assert one_line(error, path)


def test_sound_without_pictures(tmp_path):
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 44100
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(VideoReadError) as error:
        codec.read(tmp_path / "a.mp4")
    assert one_line(error, "no video stream")


def test_frame_folders_with_faults(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "0.png")
    Image.new("RGB", (6, 4)).save(tmp_path / "1.png")
    with pytest.raises(VideoReadError) as error:
        codec.read(tmp_path)
    assert one_line(error, "1.png", "4x6", "4x4", "one size")
    (tmp_path / "frames.json").write_text('{"fps": "fast"}')
    with pytest.raises(InputError) as error:
        codec.probe(tmp_path)
    assert one_line(error, "frame", "24000/1001")


@pytest.mark.parametrize(
    "arrays",
    [{"video": np.zeros(3)}, {"frames": np.zeros((2, 4, 4, 3))}, {"frames": np.array([{}], dtype=object)},
     {"frames": np.zeros((2, 4, 4, 3), np.uint8), "fps": np.array("fast")}],
)  # fmt: skip
def test_other_npz(tmp_path, arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(VideoReadError) as error:
        codec.read(tmp_path / "a.npz")
    assert one_line(error, "a.npz", "frames uint8")


def test_nothing_is_unpickled(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, archive.open("fps.npy", "w") as file:
        np.lib.format.write_array(file, np.array([Fraction(25)], dtype=object), allow_pickle=True)
    with pytest.raises(VideoReadError):
        codec.read(tmp_path / "a.npz")


def test_more_than_memory(tmp_path, monkeypatch):
    path = codec.write(clip(), tmp_path / "a.mp4")

    def empty(*_args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(np, "empty", empty)
    with pytest.raises(InputError) as error:
        codec.read(path)
    assert one_line(error, path, "GB", "stream")


@pytest.mark.parametrize(
    ("name", "options", "kind", "words"),
    [
        ("a.avi", {}, FormatError, ".webm"),
        ("a", {}, FormatError, "(none)"),
        ("a.mp4", {"crf": 52}, ConfigError, "0 to 51"),
        ("a.mp4", {"crf": -1}, ConfigError, "0 to 51"),
        ("a.gif", {"crf": 10}, ConfigError, "no crf"),
        ("a.mp4", {"pix_fmt": "yuv42p"}, UnknownNameError, "yuv420p"),
        ("a.mp4", {"preset": "medum"}, UnknownNameError, "medium"),
        ("a.mp4", {"qualty": 3}, UnknownNameError, "write option"),
        ("a.gif", {"lossless": True}, FormatError, ".png"),
        ("a.mp4", {"lossless": True, "pix_fmt": "yuv444p"}, ConfigError, "pix_fmt"),
        ("a.jpg", {}, FormatError, "one frame"),
        ("missing/a.mp4", {}, OutputError, "does not exist"),
        ("file/a.mp4", {}, OutputError, "is not a folder"),
        ("file/", {}, OutputError, "a file of that name"),
        ("folder.mp4/", {}, OutputError, "notes.txt"),
    ],
)
def test_what_cannot_be_written(tmp_path, name, options, kind, words):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "folder.mp4" / "notes.txt").write_text("kept")
    with pytest.raises(kind) as error:
        codec.write(clip(3), f"{tmp_path}/{name}", **options)
    assert one_line(error, words)
    assert only(tmp_path, "file", "folder.mp4")
    assert only(tmp_path / "folder.mp4", "notes.txt")


def test_odd_sizes_are_never_resized(tmp_path):
    with pytest.raises(FormatError) as error:
        codec.write(clip(2, 33, 47), tmp_path / "a.mp4", pix_fmt="yuv420p")
    assert one_line(error, "47x33", "even", "yuv444p")
    assert only(tmp_path)


def test_gif_is_no_faster_than_browsers_play(tmp_path):
    with pytest.raises(FormatError) as error:
        codec.write(clip(3).with_fps(60), tmp_path / "a.gif")
    assert one_line(error, "50 frames a second", ".webp")


@pytest.mark.parametrize(
    ("suffix", "fps", "words"),
    [
        (".mkv", 2000, ("at most 1000", ".mp4")),
        (".webm", Fraction(1_000_001, 1000), ("at most 1000", ".mp4")),
        (".webp", 2000, ("at most 1000", ".png")),
        (".png", 100_000, ("at most 65535", ".mp4")),
        (".gif", Fraction(1, 1000), ("at least 0.00153", ".webp")),
        (".webp", Fraction(1, 20_000), ("at least", ".mp4")),
    ],
)
def test_rates_that_a_format_cannot_hold(tmp_path, suffix, fps, words):
    """Matroska and webp count milliseconds; an apng has fractions of 16 bits, a gif hundredths in 16 bits."""
    with pytest.raises(FormatError) as error:
        codec.write(clip(3).with_fps(fps), tmp_path / f"a{suffix}")
    assert one_line(error, *words)
    assert only(tmp_path)


@pytest.mark.parametrize(
    ("suffix", "fps"),
    [
        (".mkv", 1000),
        (".webm", 999),
        (".webp", 1000),
        (".gif", 50),
        (".png", 65535),
        (".webp", Fraction(1, 9000)),
    ],
)
def test_the_largest_rates_come_back(tmp_path, suffix, fps):
    info = codec.probe(codec.write(clip(30).with_fps(fps), tmp_path / f"a{suffix}"))
    assert (info.fps, info.frames, info.variable_rate) == (fps, 30, False)


def test_a_rate_of_television_in_an_apng(tmp_path):
    """1001/120000 does not go into 16 bits; the nearest fraction means it."""
    fps = Fraction(120_000, 1001)
    assert codec.probe(codec.write(clip(30).with_fps(fps), tmp_path / "a.png")).fps == fps


def test_size_and_sound_must_stay(tmp_path):
    with (
        pytest.raises(FormatError, match="64x32 follows frames of 64x48"),
        codec.Writer(tmp_path / "a.mp4", 25) as out,
    ):
        out.write(clip(3))
        out.write(clip(3, 32))
    sounds = [Audio(np.zeros((4800, 1), np.float32), rate) for rate in (48000, 44100)]
    with pytest.raises(FormatError, match="44100 Hz"), codec.Writer(tmp_path / "a.mp4", 25) as out:
        for sound in sounds:
            out.write(Video(clip(3).frames, 25, sound))
    with pytest.raises(OutputError, match="no frame"), codec.Writer(tmp_path / "a.mp4", 25):
        pass
    with pytest.raises(OutputError, match="with block"):
        codec.Writer(tmp_path / "a.mp4", 25).write(clip(1))
    assert only(tmp_path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".webp", ".npz", "/"])
def test_an_interrupted_run_leaves_what_was_there(tmp_path, suffix, error):
    path = codec.write(clip(3), f"{tmp_path}/a{suffix}")
    before = codec.read(path).frames
    with pytest.raises(error), codec.Writer(f"{tmp_path}/a{suffix}", 25) as out:
        out.write(clip(40))
        raise error
    assert (codec.read(path).frames == before).all()
    assert only(tmp_path, path.name)


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".webp", ".png", ".npz", "/"])
def test_a_full_disk_leaves_what_was_there(tmp_path, suffix):
    """A process that may write files of at most 60 kB meets a real error of the file system in the middle."""
    code = """if True:
        import resource, signal, sys
        import numpy as np
        from moviola.core.errors import OutputError
        from moviola.core.video import Video
        from moviola.data import codec
        noise = np.random.default_rng(0).integers(0, 256, (30, 160, 160, 3), dtype=np.uint8)
        codec.write(Video(noise[:1, :8, :8], 25), sys.argv[1])
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60000, resource.RLIM_INFINITY))
        try:
            codec.write(Video(noise, 25), sys.argv[1])
        except OutputError as error:
            print(error)
    """
    target = f"{tmp_path}/a{suffix}"
    done = subprocess.run([sys.executable, "-c", code, target], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"cannot write {Path(target)}: ")
    assert done.stdout.count("\n") == 1
    assert only(tmp_path, Path(target).name)
    assert codec.read(target).frames.shape == (1, 8, 8, 3)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_an_error_at_the_last_step(tmp_path, monkeypatch, step, code):
    path = codec.write(clip(3), tmp_path / "a.mp4")
    before = path.read_bytes()

    def fail(*_args: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(atomic.os, step, fail)
    with pytest.raises(OutputError) as error:
        codec.write(clip(5), path)
    assert one_line(error, path, "read-only" if code == errno.EROFS else "disk is full")
    assert path.read_bytes() == before
    assert only(tmp_path, "a.mp4")


def test_a_folder_swap_that_fails_puts_the_old_one_back(tmp_path, monkeypatch):
    path = codec.write(clip(3), f"{tmp_path}/a/")
    plain = os.rename

    def fail_once(source: Path, target: Path) -> None:
        if source.name.endswith(".part"):
            raise OSError(errno.ENOSPC, "full")
        plain(source, target)

    monkeypatch.setattr(atomic.os, "rename", fail_once)
    with pytest.raises(OutputError, match="disk is full"):
        codec.write(clip(5), path)
    assert len(codec.read(path)) == 3
    assert only(tmp_path, "a")


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    codec.write(clip(3), tmp_path / "real" / "a.mp4")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "real" / "a.mp4")
    codec.write(clip(5), tmp_path / "link.mp4")
    assert (tmp_path / "link.mp4").is_symlink()
    assert codec.probe(tmp_path / "real" / "a.mp4").frames == 5


@pytest.mark.parametrize(
    "name", ["concat:a.mp4", "pipe:1.mp4", "a%03d.png", "a b \u00e9.webm", "x" * 245 + ".mp4"]
)
def test_odd_names_are_names(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    codec.write(clip(3), name)
    assert len(codec.read(name)) == 3
    assert only(tmp_path, name)


def test_names_no_file_can_have(tmp_path):
    with pytest.raises(OutputError) as error:
        codec.write(clip(3), tmp_path / ("x" * 300 + ".mp4"))
    assert one_line(error, "name too long")
    with pytest.raises(VideoReadError) as read_error:
        codec.read(tmp_path / ("x" * 300 + ".mp4"))
    assert one_line(read_error, "no such file")
