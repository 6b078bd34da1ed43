"""The layouts a data set can have, and the clips in them: video files, frame folders, strips.

A clip knows where its bytes are (a `Store`) and reads any of its frames; nothing is decoded before it is asked for.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, get_args

from moviola.core.errors import FormatError, InputError, VideoReadError
from moviola.core.times import Clock, Times
from moviola.data.codec.rate_file import RATE_FILE, parse_rate_file
from moviola.data.stores import Store

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from moviola.core.video import Video

Layout = Literal["videos", "frames", "strips"]
LAYOUTS: tuple[str, ...] = get_args(Layout)
_PEEK_FOLDERS, _PEEK_FILES = 8, 3


@dataclass(frozen=True)
class ClipInfo:
    """What a clip is, without its pixels: frames, height and width in px, rate in Hz; times where the rate varies."""

    frames: int
    height: int
    width: int
    fps: Fraction
    times: Times | None = None
    pixel_aspect: Fraction = Fraction(1)

    @property
    def clock(self) -> Clock:
        """When each frame is shown."""
        return Clock(self.frames, self.fps, self.times)

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return float(self.frames / self.fps)


@dataclass(frozen=True)
class StoredClip(ABC):
    """One clip of a data set.

    Args:
        store: where its files are.
        name: its name in the store; unique in a source.
        label: its class, or None.
        fps: the rate given to clips that have none of their own, Hz.
    """

    store: Store
    name: str
    label: str | None
    fps: Fraction

    @abstractmethod
    def info(self) -> ClipInfo:
        """Return size, length and rate; decodes as little as it can."""

    @abstractmethod
    def read(self, indices: Sequence[int] | None = None) -> Video:
        """Return the frames `indices` (in that order; None: all). `VideoReadError` when they cannot be decoded."""

    @abstractmethod
    def files(self) -> Sequence[str]:
        """Return the names of the files it is made of."""

    def stream(self, batch: int = 16) -> Iterator[Video]:
        """Yield the clip in pieces of at most `batch` frames; memory does not grow with its length."""
        total = self.info().frames
        for start in range(0, total, batch):
            yield self.read(range(start, min(start + batch, total)))

    @property
    def extent(self) -> str:
        """Which part of its files it is, "" for all of them; two clips of the same files differ in it."""
        return ""

    @property
    def where(self) -> str:
        """How to tell a person about this clip."""
        return self.store.where(self.name)

    def _checked(self, indices: Sequence[int] | None, total: int) -> list[int]:
        numbers = list(range(total)) if indices is None else [int(i) for i in indices]
        if not numbers:
            raise InputError(f"{self.where}: no frames asked for")
        if min(numbers) < 0 or max(numbers) >= total:
            raise InputError(
                f"{self.where}: frames {min(numbers)} to {max(numbers)} asked for, it has {total}"
            )
        return numbers


@dataclass(frozen=True)
class VideoClip(StoredClip):
    """A video file; in a zip, a temporary copy while it is being decoded."""

    def info(self) -> ClipInfo:
        """See `StoredClip`."""
        from moviola.data import codec

        with self._local_file() as path:
            info = codec.probe(path)
            clock = codec.read_clock(path)
        return ClipInfo(info.frames, info.height, info.width, clock.fps, clock.times, info.pixel_aspect)

    def read(self, indices: Sequence[int] | None = None) -> Video:
        """See `StoredClip`."""
        from moviola.core.video import Video
        from moviola.data import codec

        with self._local_file() as path:
            if indices is None:
                return codec.read(path)
            numbers = [int(i) for i in indices]
            frames, info = codec.read_frames_at(path, numbers), codec.probe(path)
            clock = codec.read_clock(path).pick(numbers)
            return Video(frames, clock.fps, None, clock.times, info.pixel_aspect)

    def files(self) -> Sequence[str]:
        """See `StoredClip`."""
        return (self.name,)

    def stream(self, batch: int = 16) -> Iterator[Video]:
        """See `StoredClip`."""
        from moviola.data import codec

        with self._local_file() as path:
            yield from codec.stream(path, batch=batch)

    @contextmanager
    def _local_file(self) -> Iterator[str]:
        with self.store.as_file(self.name) as path:
            try:
                yield str(path)
            except InputError as error:  # a member of a zip is named by the zip, not by its temporary copy
                raise type(error)(str(error).replace(str(path), self.where)) from error


@dataclass(frozen=True)
class FramesClip(StoredClip):
    """A folder of numbered images of one size; `frames.json` among them may state their rate."""

    images: tuple[str, ...] = ()
    rate_file: str = ""

    def info(self) -> ClipInfo:
        """See `StoredClip`."""
        with open_image(self.store, self.images[0]) as first:
            is_rotated = 5 <= first.getexif().get(0x0112, 1) <= 8
            width, height = (first.height, first.width) if is_rotated else first.size
        clock, aspect = self._clock()
        return ClipInfo(clock.count, height, width, clock.fps, clock.times, aspect)

    def read(self, indices: Sequence[int] | None = None) -> Video:
        """See `StoredClip`."""
        import numpy as np

        from moviola.core.video import Video

        numbers = self._checked(indices, len(self.images))
        decoded = {i: image_array(self.store, self.images[i]) for i in sorted(set(numbers))}
        frames = [decoded[i] for i in numbers]
        for i, frame in zip(numbers, frames, strict=True):
            if frame.shape != frames[0].shape:
                raise VideoReadError(
                    f"{self.store.where(self.images[i])} is {frame.shape[1]}x{frame.shape[0]} among frames of "
                    f"{frames[0].shape[1]}x{frames[0].shape[0]}; one clip has one size"
                )
        full_clock, aspect = self._clock()
        clock = full_clock.pick(numbers)
        return Video(np.stack(frames), clock.fps, None, clock.times, aspect)

    def files(self) -> Sequence[str]:
        """See `StoredClip`."""
        return (*self.images, self.rate_file) if self.rate_file else self.images

    def _clock(self) -> tuple[Clock, Fraction]:
        if not self.rate_file:
            return Clock(len(self.images), self.fps), Fraction(1)
        try:
            return parse_rate_file(self.store.read_bytes(self.rate_file), len(self.images))
        except ValueError as error:
            raise VideoReadError(f"{self.store.where(self.rate_file)} {error}") from None


@dataclass(frozen=True)
class StripClip(StoredClip):
    """One image of N square frames in a row (the layout of MoCoGAN's data)."""

    def info(self) -> ClipInfo:
        """See `StoredClip`."""
        with open_image(self.store, self.name) as image:
            if not is_strip(image.width, image.height):
                raise VideoReadError(
                    f"{self.where} is {image.width}x{image.height}: not a strip of square frames side by side"
                )
            return ClipInfo(image.width // image.height, image.height, image.height, self.fps)

    def read(self, indices: Sequence[int] | None = None) -> Video:
        """See `StoredClip`."""
        import numpy as np

        from moviola.core.video import Video

        numbers = self._checked(indices, self.info().frames)
        strip = image_array(self.store, self.name)
        side = strip.shape[0]
        frames = strip.reshape(side, -1, side, 3).transpose(1, 0, 2, 3)
        return Video(np.ascontiguousarray(frames[numbers]), fps=self.fps)

    def stream(self, batch: int = 16) -> Iterator[Video]:
        """See `StoredClip`: a strip is decoded whole, once."""
        video = self.read()
        for start in range(0, len(video), batch):
            yield video[start : start + batch]

    def files(self) -> Sequence[str]:
        """See `StoredClip`."""
        return (self.name,)


def is_strip(width: int, height: int) -> bool:
    """Return whether an image of this size (px) is two or more squares in a row."""
    return height > 0 and width >= 2 * height and width % height == 0


@contextmanager
def open_image(store: Store, name: str) -> Iterator[Image]:
    """Open an image of a store; its pixels are decoded only when used.

    Raises:
        VideoReadError: it is missing, no image, damaged or absurdly large; the message names it.
    """
    from PIL import Image, UnidentifiedImageError

    from moviola.data.codec.animation import repair_webp_length

    try:
        with Image.open(io.BytesIO(repair_webp_length(store.read_bytes(name)))) as image:
            yield image
    except UnidentifiedImageError:
        raise VideoReadError(f"{store.where(name)} is not an image that can be read") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise VideoReadError(f"{store.where(name)} cannot be decoded: {error}") from None


def image_array(store: Store, name: str) -> np.ndarray:
    """Return an image as uint8 (H, W, 3), upright; grey is repeated, transparency is laid over white.

    Raises:
        VideoReadError: it cannot be decoded.
    """
    from moviola.data.codec.images import PictureReader

    return next(PictureReader(Path(store.where(name)), store.read_bytes(name)).frames([0]))


def detect(store: Store) -> Layout:
    """Return the layout of a store.

    Any video file: `videos`. Else images, a few of each folder being looked at: `videos` when they are animated,
    `strips` when they are two or more squares in a row, otherwise `frames`.

    Raises:
        FormatError: there is neither video nor image.
    """
    videos, images, _ = _by_kind(store)
    if videos:
        return "videos"
    if not images:
        raise FormatError(
            f"{store.root} holds no videos and no images; a data set is videos, folders of frames, strips, "
            "a zip of these, or a list file"
        )
    headers = _peek(store, images)
    if _all_move(headers):
        return "videos"
    return "strips" if headers and all(is_strip(width, height) for width, height, _ in headers) else "frames"


def find_clips(store: Store, layout: Layout, fps: Fraction) -> tuple[list[StoredClip], list[tuple[str, str]]]:
    """List the clips of a store, without opening them.

    Args:
        store: the files.
        layout: how to read them.
        fps: the rate of clips that have none of their own, Hz.

    Returns:
        The clips in natural order, and (name, reason) of each file that is left out.
    """
    videos, images, others = _by_kind(store)
    rates = {name for name in others if name.rpartition("/")[2] == RATE_FILE}
    skipped = [(name, "neither video nor image") for name in others if name not in rates]
    clips: list[StoredClip]
    if layout == "videos":
        if not videos and _all_move(_peek(store, images)):
            videos, images = images, []
        clips = [VideoClip(store, name, label_of(name), fps) for name in videos]
        skipped += [(name, "an image in a set of videos") for name in images]
    elif layout == "strips":
        clips = [StripClip(store, name, label_of(name), fps) for name in images]
        skipped += [(name, "a video in a set of strips") for name in videos]
    else:
        folders = _folders(images)
        loose = folders.pop("", []) if len(folders) > 1 else []
        clips = [_frames_clip(store, name, frames, rates, fps) for name, frames in folders.items()]
        skipped += [(name, "an image beside frame folders") for name in loose]
        skipped += [(name, "a video in a set of frame folders") for name in videos]
    if not clips:
        raise FormatError(f"{store.root} has no clips in layout {layout!r}")
    return clips, skipped


def label_of(name: str) -> str | None:
    """Return the first folder of a clip's name, or None for a clip that lies in none."""
    parts = PurePosixPath(name).parts
    return parts[0] if len(parts) > 1 else None


def suffix_of(name: str) -> str:
    """Return the suffix in small letters, with its dot."""
    return PurePosixPath(name).suffix.lower()


def _by_kind(store: Store) -> tuple[list[str], list[str], list[str]]:
    from moviola.data.codec.formats import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    videos, images, others = [], [], []
    for name in store.names():
        suffix = suffix_of(name)
        if suffix in IMAGE_SUFFIXES:
            images.append(name)
        elif suffix in VIDEO_SUFFIXES:
            videos.append(name)
        elif name.rpartition("/")[2] == RATE_FILE or not _accompanies(name):
            others.append(name)
    return videos, images, others


def _frames_clip(
    store: Store, folder: str, frames: Sequence[str], rates: set[str], fps: Fraction
) -> FramesClip:
    rate = f"{folder}/{RATE_FILE}" if folder else RATE_FILE
    name = folder or store.root.stem
    return FramesClip(store, name, label_of(folder), fps, tuple(frames), rate if rate in rates else "")


def _accompanies(name: str) -> bool:
    """Return whether a file goes with a data set without being part of it: captions, notes, licences."""
    last = PurePosixPath(name)
    return last.suffix.lower() in {".csv", ".jsonl", ".json", ".md", ".txt"} or any(
        word in last.name.upper() for word in ("README", "LICENSE", "COPYING", "NOTICE")
    )


def _folders(images: Sequence[str]) -> dict[str, list[str]]:
    folders: dict[str, list[str]] = {}
    for name in images:
        folders.setdefault(name.rpartition("/")[0], []).append(name)
    return folders


def _all_move(headers: Sequence[tuple[int, int, bool]]) -> bool:
    return bool(headers) and all(animated for _, _, animated in headers)


def _peek(store: Store, images: Sequence[str]) -> list[tuple[int, int, bool]]:
    """Return width, height and whether it moves of some images; those that cannot be read are passed over."""
    folders = list(_folders(images).values())
    step = max(1, len(folders) // _PEEK_FOLDERS)
    headers = []
    for folder in folders[::step][:_PEEK_FOLDERS]:
        for name in folder[:_PEEK_FILES]:
            try:
                with open_image(store, name) as image:
                    headers.append((*image.size, bool(getattr(image, "is_animated", False))))
            except VideoReadError:
                continue
    return headers
