"""The frames of the input, as the stages ask for them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, overload

import numpy as np

from moviola.data import codec

PIECE = 16  # frames that are written together
BLOCK, BLOCKS = 32, 3  # frames that are decoded together, and how many such blocks are kept


@dataclass(frozen=True)
class Footage:
    """A video that is cropped as it is read.

    Attributes:
        source: a video file or a folder of frames.
        rows, columns: what is left of each frame.
    """

    source: Path
    rows: slice
    columns: slice

    def cropped(self, frames: np.ndarray) -> np.ndarray:
        """Return what is left of frames, uint8 (n, H, W, 3)."""
        return np.ascontiguousarray(frames[:, self.rows, self.columns])

    def at(self, index: int) -> np.ndarray:
        """Return one frame, uint8 (H, W, 3)."""
        return next(self.span(index, index + 1))

    def span(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Give the frames `start` to `stop` - 1 one after the other, uint8 (H, W, 3)."""
        for piece in codec.stream(self.source, 1, start, stop):
            yield np.ascontiguousarray(piece.frames[0, self.rows, self.columns])

    def frames(self, numbers: range) -> Frames:
        """Return the frames of these numbers as a sequence that decodes what is asked for; see `Frames`."""
        return Frames(_Blocks(self, numbers.start, numbers.stop), numbers)


class _Blocks:
    """Frames [start, stop) of footage, decoded a block at a time; the newest blocks are kept, and the two ends."""

    def __init__(self, footage: Footage, start: int, stop: int) -> None:
        self._footage, self._start, self._stop = footage, start, stop
        self._kept: OrderedDict[int, list[np.ndarray]] = OrderedDict()
        self._ends: dict[int, np.ndarray] = {}

    def at(self, number: int) -> np.ndarray:
        if number in self._ends:
            return self._ends[number]
        block, place = divmod(number - self._start, BLOCK)
        if block not in self._kept:
            first = self._start + block * BLOCK
            while len(self._kept) >= BLOCKS:
                self._kept.popitem(last=False)
            self._kept[block] = list(self._footage.span(first, min(first + BLOCK, self._stop)))
        self._kept.move_to_end(block)
        frame = self._kept[block][place]
        if number in (self._start, self._stop - 1):
            self._ends[number] = frame.copy()
        return frame


class Frames(Sequence[np.ndarray]):
    """Frames of footage in any order; memory does not grow with their number. Slices share what is decoded.

    Args:
        blocks: decodes. numbers: of the frames.
    """

    def __init__(self, blocks: _Blocks, numbers: range) -> None:
        self._blocks, self._numbers = blocks, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | Self:
        if isinstance(index, slice):
            return type(self)(self._blocks, self._numbers[index])
        return self._blocks.at(self._numbers[index])


class JoinedFrames:
    """Frames of several videos in a row.

    Args:
        paths: of the videos.
    """

    def __init__(self, paths: Iterator[Path]) -> None:
        self._pieces = (piece.frames for path in paths for piece in codec.stream(path, PIECE))
        self._held: list[np.ndarray] = []

    def take(self, count: int) -> np.ndarray:
        """Return the next `count` frames."""
        while sum(map(len, self._held)) < count:
            self._held.append(next(self._pieces))
        frames = np.concatenate(self._held)
        self._held = [frames[count:]]
        return frames[:count]
