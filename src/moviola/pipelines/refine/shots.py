"""The shots of a video that passes by: cuts are found on the way, and windows go over none of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

import numpy as np

from moviola.pipelines.refine.windows import Window, cut
from moviola.selection.change import checked
from moviola.selection.shots import NEAR, CutFinder

Piece = tuple[int, np.ndarray]
"""Number of a shot, from 0, and frames of it that follow each other, uint8 (T, H, W, 3)."""


class Shots:
    """Where one video is cut: looked for in its first pass, known in all later ones.

    Attributes:
        cuts: first frames of the shots after the first, as far as they are known: up to the frames that were given on.
    """

    def __init__(self) -> None:
        self.cuts: list[int] = []

    def divide(self, pieces: Iterable[np.ndarray], first: bool = True) -> Iterator[Piece]:
        """Give frames on, in pieces that hold frames of one shot.

        Args:
            pieces: uint8 (T, H, W, 3) that follow each other.
            first: look for cuts, which takes two frames of delay. Otherwise these are frames of the same video after a
                pass, which come no earlier than they were divided for it.
        """
        return self._first(pieces) if first else self._again(pieces)

    def _first(self, pieces: Iterable[np.ndarray]) -> Iterator[Piece]:
        finder, waiting, seen, given = CutFinder(), deque[np.ndarray](), 0, 0
        for piece in pieces:
            for frame in checked(piece):
                finder.see(frame)
            waiting.append(piece)
            seen += len(piece)
            known = seen - NEAR  # frames of which is known whether a shot begins there
            self.cuts += [t for t in range(max(given, 1), known) if finder.is_cut(t)]
            while waiting and known > given:
                part = waiting.popleft()
                ready = min(len(part), known - given)
                yield from self._split(part[:ready], given)
                given += ready
                if ready < len(part):
                    waiting.appendleft(part[ready:])
        if seen > NEAR:  # two frames say nothing of what is usual
            self.cuts += [t for t in range(max(given, 1), seen) if finder.is_cut(t)]
        for part in waiting:
            yield from self._split(part, given)
            given += len(part)

    def _again(self, pieces: Iterable[np.ndarray]) -> Iterator[Piece]:
        given = 0
        for piece in pieces:
            yield from self._split(piece, given)
            given += len(piece)

    def _split(self, piece: np.ndarray, start: int) -> Iterator[Piece]:
        """Divide frames, of which the first is number `start`, at the cuts."""
        inside = [t - start for t in self.cuts if start < t < start + len(piece)]
        number = sum(t <= start for t in self.cuts)
        yield from enumerate(np.split(piece, inside), start=number)


def cut_shots(pieces: Iterable[Piece], length: int, overlap: int) -> Iterator[Window]:
    """Cut a stream of frames into windows, each shot by itself; see `moviola.pipelines.refine.windows.cut`.

    Args:
        pieces: frames by shot, each shot's together.
        length, overlap: frames, as for `cut`.

    Yields:
        Windows in order; `index` and `start` count through the whole video.
    """
    index, start = 0, 0
    for shot, group in groupby(pieces, key=lambda piece: piece[0]):
        frames = 0
        for window in cut((part for _, part in group), length, overlap):
            yield replace(window, index=index, start=start + window.start, shot=shot)
            index, frames = index + 1, window.start + window.count
        start += frames
    if not index:
        yield from cut((), length, overlap)  # which refuses a video without frames
