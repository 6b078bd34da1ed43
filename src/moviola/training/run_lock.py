"""One training at a time in a run's folder."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moviola.core.locks import FolderLock

_held: set[tuple[int, str]] = set()  # thread and folder


@contextmanager
def hold(folder: Path, main: bool = True) -> Iterator[None]:
    """Keep other trainings out of `folder` while the block runs; within such a block of this thread it does nothing.

    Args:
        folder: the run's, which exists.
        main: whether this process is the first of the run; the others leave the lock to it.

    Raises:
        OutputError: another training holds it; the line says which process, and since when.
    """
    key = (threading.get_ident(), os.path.realpath(folder))
    if not main or key in _held:
        yield
        return
    with FolderLock(folder, "a training"):
        _held.add(key)
        try:
            yield
        finally:
            _held.discard(key)
