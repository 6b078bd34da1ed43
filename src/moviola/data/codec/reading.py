"""Reading videos: whole, in part, by index, or as a stream; every format goes through the same four functions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from moviola.core.errors import ConfigError, InputError, VideoReadError
from moviola.core.resample import resize_frames
from moviola.core.times import Clock
from moviola.core.video import Audio, Video
from moviola.data.codec.arrays import ArrayReader
from moviola.data.codec.container import ContainerReader
from moviola.data.codec.formats import read_kind
from moviola.data.codec.images import FolderReader, PictureReader
from moviola.data.codec.info import Info
from moviola.data.codec.sound import SoundReader

PathLike = str | os.PathLike[str]


class Reader(Protocol):
    """What every kind of file offers: how many frames, how fast, and the frames by ascending index."""

    path: Path
    count: int
    fps: Fraction

    @property
    def times(self) -> tuple[Fraction, ...] | None:
        """When each frame is shown, seconds after the first (`count` values); None where `fps` says it."""
        ...

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel over its height as shown; 1 where square or not stated."""
        ...

    def info(self) -> Info:
        """Describe the file."""
        ...

    def frames(self, wanted: Iterable[int]) -> Iterator[np.ndarray]:
        """Give uint8 (H, W, 3) for each of `wanted`, ascending indices without repeats."""
        ...


def open_reader(path: PathLike) -> Reader:
    """Return the reader for `path`.

    Raises:
        VideoReadError: missing, empty, damaged or no video. FormatError: an unknown extension.
    """
    where, kind = read_kind(path)
    readers = {
        "container": ContainerReader,
        "image": PictureReader,
        "npz": ArrayReader,
        "folder": FolderReader,
    }
    return readers[kind](where)


def probe(path: PathLike) -> Info:
    """Describe a video file, a picture, an npz or a folder of frames without reading all of it.

    Raises:
        VideoReadError: missing, empty, cut short, damaged or no video. FormatError: an unknown extension.
    """
    return open_reader(path).info()


def read_times(path: PathLike) -> tuple[Fraction, ...] | None:
    """Return when each frame is shown, in seconds after the first; None where the rate is constant.

    Where `probe(path).variable_rate` is true there are as many values as frames, strictly ascending, the first 0.

    Raises:
        as `probe`.
    """
    return open_reader(path).times


def read_clock(path: PathLike) -> Clock:
    """Return when each frame is shown and when the last one ends.

    Raises:
        as `probe`.
    """
    return _clock(open_reader(path))


def _clock(reader: Reader) -> Clock:
    return Clock(reader.count, reader.fps, reader.times)


def read(
    path: PathLike,
    start: int | None = None,
    stop: int | None = None,
    stride: int = 1,
    audio: bool = False,
    size: tuple[int, int] | None = None,
) -> Video:
    """Read a video into memory; frames `start:stop:stride` as Python slices them.

    Args:
        path: a video file, picture, npz, or folder of frames.
        start: first frame; negative counts from the end; None for the first.
        stop: frame to stop before; negative counts from the end; None for the end.
        stride: take every `stride`-th frame, at least 1; the rate is divided by it (where it varies, each frame keeps
            its time), so the speed stays.
        audio: keep the sound of that span.
        size: (height, width) to resize each frame to (lanczos, antialiased); None for as stored.

    Returns:
        the Video; alpha lies over white, turned pictures are upright, deeper samples are rounded to 8 bits.

    Raises:
        VideoReadError: missing, empty, cut short, damaged or no video. FormatError: an unknown extension.
        InputError: no frame in that span, or it does not fit into memory.
    """
    reader = open_reader(path)
    wanted = _span(reader, start, stop, stride)
    frames = _gather(reader, wanted, size)
    clock, sound = _clock(reader).part(wanted), _sound(reader, wanted) if audio else None
    return Video(frames, clock.fps, sound, clock.times, _aspect(reader, frames))


def read_frames_at(path: PathLike, indices: Sequence[int] | np.ndarray) -> np.ndarray:
    """Read frames by index, in the order given; equal to `read(path).frames[indices]`.

    Args:
        path: as for `read`.
        indices: frame numbers, repeats allowed, negative ones from the end.

    Returns:
        uint8 (len(indices), H, W, 3).

    Raises:
        InputError: no index, or one outside the video. VideoReadError, FormatError: as `read`.
    """
    reader = open_reader(path)
    asked = [int(i) for i in indices]
    bad = next((i for i in asked if not -reader.count <= i < reader.count), None)
    if bad is not None or not asked:
        what = "no frame asked for" if not asked else f"no frame {bad}"
        raise InputError(f"{reader.path}: {what}; it has {reader.count} frames, 0 to {reader.count - 1}")
    places = [i % reader.count for i in asked]
    wanted = sorted(set(places))
    found = _gather(reader, wanted, None)
    return found if wanted == places else found[np.searchsorted(wanted, places)]


