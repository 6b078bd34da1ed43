"""The decoded cache: what it holds, when it is built anew, and that two builders do not disturb each other."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import moviola.data.cache as cache_module
from moviola.core import atomic
from moviola.core.errors import ConfigError, InputError, OutputError, VideoReadError
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.cache import CacheConfig, cache_key, open_cached
from moviola.data.sources import open_source


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three clips of 12x8 px and 5, 6 and 7 frames, the second captioned."""
    folder = tmp_path / "set"
    folder.mkdir()
    for k in range(3):
        write(folder / f"{k}.npz", k, 5 + k)
    (folder / "captions.csv").write_text("file,caption\n1.npz,one\n")
    return folder


def write(path: Path, seed: int, frames: int, height: int = 8, width: int = 12) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    codec.write(Video(pixels, fps="30000/1001"), path)


def opened(data: Path, ticks: list | None = None, **settings):
    """Open the cache in a folder beside the data; `ticks` grows by one a decoded clip."""
    ticks = [] if ticks is None else ticks
    config = CacheConfig.make(settings)
    return open_cached(open_source(data), config, root=data.parent / "cache", tick=ticks.append)


def left_over(data: Path) -> list[str]:
    return [path.name for path in (data.parent / "cache").iterdir() if path.name.startswith(".")]


def test_it_holds_what_the_source_holds(data):
    source, cached = open_source(data), opened(data)
    assert cached.names == source.names and len(cached) == 3
    assert [item.caption for item in cached] == [None, "one", None]
    assert cached[2].info == source.info(2) and cached[2].info.fps == Fraction(30000, 1001)
    for index in range(3):
        np.testing.assert_array_equal(cached.read(index).frames, source.read(index).frames)
        np.testing.assert_array_equal(cached.read(index, [4, 1]).frames, source.read(index, [4, 1]).frames)
    assert cached.nbytes == (5 + 6 + 7) * 8 * 12 * 3 == (cached.path / "frames.u8").stat().st_size
    with pytest.raises(InputError, match=r"1.npz: frames \[6\] asked for, it has 6"):
        cached.read(1, [6])


def test_frames_are_mapped_not_read(data):
    frames = opened(data).frames(0)
    assert isinstance(frames.base.base if frames.base is not None else None, np.memmap | np.ndarray)
    assert not frames.flags.writeable


def test_clips_are_cut_to_shape_and_resized(data):
    source = open_source(data)
    middle = source.read(0).crop(0, 2, 8, 8)
    np.testing.assert_array_equal(opened(data, height=4, width=4).read(0).frames, middle.resize(4, 4).frames)
    whole = source.read(0).resize(4, 4).frames
    np.testing.assert_array_equal(opened(data, height=4, fit="stretch").read(0).frames, whole)
    assert opened(data, height=8, width=2).read(0).frames.shape == (5, 8, 2, 3)
    np.testing.assert_array_equal(opened(data, max_frames=2).read(1).frames, source.read(1, [0, 1]).frames)


def test_it_is_built_once_for_each_content_and_setting(data):
    ticks: list = []
    first = opened(data, ticks)
    assert opened(data, ticks).path == first.path and len(ticks) == 3
    assert opened(data, ticks, height=4).path != first.path and len(ticks) == 6
    write(data / "1.npz", 9, 6)
    changed = opened(data, ticks)
    assert changed.path != first.path and len(ticks) == 9
    assert (changed.read(1).frames != first.read(1).frames).any()


def test_captions_are_not_part_of_the_content(data):
    first = opened(data)
    (data / "captions.csv").write_text("file,caption\n2.npz,two\n")
    ticks: list = []
    assert opened(data, ticks)[2].caption == "two" and opened(data).path == first.path and ticks == []


@pytest.mark.parametrize(
    "damage", ["no index", "cut index", "other format", "short frames", "no frames", "empty"]
)
def test_a_damaged_cache_is_built_anew(data, damage):
    folder = opened(data).path
    index = json.loads((folder / "index.json").read_text())
    if damage in ("no index", "empty"):
        (folder / "index.json").unlink()
    if damage in ("no frames", "empty"):
        (folder / "frames.u8").unlink()
    if damage == "cut index":
        (folder / "index.json").write_text(json.dumps(index)[:-9])
    if damage == "other format":
        (folder / "index.json").write_text(json.dumps({**index, "format": 0}))
    if damage == "short frames":
        os.truncate(folder / "frames.u8", 100)
    ticks: list = []
    again = opened(data, ticks)
    assert len(ticks) == 3 and again.path == folder and left_over(data) == []
    np.testing.assert_array_equal(again.read(2).frames, open_source(data).read(2).frames)


