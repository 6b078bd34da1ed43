"""The frames of a video that can be gone through several times, in memory or from a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np

from moviola.core.errors import InputError
from moviola.core.times import Clock
from moviola.core.video import Video
from moviola.data import codec

PIECE = 8
"""Frames decoded together."""


@dataclass(frozen=True, eq=False)
class Footage:
    """A video and where it is.

    Args:
        video: a Video, or the path of a file or a folder of frames.
    """

    video: Video | Path

    @cached_property
    def _info(self) -> codec.Info:
        assert isinstance(self.video, Path)
        return codec.probe(self.video)

    @property
    def name(self) -> str:
        """What to call it."""
        return str(self.video) if isinstance(self.video, Path) else "the video"

    @cached_property
    def clock(self) -> Clock:
        """How many frames, and when each is shown."""
        return self.video.clock if isinstance(self.video, Video) else codec.read_clock(self.video)

    @property
    def count(self) -> int:
        """How many frames."""
        return self.clock.count

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, px."""
        known = self.video if isinstance(self.video, Video) else self._info
        return known.height, known.width

    @property
    def pixel_aspect(self) -> Fraction:
        """Width over height of a pixel."""
        return self.video.pixel_aspect if isinstance(self.video, Video) else self._info.pixel_aspect

    @property
    def has_audio(self) -> bool:
        """Whether there is sound."""
        return self.video.audio is not None if isinstance(self.video, Video) else self._info.has_audio

    def pieces(self, audio: bool = False) -> Iterator[Video]:
        """Give the video in pieces, with their sound where that is asked for."""
        if isinstance(self.video, Path):
            yield from codec.stream(self.video, PIECE, audio=audio)
        elif audio:
            yield self.video
        else:
            for start in range(0, self.count, PIECE):
                yield Video(self.video.frames[start : start + PIECE], self.video.fps)

    def frames(self) -> Iterator[np.ndarray]:
        """Give every frame, uint8 (H, W, 3)."""
        for piece in self.pieces():
            yield from piece.frames

    def span(self, start: int, stop: int) -> np.ndarray:
        """Return frames `start` to `stop` - 1, uint8 (n, H, W, 3)."""
        if isinstance(self.video, Video):
            return self.video.frames[start:stop]
        return codec.read(self.video, start, stop).frames


def open_footage(video: Video | str | Path) -> Footage:
    """Return what is to be mended.

    Raises:
        VideoReadError, FormatError: it cannot be read. InputError: it has one frame.
    """
    footage = Footage(video if isinstance(video, Video) else Path(video))
    if footage.count < 2:
        raise InputError(f"{footage.name} has one frame: there is nothing to mend; give a video of 2 or more")
    return footage


def open_guide(guide: Video | str | Path | None, footage: Footage) -> Footage | None:
    """Return the clip in which motion is read, None for none.

    Raises:
        InputError: it has another number of frames or another shape. VideoReadError, FormatError: as above.
    """
    if guide is None:
        return None
    opened = Footage(guide if isinstance(guide, Video) else Path(guide))
    if opened.count != footage.count:
        raise InputError(
            f"the guide {opened.name} has {opened.count} frames and {footage.name} has {footage.count}; "
            "they must be as many"
        )
    (height, width), (rows, columns) = opened.size, footage.size
    if abs(width * rows / (height * columns) - 1) > 0.05:
        raise InputError(
            f"the guide {opened.name} is {width}x{height} and {footage.name} is {columns}x{rows}; "
            "they must have one shape"
        )
    return opened
