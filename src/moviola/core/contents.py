"""Whether a file or a folder still holds what it held: by its contents, never by its name.

A large file is read once: its SHA-256 is kept in `CACHE/contents/`, with size and times by which the file system
tells that nothing was written since.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from moviola.core.atomic import reason_of, write_atomic
from moviola.core.errors import InputError
from moviola.core.paths import cache_dir

_LARGE = 4 << 20  # bytes; what is smaller is read again faster than it is looked up
_SETTLED = 2 * 10**9  # ns; a file system may give two writes that are nearer than this the same time


def change_mark(path: str | Path) -> str:
    """Return size, time of writing and time of change (ns) of a file: another text where it was written since.

    The time of change is the file system's own: a copy that keeps the time of writing (`cp -p`, `rsync -t`) moves it.

    Raises:
        OSError: no such file.
    """
    state = os.stat(path)
    return f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"


def contents(path: str | Path, skip: Collection[str] = ()) -> str:
    """Return the SHA-256 (hex) of a file's bytes, or of the names and bytes of all files below a folder.

    Args:
        path: what to read. Of a folder, hidden files and what is in hidden folders are left out.
        skip: suffixes of files of a folder that are left out too, such as ".ckpt".

    Raises:
        InputError: it is not there, or cannot be read.
    """
    path = Path(path)
    try:
        if not path.is_dir():
            return _of_file(path)
        digests = hashlib.sha256()
        for name in sorted(_below(path)):
            if Path(name).suffix.lower() not in skip:
                digests.update(json.dumps([name, _of_file(path / name)]).encode())
        return digests.hexdigest()
    except OSError as error:
        raise InputError(f"{error.filename or path} cannot be read: {reason_of(error)}") from None


def _below(folder: Path) -> Iterator[str]:
    """Yield the names of the files below a folder, relative to it, with forward slashes."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(place).relative_to(folder)
        yield from ((inside / name).as_posix() for name in files if not name.startswith("."))


def _of_file(path: Path) -> str:
    mark = change_mark(path)
    if os.path.getsize(path) < _LARGE:
        return _read(path)
    name = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:32]
    cached = cache_dir() / "contents" / name
    with suppress(OSError, ValueError):
        marked, _, digest = cached.read_text(encoding="ascii").rpartition(" ")
        if marked == mark and len(digest) == 64:
            return digest
    digest = _read(path)
    if mark == change_mark(path) and is_settled(path):
        with suppress(OSError, InputError):  # a cache that cannot be written costs time alone
            cached.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(cached, f"{mark} {digest}".encode())
    return digest


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_settled(path: str | Path) -> bool:
    """Return whether a later write of a file would have another time, and so another `change_mark`, than the last one.

    Raises:
        OSError: no such file.
    """
    state = os.stat(path)
    return time.time_ns() - max(state.st_mtime_ns, state.st_ctime_ns) > _SETTLED