def stream(
    path: PathLike,
    batch: int = 16,
    start: int | None = None,
    stop: int | None = None,
    stride: int = 1,
    audio: bool = False,
    size: tuple[int, int] | None = None,
) -> Iterator[Video]:
    """Read a video piece by piece; memory holds one piece, whatever the length.

    Args:
        path, start, stop, stride, audio, size: as for `read`.
        batch: frames in a piece, at least 1; the last piece may have fewer.

    Returns:
        an iterator of Videos that follow each other. Errors of the arguments come at the call, not at the first piece.

    Raises:
        as `read`; ConfigError: a batch below 1.
    """
    if batch < 1:
        raise ConfigError(f"a batch is at least 1 frame, got {batch}")
    reader = open_reader(path)
    return _pieces(reader, _span(reader, start, stop, stride), batch, audio, size)


def _pieces(
    reader: Reader, wanted: range, batch: int, audio: bool, size: tuple[int, int] | None
) -> Iterator[Video]:
    sound = _sound_reader(reader, wanted) if audio else None
    frames, whole = reader.frames(wanted), _clock(reader)
    for at in range(0, len(wanted), batch):
        part = wanted[at : at + batch]
        chunk, clock = _stack(reader.path, frames, len(part), size), whole.part(part)
        heard = sound.take(whole.at(part[0]) + clock.length) if sound else None
        yield Video(chunk, clock.fps, heard, clock.times, _aspect(reader, chunk))


def _aspect(reader: Reader, frames: np.ndarray) -> Fraction:
    """Return the pixel aspect of frames as they were resized: of oblong pixels, so that the picture keeps its shape."""
    aspect = reader.pixel_aspect
    if aspect == 1:
        return aspect
    info = reader.info()
    return aspect * Fraction(info.width * frames.shape[1], frames.shape[2] * info.height)


def _span(reader: Reader, start: int | None, stop: int | None, stride: int) -> range:
    """Return the frame numbers of a slice."""
    if stride < 1:
        raise ConfigError(f"a stride is at least 1, got {stride}")
    wanted = range(reader.count)[start:stop:stride]
    if not wanted:
        raise InputError(f"{reader.path}: no frame from {start} to {stop}; it has {reader.count} frames")
    return wanted


def _gather(reader: Reader, wanted: Sequence[int], size: tuple[int, int] | None) -> np.ndarray:
    return _stack(reader.path, reader.frames(wanted), len(wanted), size)


def _stack(path: Path, frames: Iterator[np.ndarray], count: int, size: tuple[int, int] | None) -> np.ndarray:
    """Put the next `count` frames into one array uint8 (count, H, W, 3)."""
    out: np.ndarray | None = None
    done = 0
    for frame in frames:
        if size is not None:
            frame = resize_frames(frame[None], *size)[0]
        if out is None:
            out = _room(path, (count, *frame.shape))
        if frame.shape != out.shape[1:]:
            raise VideoReadError(f"{path}: the size of its frames changes at frame {done}")
        out[done] = frame
        done += 1
        if done == count:
            return out
    if out is None:
        raise VideoReadError(f"{path}: no frame could be decoded")
    return out[:done]


def _room(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return np.empty(shape, np.uint8)
    except MemoryError:
        gigabytes = int(np.prod(shape, dtype=np.float64)) / 1e9
        raise InputError(
            f"{path}: {shape[0]} frames of {shape[1]}x{shape[2]} need {gigabytes:.0f} GB of memory; "
            "read a part, ask for a smaller size, or use stream"
        ) from None


def _sound(reader: Reader, wanted: range) -> Audio | None:
    source = _sound_reader(reader, wanted)
    clock = _clock(reader)
    return source.take(clock.at(wanted[0]) + clock.part(wanted).length) if source else None


class _Held:
    """Sound that is in memory already, taken forward in pieces."""

    def __init__(self, audio: Audio, start: Fraction) -> None:
        self._audio, self._at = audio, start

    def take(self, stop: Fraction) -> Audio | None:
        begin, self._at = self._at, stop
        return self._audio.cut(begin, stop)


def _sound_reader(reader: Reader, wanted: range) -> SoundReader | _Held | None:
    start = _clock(reader).at(wanted[0])
    if isinstance(reader, ContainerReader) and reader.index.has_audio:
        return SoundReader(reader.path, reader.index.origin, start)
    if isinstance(reader, ArrayReader) and (whole := reader.audio()):
        return _Held(whole, start)
    return None
