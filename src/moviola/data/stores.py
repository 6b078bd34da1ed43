"""Where files lie: a folder or a zip, seen the same way, so that every layout works in both."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

from moviola.core.contents import change_mark, contents, is_settled
from moviola.core.errors import InputError, VideoReadError
from moviola.core.names import natural_sorted

_JUNK = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


class Store(Protocol):
    """A set of files with relative names; forward slashes on every system."""

    root: Path

    def names(self) -> list[str]:
        """Return every file's name in natural order; hidden files and system litter are left out."""
        ...

    def where(self, name: str) -> str:
        """Return how to tell a person about `name`."""
        ...

    def read_bytes(self, name: str) -> bytes:
        """Return the content of `name`; `InputError` when it cannot be read."""
        ...

    def stamp(self, name: str) -> str:
        """Return what changes when the content of `name` does: size and time, or size and checksum."""
        ...

    def digest(self, name: str) -> str:
        """Return the SHA-256 (hex) of the content of `name`; `InputError` when it cannot be read."""
        ...

    def is_settled(self, name: str) -> bool:
        """Return whether any later change of `name` would give it another stamp."""
        ...

    def as_file(self, name: str) -> AbstractContextManager[Path]:
        """Return a context manager that gives `name` as a path on disk, for readers that need one."""
        ...


def is_hidden(name: str) -> bool:
    """Return whether any part of a relative name is hidden or system litter."""
    return any(part.startswith(".") or part in _JUNK for part in name.split("/"))


class FolderStore:
    """The files below a folder; links to folders are followed, loops are not."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    @cached_property
    def _names(self) -> list[str]:
        return natural_sorted(name for name in self._walk() if not is_hidden(name))

    def names(self) -> list[str]:
        """See `Store`."""
        return self._names

    def where(self, name: str) -> str:
        """See `Store`."""
        return str(self.root / name)

    def read_bytes(self, name: str) -> bytes:
        """See `Store`."""
        try:
            return (self.root / name).read_bytes()
        except OSError as error:
            raise InputError(f"{self.where(name)} cannot be read: {error.strerror}") from None

    def stamp(self, name: str) -> str:
        """See `Store`: size, time of writing and time of change in ns."""
        try:
            return change_mark(self.root / name)
        except OSError as error:
            raise InputError(f"{self.where(name)} cannot be read: {error.strerror}") from None

    def digest(self, name: str) -> str:
        """See `Store`."""
        return contents(self.root / name)

    def is_settled(self, name: str) -> bool:
        """See `Store`: two writes within the file system's clock have one time."""
        return is_settled(self.root / name)

    @contextmanager
    def as_file(self, name: str) -> Iterator[Path]:
        """See `Store`: the file itself."""
        yield self.root / name

    def _walk(self) -> Iterator[str]:
        def fail(error: OSError) -> None:
            raise InputError(f"{error.filename} cannot be listed: {error.strerror}")

        for folder, below, files in os.walk(self.root, followlinks=True, onerror=fail):
            below[:] = [name for name in below if not is_hidden(name) and not _loops(Path(folder, name))]
            inside = Path(folder).relative_to(self.root)
            yield from ((inside / name).as_posix() for name in files)


class ZipStore:
    """The members of a zip archive, read in place: nothing is unpacked but a video while it is being decoded.

    A single folder that holds everything in the archive is left off the names. Safe to use after a fork and to
    send to another process.

    Raises:
        InputError: the archive is missing, damaged, encrypted, or has a member outside its own folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._owner: tuple[int, zipfile.ZipFile] | None = None
        self._members = self._list()
        self._names = natural_sorted(self._members)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_owner": None}

    def __del__(self) -> None:
        owner = getattr(self, "_owner", None)
        if owner is not None and owner[0] == os.getpid():
            owner[1].close()

    def names(self) -> list[str]:
        """See `Store`."""
        return self._names

    def where(self, name: str) -> str:
        """See `Store`."""
        return f"{self.root}:{name}"

    def read_bytes(self, name: str) -> bytes:
        """See `Store`."""
        with self._unpacking(name):
            return self._archive().read(self._members[name][0])

    def stamp(self, name: str) -> str:
        """See `Store`: size and CRC-32 of the content."""
        return self._members[name][1]

    def digest(self, name: str) -> str:
        """See `Store`."""
        with self._unpacking(name), self._archive().open(self._members[name][0]) as member:
            return hashlib.file_digest(member, "sha256").hexdigest()  # type: ignore[arg-type]

    def is_settled(self, name: str) -> bool:
        """See `Store`: a checksum does not wait for a clock."""
        return name in self._members

    @contextmanager
    def as_file(self, name: str) -> Iterator[Path]:
        """See `Store`: a temporary copy with the same suffix, gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="moviola-") as folder:
            path = Path(folder) / ("member" + PurePosixPath(name).suffix.lower())
            with (
                self._unpacking(name),
                self._archive().open(self._members[name][0]) as member,
                path.open("wb") as copy,
            ):
                shutil.copyfileobj(member, copy, 1 << 20)
            yield path

    @contextmanager
    def _unpacking(self, name: str) -> Iterator[None]:
        try:
            yield
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            what = str(error) or type(error).__name__
            raise VideoReadError(f"{self.where(name)} cannot be unpacked: {what}") from None

    def _archive(self) -> zipfile.ZipFile:
        """Return this process's own handle (a forked one would share the file position)."""
        if self._owner is None or self._owner[0] != os.getpid():
            self._owner = (os.getpid(), self._open())
        return self._owner[1]

    def _open(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.root)
        except zipfile.BadZipFile as error:
            raise InputError(f"{self.root} is not a readable zip: {error}") from None
        except OSError as error:
            raise InputError(f"{self.root} cannot be read: {error.strerror or error}") from None

    def _list(self) -> dict[str, tuple[str, str]]:
        """Return name -> (name inside the archive, stamp)."""
        members: dict[str, tuple[str, str]] = {}
        for info in self._archive().infolist():
            name = info.filename.replace("\\", "/")
            if name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
                raise InputError(
                    f"{self.root}: member {info.filename!r} points outside the archive; make it anew"
                )
            if info.is_dir() or is_hidden(name):
                continue
            if info.flag_bits & 1:
                raise InputError(f"{self.root}: member {name!r} is encrypted; unpack the archive first")
            members[name] = (info.filename, f"{info.file_size} {info.CRC:08x}")
        top = _wrapper(members)
        return {name[len(top) :]: value for name, value in members.items()}


def _loops(folder: Path) -> bool:
    """Return whether a link leads to a folder that it lies in; any other link is a folder like those beside it."""
    return folder.is_symlink() and Path(os.path.realpath(folder.parent)).is_relative_to(
        os.path.realpath(folder)
    )


def _wrapper(names: Iterable[str]) -> str:
    """Return the one folder (with its slash) that holds every file, or ""."""
    tops = {name.split("/", 1)[0] if "/" in name else "" for name in names}
    return f"{tops.pop()}/" if len(tops) == 1 and "" not in tops else ""
