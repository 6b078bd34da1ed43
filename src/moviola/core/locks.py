"""One process in a folder at a time: a lock of the operating system, which ends with the process that holds it.

`FOLDER/.lock` says who holds it. The file alone means nothing: where a process was killed it may be left, and is taken.
"""

from __future__ import annotations

import errno
import os
import platform
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from moviola.core.atomic import output_errors, reason_of
from moviola.core.errors import OutputError
from moviola.core.notes import note

NAME = ".lock"
_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)
_FAR = 1 << 20  # byte that is locked where locking keeps others from reading what is locked


class FolderLock:
    """The right to write in a folder, until `release` or the end of the process.

    Args:
        folder: that exists.
        what: is done there, for the line that refuses another, such as "a restyling".

    Raises:
        OutputError: another run holds it (the line says which process, and since when), or no file can be made there.
    """

    def __init__(self, folder: Path, what: str) -> None:
        self._path = folder / NAME
        self._file = _opened(self._path, folder)
        with output_errors(folder):
            self._file.seek(0)
            self._file.truncate()
            since = time.strftime("%Y-%m-%d %H:%M:%S")
            self._file.write(
                f"{what} (process {os.getpid()} on {platform.node() or 'this machine'}, since {since})\n"
            )
            self._file.flush()

    def release(self) -> None:
        """Let others in; the file is removed. A second call does nothing."""
        if self._file.closed:
            return
        if sys.platform == "win32":  # no open file can be removed there
            self._file.close()
        with suppress(OSError):
            self._path.unlink()
        self._file.close()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _opened(path: Path, folder: Path) -> IO[str]:
    """Open and lock the file, and see that nobody removed it in between."""
    while True:
        with output_errors(folder):
            file = open(path, "a+", encoding="utf-8")  # noqa: SIM115
        try:
            _lock(file)
        except OSError as error:
            if error.errno not in _HELD:  # some file systems know no locks
                note(f"{folder} cannot be locked ({reason_of(error)}); start no second run in it")
                return file
            file.seek(0)
            who = file.readline().strip() or "another process"
            file.close()
            raise OutputError(f"{folder} is in use by {who}; wait for it, or name another folder") from None
        with suppress(OSError):
            if sys.platform == "win32" or os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                return file
        file.close()


def _lock(file: IO[str]) -> None:
    """Take the lock, or raise OSError at once."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
