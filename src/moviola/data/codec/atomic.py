"""Writing beside and then renaming, so that a failed run leaves no half-written file and an old one is never lost."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from moviola.core.errors import OutputError


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn errors of the file system into one OutputError that names `path`."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else (error.strerror or str(error)).lower()
        raise OutputError(f"cannot write {path}: {reason}") from None


class Staging:
    """A hidden place beside the target that takes its name when all is written.

    Args:
        target: what is to be written; a link is followed, so that the file it points to is replaced.
        folder: whether it is a folder. A folder that exists is replaced only where `ours` says so of every entry.

    Raises:
        OutputError: the parent is missing or no folder, the target cannot be replaced, or no file can be made there.
    """

    def __init__(self, target: Path, folder: bool = False) -> None:
        self.shown = target
        self.target = Path(os.path.realpath(target))
        self._folder = folder
        parent = self.target.parent
        if not os.path.isdir(parent):
            what = "is not a folder" if os.path.exists(parent) else "does not exist"
            raise OutputError(f"cannot write {target}: {target.parent} {what}; make it first")
        if os.path.isdir(self.target) and not folder:
            raise OutputError(f"cannot write {target}: it is a folder; name a file")
        token = secrets.token_hex(4)
        self.path = parent / f".{self.target.stem[:40]}.{token}.part{'' if folder else self.target.suffix}"
        with output_errors(target):
            if folder:
                self.path.mkdir()
            else:
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))

    def commit(self) -> None:
        """Give what was written its name.

        Raises:
            OutputError: it cannot be stored or renamed; what stood there before still stands.
        """
        with output_errors(self.shown):
            for path in sorted(self.path.iterdir()) if self._folder else [self.path]:
                _sync(path)
            if self._folder and self.target.exists():
                self._swap_folder()
            else:
                os.replace(self.path, self.target)
            with suppress(OSError):  # some file systems cannot sync a folder
                _sync(self.target.parent)

    def discard(self) -> None:
        """Remove what was written so far."""
        if self._folder:
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            self.path.unlink(missing_ok=True)

    def _swap_folder(self) -> None:
        """Put the new folder in the place of the old one, and the old one back where that fails."""
        old = self.path.with_suffix(".old")
        os.rename(self.target, old)
        try:
            os.rename(self.path, self.target)
        except BaseException:
            os.rename(old, self.target)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
