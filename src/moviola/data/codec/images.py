"""Reading pictures: gif, webp, png (still or animated), other stills, and folders of frames, with Pillow."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from moviola.core.atomic import reason_of
from moviola.core.errors import VideoReadError
from moviola.core.names import natural_key
from moviola.core.notes import note
from moviola.core.rates import BROADCAST
from moviola.core.times import Clock
from moviola.data.codec.animation import read_animation, repair_webp_length
from moviola.data.codec.compose import composed_frames, to_rgba
from moviola.data.codec.convert import over_white
from moviola.data.codec.formats import DEFAULT_FPS, IMAGE_SUFFIXES
from moviola.data.codec.info import Info
from moviola.data.codec.rate_file import RATE_FILE, parse_rate_file
from moviola.data.codec.timing import constant_rate, standard_rate

if TYPE_CHECKING:
    from PIL import Image

_TICKS = {".gif": Fraction(1, 100), ".webp": Fraction(1, 1000)}
# rates to believe in where rounded times leave several
_USUAL_RATES = (*map(Fraction, range(1, 121)), *BROADCAST)
_SHOWN_WHEN_ZERO = Fraction(1, 10)  # what browsers make of a delay of 0


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn Pillow's errors into VideoReadError."""
    from PIL import Image

    try:
        yield
    except (OSError, EOFError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise VideoReadError(f"{path} is not a picture that can be decoded ({reason})") from None


def to_rgb(image: Image.Image, depth: int = 8) -> np.ndarray:
    """Return a Pillow image as uint8 (H, W, 3): alpha over white, 16-bit grey rounded to 8; `depth` as in `to_rgba`.

    Raises:
        ValueError: its values are floating-point numbers, whose range is not stated.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return np.asarray(image)
    if image.mode == "F":
        raise ValueError("floating-point values without a range; save it with 8 or 16 bits a sample")
    if image.mode.startswith("I") or image.has_transparency_data:
        return over_white(to_rgba(image, depth))
    return np.asarray(image.convert("RGB"))


class PictureReader:
    """Frames of one picture file by index.

    Args:
        path: a gif, png, apng, webp or still; with `data`, only its name.
        data: the content, where it is not a file on disk.

    Raises:
        VideoReadError: no picture, or cut short.
    """

    pixel_aspect = Fraction(1)

    def __init__(self, path: Path, data: bytes | None = None) -> None:
        from PIL import Image

        self.path, self._data = path, data
        with self._open() as file, _reading(path):
            self._animation = read_animation(file, str(path))
            if self._animation.whole_end:
                file.seek(0)
                self._data = repair_webp_length(file.read())
        with self._open() as file, _reading(path), Image.open(file) as image:
            self._size, self._mode, self._format = image.size, image.mode, (image.format or "").lower()
            self._is_rotated = 5 <= image.getexif().get(0x0112, 1) <= 8
        if self._animation.parts:
            self._size = self._animation.size
        delays = self._animation.delays
        self.count = len(delays)
        if not self.count:
            raise VideoReadError(f"{path} holds no frames")
        self.fps, varies = _rate(delays, _TICKS.get(path.suffix.lower(), Fraction(1, 10**6)))
        self._durations = [delay or _SHOWN_WHEN_ZERO for delay in delays]
        self.times = tuple(accumulate(self._durations[:-1], initial=Fraction(0))) if varies else None
        for text in self._animation.notes:
            note(f"{path} {text}")

    def info(self) -> Info:
        """Describe the file."""
        width, height = self._size[::-1] if self._is_rotated else self._size
        duration = self.count / self.fps if self.times is None else sum(self._durations, Fraction(0))
        return Info(
            self.path, self.count, height, width, self.fps, float(duration), self._format, self._mode,
            False, 0, self.times is not None,
        )  # fmt: skip

    def frames(self, indices: Iterable[int]) -> Iterator[np.ndarray]:
        """Give uint8 (H, W, 3) for each of `indices`, ascending indices without repeats.

        Raises:
            VideoReadError: a frame cannot be decoded.
        """
        with _reading(self.path), self._open() as file:
            if self._animation.parts:
                yield from composed_frames(file, self._animation, indices)
            elif self.count > 1:
                yield from _seek_each(file, indices)
            else:
                yield from (_still(file, self.path, self._animation.depth) for _ in indices)

    def _open(self) -> BinaryIO:
        return io.BytesIO(self._data) if self._data is not None else self.path.open("rb")


def read_picture(path: str | Path) -> np.ndarray:
    """Return a picture, the first one of a file that holds several, as uint8 (H, W, 3).

    It is upright (EXIF), 16-bit grey is rounded to 8 bits, transparency is laid over white.

    Raises:
        VideoReadError: it is not there, no picture, or cut short.
    """
    try:
        return next(PictureReader(Path(path)).frames([0]))
    except OSError as error:
        raise VideoReadError(f"{path} cannot be read: {reason_of(error)}") from None


def _seek_each(file: BinaryIO, indices: Iterable[int]) -> Iterator[np.ndarray]:
    """Give frames of an animated webp, which libwebp composes."""
    from PIL import Image

    with Image.open(file) as image:
        for i in indices:
            image.seek(i)
            image.load()
            yield to_rgb(image)


def _still(file: BinaryIO, path: Path, depth: bytes) -> np.ndarray:
    """Decode a picture that does not move, upright."""
    from PIL import Image, ImageOps

    with Image.open(file) as image:
        try:
            image.load()
        except OSError:
            if image.format not in ("JPEG", "MPO"):
                raise
            file.seek(0)
            frame = _jpeg_without_end(file.read())
            note(f"{path} lacks its end mark; the picture is whole")
            return frame
        return to_rgb(ImageOps.exif_transpose(image), depth[0] if depth else 8)


def _jpeg_without_end(data: bytes) -> np.ndarray:
    """Decode a jpeg that ends without its end mark, if all of its picture is there.

    libjpeg makes up what is missing. So other bytes are put behind the data: a whole picture does not change by them.

    Raises:
        OSError: part of the picture is missing.
    """
    from PIL import Image, ImageOps

    pictures = []
    for more in (b"", b"\x5a" * 256):
        with Image.open(io.BytesIO(data.rstrip(b"\xff") + more + b"\xff\xd9")) as image:
            pictures.append(to_rgb(ImageOps.exif_transpose(image)))
    if not np.array_equal(*pictures):
        raise OSError("it is cut short; copy or make it again")
    return pictures[0]


def _rate(delays: list[Fraction], tick: Fraction) -> tuple[Fraction, bool]:
    """Return the rate behind frame durations in seconds, and whether it varies."""
    if len(delays) == 1:
        return (1 / delays[0] if delays[0] else DEFAULT_FPS), False
    durations = [d or _SHOWN_WHEN_ZERO for d in delays]
    if len(set(durations)) == 1:
        return standard_rate(1 / durations[0]), False
    # how long the last frame is held says nothing of the rate
    times = np.array([0, *(int(t / tick) for t in accumulate(durations[:-1]))], np.int64)
    rate = constant_rate(times, tick, _USUAL_RATES)
    return (rate, False) if rate else (len(durations) / sum(durations, Fraction(0)), True)


class FolderReader:
    """Frames of a folder of pictures, in natural order of their names (2 before 10).

    Args:
        path: the folder; `frames.json` in it may state rate, times and pixel aspect, else the rate is 25.

    Raises:
        VideoReadError: no pictures in it, or a rate that is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            names = [p for p in path.iterdir() if _is_frame(p)]
        except OSError as error:
            raise VideoReadError(f"{path} cannot be read: {error.strerror}") from None
        if not names:
            raise VideoReadError(f"{path} holds no frames ({' '.join(IMAGE_SUFFIXES)})")
        self._files = sorted(names, key=lambda file: natural_key(file.name))
        clock, self.pixel_aspect = _folder_clock(path, len(names))
        self.count, self.fps, self.times = clock.count, clock.fps, clock.times

    def info(self) -> Info:
        """Describe the folder by its first picture."""
        first = PictureReader(self._files[0]).info()
        return Info(
            self.path, self.count, first.height, first.width, self.fps, float(self.count / self.fps), first.codec,
            first.pixel_format, False, 0, self.times is not None, self.pixel_aspect,
        )  # fmt: skip

    def frames(self, indices: Iterable[int]) -> Iterator[np.ndarray]:
        """Give uint8 (H, W, 3) for each of `indices`.

        Raises:
            VideoReadError: a picture cannot be decoded, or has another size than the one before.
        """
        shape = None
        for i in indices:
            frame = next(PictureReader(self._files[i]).frames([0]))
            if shape is not None and frame.shape != shape:
                raise VideoReadError(
                    f"{self._files[i]} is {frame.shape[0]}x{frame.shape[1]} among frames of {shape[0]}x{shape[1]}; "
                    "the frames of a folder need one size"
                )
            shape = frame.shape
            yield frame


def _is_frame(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _folder_clock(path: Path, count: int) -> tuple[Clock, Fraction]:
    rate_file = path / RATE_FILE
    if not rate_file.exists():
        return Clock(count, DEFAULT_FPS), Fraction(1)
    try:
        return parse_rate_file(rate_file.read_bytes(), count)
    except (OSError, ValueError) as error:
        raise VideoReadError(f"{rate_file} {error}") from None
