"""Writing beside and then renaming: the one place for it.

What is written appears whole under its name or not at all, and what stood there before is never lost: a file or folder
is made under a hidden name beside its place (`.NAME.TOKEN.part`), stored on the disk (fsync), then renamed. A failure
of any kind, ctrl-C among them, removes the hidden one. Permissions are those that the umask gives.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from moviola.core.errors import OutputError

T = TypeVar("T")

_final: dict[Path, Path] = {}  # hidden place -> the place it is for, while something is written there
_FULL = (errno.ENOSPC, errno.EDQUOT)
_IN_THE_WAY = (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES)


def reason_of(error: OSError, advice: str = "") -> str:
    """Return why the file system refused, in small letters; `advice` follows where the disk is full."""
    if error.errno in _FULL:
        return f"the disk is full{advice}"
    return (error.strerror or str(error)).lower()


@contextmanager
def output_errors(path: str | Path) -> Iterator[None]:
    """Turn errors of the file system into one OutputError that names `path`."""
    try:
        yield
    except BrokenPipeError:  # of the terminal, not of the file
        raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {reason_of(error)}") from None


class Staging:
    """A hidden place beside the target that takes its name when all is written.

    Args:
        target: what is to be written; a link is followed, so that the file it points to is replaced.
        folder: whether it is a folder. One that exists is replaced; what may be replaced is for the caller to say.

    Raises:
        OutputError: the parent is missing or no folder, the target cannot be replaced, or no file can be made there.
    """

    def __init__(self, target: str | Path, folder: bool = False) -> None:
        self.shown = Path(target)
        self.target = Path(os.path.realpath(target))
        self._folder = folder
        parent = self.target.parent
        if not os.path.isdir(parent):
            what = "is not a folder" if os.path.exists(parent) else "does not exist"
            raise OutputError(f"cannot write {target}: {parent} {what}; make it first")
        if os.path.isdir(self.target) and not folder:
            raise OutputError(f"cannot write {target}: it is a folder; name a file")
        self.path = _hidden(self.target, "" if folder else self.target.suffix)
        with output_errors(target):
            if folder:
                self.path.mkdir()
            else:
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        _final[self.path] = self.target

    def commit(self) -> None:
        """Give what was written its name.

        Raises:
            OutputError: it cannot be stored or renamed; what stood there before still stands.
        """
        with output_errors(self.shown):
            _sync_all(self.path)
            if self._folder and self.target.exists():
                self._swap_folder()
            else:
                os.replace(self.path, self.target)
            _final.pop(self.path, None)
            with suppress(OSError):  # some file systems cannot sync a folder
                _sync(self.target.parent)

    def discard(self) -> None:
        """Remove what was written so far."""
        _final.pop(self.path, None)
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


def final_place(path: str | Path) -> Path:
    """Return where a file will stand that is written at `path`: another place than that in a hidden folder.

    Links are followed.
    """
    path = Path(os.path.realpath(path))
    for place in (path, *path.parents):
        if place in _final:
            return final_place(_final[place] / path.relative_to(place))
    return path


@contextmanager
def staged(target: str | Path, folder: bool = False) -> Iterator[Path]:
    """Give a hidden place that takes the name of `target` when the block ends well, and is gone when it does not.

    Args:
        target, folder: as for `Staging`.

    Raises:
        OutputError: the file system refuses; the line names `target`, never the hidden place.
    """
    staging = Staging(target, folder)
    try:
        with output_errors(target):
            yield staging.path
        staging.commit()
    except BaseException as error:
        staging.discard()
        if isinstance(error, OutputError):
            raise OutputError(str(error).replace(str(staging.path), str(target))) from None
        raise


def write_atomic(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader sees the old file or the whole new one, also after a crash.

    Raises:
        OutputError: when the folder is missing or cannot be written, or the disk is full.
    """
    with staged(path) as beside:
        beside.write_bytes(data)


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside `out` that takes its name at the end, and is gone after any failure.

    Args:
        out: a new or empty folder; its parent exists.

    Raises:
        OutputError: it holds something, or cannot be made.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} exists and is not an empty folder; name a new one")
    with staged(out, folder=True) as beside:
        yield beside
        if out.exists():
            out.resolve().rmdir()


@contextmanager
def workplace(parent: Path, name: str) -> Iterator[Path]:
    """Give a hidden folder in `parent` that is gone afterwards, unless `into_place` moved it.

    Args:
        parent: a folder. name: what it is for, to know it by.

    Raises:
        OSError: it cannot be made.
    """
    beside = _hidden(parent / name, "")
    beside.mkdir()
    try:
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def into_place(beside: Path, folder: Path, ready: Callable[[], T | None] = lambda: None) -> T | None:
    """Give a finished folder (or a file of a new name) its name, where several processes may make it at once.

    Args:
        beside: the folder, on the same disk.
        folder: its name. What stands there is damaged and is removed, unless `ready` takes it.
        ready: reads what stands at `folder`; None where it cannot be used.

    Returns:
        None where the folder was moved; what `ready` gave where another process was faster.

    Raises:
        OSError: it cannot be moved. OutputError: something is in the way again and again.
    """
    _sync_all(beside)
    for _ in range(8):
        try:
            beside.rename(folder)
            return None
        except OSError as error:
            if error.errno not in _IN_THE_WAY or not folder.exists():
                raise
        if (have := ready()) is not None:
            return have
        with workplace(folder.parent, folder.name) as away, suppress(FileNotFoundError):
            folder.rename(away / "old")
    raise OutputError(f"{folder} is in the way and cannot be replaced; remove it")


def _hidden(target: Path, suffix: str) -> Path:
    """Return a new name beside `target`, short enough for any file system."""
    stem = (target.stem if suffix else target.name)[:40]
    return target.parent / f".{stem}.{secrets.token_hex(4)}.part{suffix}"


def _sync_all(path: Path) -> None:
    """Store a file, or a folder with all that is in it, on the disk."""
    for folder, _, files in os.walk(path) if path.is_dir() else ():
        for name in files:
            _sync(Path(folder, name))
        with suppress(OSError):
            _sync(Path(folder))
    if not path.is_dir():
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