def test_a_broken_clip_stops_it_or_is_left_out(data):
    (data / "1.npz").write_bytes(b"no archive")
    with pytest.raises(VideoReadError, match=r"1.npz"):
        opened(data)
    assert list((data.parent / "cache").iterdir()) == []
    cached = opened(data, skip_broken=True)
    assert cached.names == ["0.npz", "2.npz"] and cached.skipped[0][0] == "1.npz"
    np.testing.assert_array_equal(cached.read(1).frames, open_source(data).read(2).frames)
    for k in (0, 2):
        (data / f"{k}.npz").write_bytes(b"no archive")
    with pytest.raises(VideoReadError, match="no clip can be decoded; the first: "):
        opened(data, skip_broken=True)


def test_nothing_is_left_after_an_interruption(data):
    def stop(n: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_cached(open_source(data), root=data.parent / "cache", tick=stop)
    assert list((data.parent / "cache").iterdir()) == []


def test_two_builders_at_once_end_with_one_cache(data, monkeypatch):
    """While the first is about to rename, a second builds and renames the same."""
    rename, others = cache_module.into_place, []

    def late(beside, folder, index):
        if not others:
            others.append(None)
            others[0] = opened(data)
        return rename(beside, folder, index)

    monkeypatch.setattr(cache_module, "into_place", late)
    first = opened(data)
    assert first.path == others[0].path and left_over(data) == []
    np.testing.assert_array_equal(first.read(2).frames, open_source(data).read(2).frames)


def test_processes_that_build_at_once(data):
    script = (
        "import sys; from moviola.data.cache import *; from moviola.data.sources import open_source\n"
        "c = open_cached(open_source(sys.argv[1]), CacheConfig(height=4), root=sys.argv[2])\n"
        "print(c.path.name, sum(int(c.frames(i).sum()) for i in range(len(c))))"
    )
    command = [sys.executable, "-c", script, str(data), str(data.parent / "cache")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0] and len(answers) == 1
    assert left_over(data) == [] and len(list((data.parent / "cache").iterdir())) == 1


def test_it_travels_to_other_processes(data):
    cached = opened(data)
    frames = cached.read(0).frames
    again = pickle.loads(pickle.dumps(cached))
    np.testing.assert_array_equal(again.read(0).frames, frames)


def test_the_folder_is_named_by_the_environment(data, monkeypatch, tmp_path):
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "mine"))
    source = open_source(data)
    assert open_cached(source).path == tmp_path / "mine/clips" / cache_key(source, CacheConfig())


def test_a_place_that_cannot_be_written_is_named(data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"the cache .*file/sub cannot be written"):
        open_cached(open_source(data), root=tmp_path / "file/sub")


def test_a_full_disk_is_said_and_leaves_nothing(data, monkeypatch):
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OutputError, match=r"the disk is full.*MOVIOLA_CACHE"):
        opened(data)
    assert list((data.parent / "cache").iterdir()) == []


def test_settings_out_of_range():
    with pytest.raises(ConfigError, match="CacheConfig: height"):
        CacheConfig.make({"height": 0})
    assert CacheConfig(width=7).size == (7, 7) and CacheConfig().size is None


def test_times_of_a_variable_rate(data):
    """Kept over pieces of 16 frames, and of clips that are cut short."""
    times = [Fraction(i, 10) if i < 20 else 2 + Fraction(i - 20, 40) for i in range(40)]
    frames = np.random.default_rng(0).integers(0, 256, (40, 8, 12, 3), dtype=np.uint8)
    video = Video(frames, Fraction(40, 3), None, times)
    codec.write(video, data / "9.mkv", lossless=True)
    cache = opened(data)
    place = cache.names.index("9.mkv")
    assert cache.info(place).clock == open_source(data).info(place).clock == video.clock
    assert cache.read(place, range(10, 30)).clock == video[10:30].clock
    assert cache.read(place, [3, 3, 1]).times is None
    assert cache.info(0).times is None and cache.info(0).fps == Fraction(30000, 1001)
    assert opened(data, max_frames=21).info(place).clock == video[:21].clock
