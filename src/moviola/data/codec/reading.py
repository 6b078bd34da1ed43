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

    def frames(self, indices: Iterable[int]) -> Iterator[np.ndarray]:
        """Give uint8 (H, W, 3) for each of `indices`, ascending indices without repeats."""
        ...


def open_reader(path: PathLike) -> Reader:
    """Return the reader for `path`.

    Raises:
        VideoReadError: missing, empty, damaged or no video. FormatError: an unknown extension.
    """
    file, kind = read_kind(path)
    readers = {
        "container": ContainerReader,
        "image": PictureReader,
        "npz": ArrayReader,
        "folder": FolderReader,
    }
    return readers[kind](file)


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
    indices = _span(reader, start, stop, stride)
    frames = _gather(reader, indices, size)
    clock, sound = _clock(reader).part(indices), _sound(reader, indices) if audio else None
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
    requested = [int(i) for i in indices]
    missing = next((i for i in requested if not -reader.count <= i < reader.count), None)
    if missing is not None or not requested:
        problem = "no frame asked for" if not requested else f"no frame {missing}"
        raise InputError(f"{reader.path}: {problem}; it has {reader.count} frames, 0 to {reader.count - 1}")
    positions = [i % reader.count for i in requested]
    ascending = sorted(set(positions))
    frames = _gather(reader, ascending, None)
    return frames if ascending == positions else frames[np.searchsorted(ascending, positions)]


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
    reader: Reader, indices: range, batch: int, audio: bool, size: tuple[int, int] | None
) -> Iterator[Video]:
    sound = _sound_reader(reader, indices) if audio else None
    frames, full_clock = reader.frames(indices), _clock(reader)
    for at in range(0, len(indices), batch):
        part = indices[at : at + batch]
        chunk, clock = _stack(reader.path, frames, len(part), size), full_clock.part(part)
        audio_piece = sound.take(full_clock.at(part[0]) + clock.length) if sound else None
        yield Video(chunk, clock.fps, audio_piece, clock.times, _aspect(reader, chunk))


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
    indices = range(reader.count)[start:stop:stride]
    if not indices:
        raise InputError(f"{reader.path}: no frame from {start} to {stop}; it has {reader.count} frames")
    return indices


def _gather(reader: Reader, indices: Sequence[int], size: tuple[int, int] | None) -> np.ndarray:
    return _stack(reader.path, reader.frames(indices), len(indices), size)


def _stack(path: Path, frames: Iterator[np.ndarray], count: int, size: tuple[int, int] | None) -> np.ndarray:
    """Put the next `count` frames into one array uint8 (count, H, W, 3)."""
    out: np.ndarray | None = None
    count_read = 0
    for frame in frames:
        if size is not None:
            frame = resize_frames(frame[None], *size)[0]
        if out is None:
            out = _room(path, (count, *frame.shape))
        if frame.shape != out.shape[1:]:
            raise VideoReadError(f"{path}: the size of its frames changes at frame {count_read}")
        out[count_read] = frame
        count_read += 1
        if count_read == count:
            return out
    if out is None:
        raise VideoReadError(f"{path}: no frame could be decoded")
    return out[:count_read]


def _room(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return np.empty(shape, np.uint8)
    except MemoryError:
        gigabytes = int(np.prod(shape, dtype=np.float64)) / 1e9
        raise InputError(
            f"{path}: {shape[0]} frames of {shape[1]}x{shape[2]} need {gigabytes:.0f} GB of memory; "
            "read a part, ask for a smaller size, or use stream"
        ) from None


def _sound(reader: Reader, indices: range) -> Audio | None:
    source = _sound_reader(reader, indices)
    clock = _clock(reader)
    return source.take(clock.at(indices[0]) + clock.part(indices).length) if source else None


class _AudioInMemory:
    """Sound that is in memory already, taken forward in pieces."""

    def __init__(self, audio: Audio, start: Fraction) -> None:
        self._audio, self._at = audio, start

    def take(self, stop: Fraction) -> Audio | None:
        begin, self._at = self._at, stop
        return self._audio.cut(begin, stop)


def _sound_reader(reader: Reader, indices: range) -> SoundReader | _AudioInMemory | None:
    start = _clock(reader).at(indices[0])
    if isinstance(reader, ContainerReader) and reader.index.has_audio:
        return SoundReader(reader.path, reader.index.origin, start)
    if isinstance(reader, ArrayReader) and (audio := reader.audio()):
        return _AudioInMemory(audio, start)
    return None
