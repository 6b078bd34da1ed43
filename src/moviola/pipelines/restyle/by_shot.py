"""Shots and key frames: which shots have none, and the parts of a video, none of which goes over a cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from moviola.core.errors import InputError
from moviola.pipelines.restyle.carrying import Part, parts_of
from moviola.selection.shots import shots


def parts_by_shot(keys: Sequence[int], count: int, cuts: Sequence[int]) -> list[Part]:
    """Divide a video by its shots and their key frames; paint is carried both ways from a key, up to the cuts.

    Args:
        keys: key frames, rising, at least one in each shot.
        count: frames of the video. cuts: first frames of new shots.
    """
    return [part for start, stop in shots(count, cuts) for part in _of_shot(keys, start, stop)]


def _of_shot(keys: Sequence[int], start: int, stop: int) -> list[Part]:
    own = [key - start for key in keys if start <= key < stop]
    return [_later(part, start) for part in parts_of(own, stop - start)]


def _later(part: Part, by: int) -> Part:
    first, last = (None if key is None else key + by for key in (part.first, part.last))
    return replace(part, start=part.start + by, stop=part.stop + by, first=first, last=last)


def without_key(keys: Sequence[int], count: int, cuts: Sequence[int]) -> list[tuple[int, int]]:
    """Return (first frame, frame after the last) of every shot without a key frame; arguments as `parts_by_shot`."""
    return [(a, b) for a, b in shots(count, cuts) if not any(a <= key < b for key in keys)]


def check_shots(keys: Sequence[int], count: int, cuts: Sequence[int], where: object) -> None:
    """Refuse key frames of the user's that leave a shot without paint.

    Args:
        keys, count, cuts: as `parts_by_shot`. where: their folder, for the line.

    Raises:
        InputError: there is such a shot; the line names all, or the first of many.
    """
    bare = without_key(keys, count, cuts)
    if not bare:
        return
    spans = [f"{a} to {b - 1}" if b - a > 1 else str(a) for a, b in bare[:6]]
    frames = ", ".join(spans) + (f" and {len(bare) - 6} more" if len(bare) > 6 else "")
    shot, one = ("a shot", "one of its frames") if len(bare) == 1 else ("shots", "a frame of each")
    raise InputError(
        f"{where} holds no picture for {shot} of the video, frames {frames}; paint {one}, or let the nearest key's "
        "paint go over the cut with --set keys.borrow=true"
    )


def borrowed(keys: Sequence[int], count: int, cuts: Sequence[int]) -> list[int]:
    """Return the cuts that are left where shots without a key frame are joined to the shot of the nearest one in time.

    Args:
        keys, count, cuts: as `parts_by_shot`, but that a shot may have no key.
    """
    left = {cut for cut in cuts if 0 < cut < count}
    for start, stop in without_key(keys, count, cuts):
        before = max((key for key in keys if key < start), default=None)
        after = min((key for key in keys if key >= stop), default=None)
        near = before is not None and (after is None or start - before <= after - stop + 1)
        # all cuts between the shot and that key go
        left -= {cut for cut in left if (before < cut <= start if near else stop <= cut <= after)}  # type: ignore[operator]
    return sorted(left)
