"""Which decoded frames FFmpeg mended after damage: it shows something in their place and goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_watching: ContextVar[set[int] | None] = ContextVar("concealed", default=None)


@contextmanager
def watch_concealed() -> Iterator[set[int]]:
    """Collect the numbers of concealed frames among those that are decoded inside the block, instead of a note each.

    Returns:
        the numbers, filled as frames are read; of one clip, where only one is read.
    """
    numbers: set[int] = set()
    token = _watching.set(numbers)
    try:
        yield numbers
    finally:
        _watching.reset(token)


def is_watched(frame: int) -> bool:
    """Tell the watcher that a frame is concealed, and say whether there is one."""
    concealed = _watching.get()
    if concealed is not None:
        concealed.add(frame)
    return concealed is not None


def describe_concealed(frames: Iterable[int], count: int | None = None) -> str:
    """Return what there is to say of concealed frames; `count`: number of frames of the file."""
    numbers = sorted(frames)
    of = "" if count is None else f" of {count}"
    return (
        f"{len(numbers)}{of} frames are damaged and mended by the decoder, so they do not show what was recorded "
        f"(frame{'s' * (len(numbers) > 1)} {_ranges(numbers)})"
    )


def _ranges(numbers: list[int]) -> str:
    """Return ascending numbers as "3, 7 to 9"; at most eight runs."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    text = ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in runs[:8])
    return text + (f" and more up to {numbers[-1]}" if len(runs) > 8 else "")
