"""Which decoded frames FFmpeg mended after damage: it shows something in their place and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_watching: ContextVar[dict[Path, set[int]] | None] = ContextVar("concealed", default=None)


@contextmanager
def watch_concealed() -> Iterator[dict[Path, set[int]]]:
    """Collect the numbers of concealed frames among those that are decoded inside the block.

    Returns:
        file to frame numbers, filled as frames are read; files without such frames are not in it.
    """
    concealed: dict[Path, set[int]] = {}
    token = _watching.set(concealed)
    try:
        yield concealed
    finally:
        _watching.reset(token)


def note_concealed(path: Path, frame: int) -> None:
    """Tell the watcher, if there is one, that a frame of a file is concealed."""
    concealed = _watching.get()
    if concealed is not None:
        concealed.setdefault(path, set()).add(frame)
