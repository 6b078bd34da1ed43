"""A video of any length, window by window: cut with an overlap, and joined again with a cross-fade.

Windows of `length` frames begin every `length - overlap` frames. The last one ends with the video, so that it sees real
frames only; what it shares with the one before beyond the overlap is left to that one. So there are as few windows as
the overlap allows. A video shorter than a window is continued backwards, and cut back afterwards. A
video is one shot here (`moviola.pipelines.refine.shots`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import ConfigError, InputError


@dataclass(frozen=True, eq=False)
class Window:
    """Some frames of a video that follow each other.

    Attributes:
        index: 0 for the first window of the video.
        start: number of its first frame in the video.
        frames: uint8 (length, H, W, 3).
        count: how many of them are the video's own; the others continue it backwards.
        shot: number of its shot, from 0; windows of different shots share no frame.
    """

    index: int
    start: int
    frames: np.ndarray
    count: int
    shot: int = 0


def default_overlap(length: int) -> int:
    """Return the overlap of windows of `length` frames where nobody says: a quarter, in frames."""
    return length // 4


def check_overlap(overlap: int, length: int) -> int:
    """Return `overlap` where it fits windows of `length` frames.

    Raises:
        ConfigError: below 0, or more than half a window.
    """
    if not 0 <= overlap <= length // 2:
        raise ConfigError(
            f"a window overlap is 0 to {length // 2} frames (half a window of {length}), not {overlap}"
        )
    return overlap


def mirrored(count: int, start: int, stop: int) -> np.ndarray:
    """Return where to look for places start..stop-1 of a line of `count`, int64: it is reflected at its ends.

    The end itself is not repeated: of 0 1 2 the places -2..4 are 2 1 0 1 2 1 0.
    """
    places = np.abs(np.arange(start, stop))
    if count == 1:
        return np.zeros_like(places)
    places %= 2 * (count - 1)
    return np.where(places < count, places, 2 * (count - 1) - places)


def fade(length: int) -> Tensor:
    """Return the weights of the newcomer over a cross-fade, float32 (length,): rising, between 0 and 1."""
    return torch.arange(1, length + 1) / (length + 1)


def mix(old: Tensor, new: Tensor, weight: Tensor) -> Tensor:
    """Return `old` faded into `new`; exactly their value wherever the two are equal."""
    return old + weight * (new - old)


def cut(pieces: Iterable[np.ndarray], length: int, overlap: int) -> Iterator[Window]:
    """Cut a stream of frames into windows; memory holds one window and one piece.

    Args:
        pieces: uint8 (T, H, W, 3) that follow each other, of one size.
        length: frames in a window, at least 1.
        overlap: frames that neighbours share, 0 to length // 2.

    Yields:
        Windows in order.

    Raises:
        InputError: there is no frame, or the size changes.
    """
    held, first, index, start = np.empty(0, np.uint8), 0, 0, 0
    for piece in pieces:
        held = _appended(held, piece)
        while len(held) >= start - first + length:
            yield Window(index, start, held[start - first : start - first + length], length)
            index, start = index + 1, start + length - overlap
        # the last window may begin up to `length` frames before the end, wherever that will be
        keep = min(start - first, len(held) - length)
        if keep > 0:
            held, first = held[keep:], first + keep
    total = first + len(held)
    if total == 0:
        raise InputError("a video without frames cannot be refined")
    if index == 0:
        yield Window(0, 0, held[mirrored(total, 0, length)], total)
    elif start + overlap < total:
        start = total - length
        yield Window(index, start, held[start - first :], length)


def _appended(held: np.ndarray, piece: np.ndarray) -> np.ndarray:
    if not len(held):
        return piece
    if piece.shape[1:] != held.shape[1:]:
        (height, width), (h, w) = piece.shape[1:3], held.shape[1:3]
        raise InputError(f"a frame of {width}x{height} follows frames of {w}x{h}; one video has one size")
    return np.concatenate([held, piece])


def join(refined: Iterable[tuple[Window, Tensor]], overlap: int) -> Iterator[Tensor]:
    """Put windows together again; each overlap of windows of one shot is faded from one into the next.

    Args:
        refined: each window and what became of its frames, float (length, C, H, W).
        overlap: as they were cut.

    Yields:
        float (T, C, H, W), as many frames altogether as the video has.
    """
    held: Tensor | None = None  # the frames of the last window that fade into the next
    begin = shot = 0
    for window, values in refined:
        values = values[: window.count]
        if held is not None and window.shot != shot:
            if len(held):
                yield held
            held = None
        shot = window.shot
        if held is not None:
            values = values[begin - window.start :]
            weight = fade(len(held)).to(values).view(-1, 1, 1, 1)
            values = torch.cat([mix(held, values[: len(held)], weight), values[len(held) :]])
        end = window.start + window.count
        held = values[max(0, len(values) - overlap) :]
        begin = end - len(held)
        if len(values) > len(held):
            yield values[: len(values) - len(held)]
    if held is not None and len(held):
        yield held
