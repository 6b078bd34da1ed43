"""Where clips lie in longer videos: cut one into intervals, hold clips out that share no frame with the others."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple


class ClipStart(NamedTuple):
    """Where a clip lies.

    Attributes:
        video: number of the video.
        start: its first frame in it.
    """

    video: int
    start: int


def cut(lengths: Sequence[int], span: int, interval: int = 0) -> list[ClipStart]:
    """Return the clips of videos, in order; a video that is too short has none.

    Args:
        lengths: frames of each video.
        span: frames that a clip reaches over, at least 1.
        interval: frames between the starts of successive clips of one video; 0 for one clip a video.
    """
    return [
        ClipStart(video, start)
        for video, length in enumerate(lengths)
        if length >= span
        for start in (range(0, length - span + 1, interval) if interval else (0,))
    ]


def ends_left_out(
    places: Sequence[ClipStart], lengths: Sequence[int], span: int, interval: int
) -> dict[int, int]:
    """Return how many frames at the end of each video are in no clip because they are too few; none where 0.

    Args:
        places: clips, in order; a video whose last ones are not among them is left out.
        lengths, span, interval: as for `cut`; the interval is not 0.
    """
    ends = {}
    for video, start in dict(places).items():  # of each video the last clip
        remaining = lengths[video] - start - max(span, interval)
        if remaining > 0 and lengths[video] - start - interval < span:
            ends[video] = remaining
    return ends


def hold_out(
    places: Sequence[ClipStart], every: int, span: int
) -> tuple[list[ClipStart], list[ClipStart], int]:
    """Split clips in two that share no frame.

    Args:
        places: clips, in order.
        every: the last of every so many clips is held out.
        span: frames that a clip reaches over.

    Returns:
        The clips to train on, those held out, and how many of the others are in neither because a clip that is held
        out begins less than `span` frames before or after them.
    """
    held_out = list(places[every - 1 :: every])
    starts: dict[int, list[int]] = defaultdict(list)
    for video, start in held_out:
        starts[video].append(start)
    others = [place for number, place in enumerate(places, start=1) if number % every]
    trained = [place for place in others if not _shares(place.start, starts[place.video], span)]
    return trained, held_out, len(others) - len(trained)


def _shares(start: int, others: Sequence[int], span: int) -> bool:
    """Return whether a clip shares frames with one of others, whose starts ascend."""
    place = bisect_left(others, start)
    return any(abs(start - other) < span for other in others[max(place - 1, 0) : place + 1])
