"""Masks of a video: how much of each pixel is meant, read from a grey video, a folder of frames or one picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from moviola.core.contents import contents
from moviola.core.errors import InputError
from moviola.core.luma import luma_levels
from moviola.core.video import Video
from moviola.data import codec

BLACK, WHITE = 8, 247
"""Levels up to which a mask is black, and from which it is white: lossy codecs leave that much beside them."""
_SHARES = np.clip((np.arange(256, dtype=np.float32) - BLACK) / (WHITE - BLACK), 0, 1)


def to_share(picture: np.ndarray, invert: bool = False) -> np.ndarray:
    """Return what a picture says as a mask, float32 (H, W), 0 (black) to 1 (white).

    Colours count by their luma (BT.601). Between the levels `BLACK` and `WHITE` the share rises in a line.

    Args:
        picture: uint8 (H, W, 3) or (H, W).
        invert: black is meant.
    """
    levels = luma_levels(picture) if picture.ndim == 3 else picture
    return (1 - _SHARES if invert else _SHARES)[levels]


@dataclass(frozen=True)
class Piece:
    """Masks of some frames that follow each other.

    Attributes:
        start, stop: frames [start, stop).
        path: a video file or a folder with as many frames; or one picture for all of them.
    """

    start: int
    stop: int
    path: Path

    @cached_property
    def is_still(self) -> bool:
        """Whether it is one picture for all frames."""
        return self.path.is_file() and codec.probe(self.path).frames == 1

    @cached_property
    def _picture(self) -> np.ndarray:
        return codec.read_picture(self.path) if _is_picture(self.path) else codec.read(self.path).frames[0]

    def span(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Give the pictures of frames `start` to `stop` - 1 of the video, uint8 (H, W, 3)."""
        if self.is_still:
            yield from (self._picture for _ in range(start, stop))
            return
        for piece in codec.stream(self.path, 1, start - self.start, stop - self.start):
            yield piece.frames[0]


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in codec.IMAGE_SUFFIXES


@dataclass(frozen=True)
class Masks:
    """The masks of all frames of a video, decoded as they are asked for; memory is that of a frame.

    Attributes:
        pieces: where they are, in order, from frame 0 to the last.
        invert: black is meant.
        rows, columns: what is left of each.
    """

    pieces: tuple[Piece, ...]
    invert: bool = False
    rows: slice = field(default_factory=lambda: slice(None))
    columns: slice = field(default_factory=lambda: slice(None))

    def at(self, index: int) -> np.ndarray:
        """Return the mask of a frame, float32 (H, W), 0 to 1."""
        return next(self.span(index, index + 1))

    def span(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Give the masks of frames `start` to `stop` - 1, float32 (H, W), 0 to 1."""
        for piece in self.pieces:
            first, last = max(start, piece.start), min(stop, piece.stop)
            if first < last:
                for picture in piece.span(first, last):
                    share = to_share(picture, self.invert)
                    yield np.ascontiguousarray(share[self.rows, self.columns])

    def frames(self) -> Iterator[np.ndarray]:
        """Give the masks of all frames."""
        return self.span(self.pieces[0].start, self.pieces[-1].stop)

    def cropped(self, rows: slice, columns: slice) -> Masks:
        """Return these masks of a part of each frame."""
        return replace(self, rows=rows, columns=columns)

    @property
    def mark(self) -> list[object]:
        """What tells these masks from others: contents and settings, as JSON holds them."""
        places = [[piece.start, piece.stop, contents(piece.path)] for piece in self.pieces]
        crop = [[part.start, part.stop] for part in (self.rows, self.columns)]
        return [places, self.invert, crop]


def open_masks(
    path: Path, count: int, size: tuple[int, int], name: str = "the video", *, invert: bool = False
) -> Masks:
    """Return the masks of a video.

    Args:
        path: a grey video file or a folder of frames, as long as the video, or one picture for all frames. White is
            meant; colours count by their luma, transparency lies over white.
        count: frames of the video. size: height and width of its frames, px.
        name: what to call it in error lines.
        invert: black is meant.

    Raises:
        InputError: another number of frames, or another size; the line says both.
        VideoReadError, FormatError: it cannot be read.
    """
    info = codec.probe(path)
    check_size(path, (info.height, info.width), size, name)
    if info.frames != count and not (info.frames == 1 and path.is_file()):
        raise InputError(
            f"the mask {path} has {info.frames} {'frame' if info.frames == 1 else 'frames'} and {name} has {count}; "
            "give as many, or one picture for all"
        )
    return Masks((Piece(0, count, path),), invert)


def check_size(path: Path, actual: tuple[int, int], size: tuple[int, int], name: str) -> None:
    """Refuse a mask of another size.

    Args:
        path: of the mask. actual: its height and width, px. size: those of the video. name: what to call it.

    Raises:
        InputError: the line says both.
    """
    if actual != size:
        raise InputError(
            f"the mask {path} is {actual[1]}x{actual[0]} and the frames of {name} are {size[1]}x{size[0]}; "
            "they must be of one size"
        )


def write_masks(masks: Video | np.ndarray | dict[int, np.ndarray], path: Path) -> Path:
    """Write masks that are in memory to where `open_masks` reads them; return the place.

    Args:
        masks: a Video, an array (H, W), (T, H, W) or (T, H, W, 3), or arrays (H, W) by frame number; bool, uint8 with
            white at 255, or floating point from 0 to 1.
        path: where, without a suffix.

    Raises:
        InputError: another shape or type.
    """
    if isinstance(masks, dict):
        from moviola.data.pictures import write_png

        path.mkdir()
        for index, mask in masks.items():
            write_png(path / f"{int(index):06d}.png", _levels(np.asarray(mask))[0])
        return path
    frames = masks.frames if isinstance(masks, Video) else _levels(np.asarray(masks))
    path = path.with_suffix(".mkv")
    codec.write(Video(frames, codec.DEFAULT_FPS), path, lossless=True)
    return path


def _levels(mask: np.ndarray) -> np.ndarray:
    """Return masks as uint8 (T, H, W, 3)."""
    if mask.ndim == 2:
        mask = mask[None]
    if mask.ndim == 3:
        mask = mask[..., None]
    if mask.ndim != 4 or mask.shape[-1] not in (1, 3) or 0 in mask.shape or mask.dtype.kind not in "bfu":
        raise InputError(
            f"a mask is (H, W), (T, H, W) or (T, H, W, 3), bool, uint8 or 0 to 1, not {mask.dtype} {mask.shape}"
        )
    if mask.dtype != np.uint8:
        mask = np.rint(255 * mask.astype(np.float32).clip(0, 1)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(mask, (*mask.shape[:3], 3)))
