"""Reading npz archives: frames uint8 (T, H, W, 3), fps as text, and what else there is of audio,
audio_rate, times (seconds) and pixel_aspect.

Frames are unpacked from the archive one by one, so memory does not grow with the length.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np

from moviola.core.errors import InputError, VideoReadError
from moviola.core.rates import as_aspect, as_rate
from moviola.core.times import as_times, mean_rate
from moviola.core.video import Audio
from moviola.data.codec.formats import DEFAULT_FPS
from moviola.data.codec.info import Info


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, InputError) as error:
        raise VideoReadError(
            f"{path} is not an npz with frames uint8 (T, H, W, 3) and fps ({str(error) or type(error).__name__})"
        ) from None


class ArrayReader:
    """Frames of one npz by index.

    Args:
        path: the archive; nothing in it is unpickled.

    Raises:
        VideoReadError: no npz, cut short, or without frames of that form.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _reading(path), zipfile.ZipFile(path) as archive:
            with archive.open("frames.npy") as file:
                shape = _header(file)
            names = set(archive.namelist())
            self.fps = as_rate(str(_array(archive, "fps.npy").item())) if "fps.npy" in names else DEFAULT_FPS
            self.has_audio = {"audio.npy", "audio_rate.npy"} <= names
            self.count, self._shape = shape[0], shape[1:]
            self.times, self.pixel_aspect = None, Fraction(1)
            if "times.npy" in names:
                self.times = as_times(_array(archive, "times.npy").astype(np.float64).tolist(), self.count)
                self.fps = mean_rate(self.times, self.fps)
            if "pixel_aspect.npy" in names:
                self.pixel_aspect = as_aspect(str(_array(archive, "pixel_aspect.npy").item()))

    def info(self) -> Info:
        """Describe the archive."""
        height, width = self._shape[:2]
        return Info(
            self.path, self.count, height, width, self.fps, float(self.count / self.fps), "npz", "rgb24",
            self.has_audio, 0, self.times is not None, self.pixel_aspect,
        )  # fmt: skip

    def frames(self, indices: Iterable[int]) -> Iterator[np.ndarray]:
        """Give uint8 (H, W, 3) for each of `indices`, ascending indices without repeats.

        Raises:
            VideoReadError: the archive is damaged.
        """
        size, at = int(np.prod(self._shape)), 0
        with _reading(self.path), zipfile.ZipFile(self.path) as archive, archive.open("frames.npy") as file:
            _header(file)
            for i in indices:
                for _ in range(i - at):
                    _exactly(file, size)
                at = i + 1
                yield np.frombuffer(_exactly(file, size), np.uint8).reshape(self._shape)

    def audio(self) -> Audio | None:
        """Return all of the sound, None where there is none."""
        if not self.has_audio:
            return None
        with _reading(self.path), zipfile.ZipFile(self.path) as archive:
            return Audio(_array(archive, "audio.npy"), int(_array(archive, "audio_rate.npy").item()))


def _header(file: IO[bytes]) -> tuple[int, ...]:
    """Read the header of frames.npy and return its shape."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or 0 in shape or fortran:
        raise ValueError(f"its frames are {dtype} {shape}")
    return shape


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError("it is cut short")
    return data


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(name) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
