"""Features on disk: one row for every (extractor, clip), in one SQLite file of the cache folder.

What is written at once is one transaction: it is there whole or not at all, also after a kill, and processes that share
the folder wait for each other. The journal is SQLite's rollback journal, as its write-ahead log works neither over a
network nor in a folder that can only be read. A row carries a checksum: one that is damaged counts as missing. A file
that is damaged is begun anew.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

from moviola.core.atomic import reason_of
from moviola.core.errors import OutputError
from moviola.core.notes import note

T = TypeVar("T")

NAME = "features.sqlite"
_PAGE = 16384  # bytes; holds several rows of 400 numbers
_TIMEOUT = 60  # s; another process may be writing
_CREATE = (
    "CREATE TABLE IF NOT EXISTS features (extractor BLOB, clip BLOB, outputs BLOB, value BLOB, checksum INTEGER, "
    "PRIMARY KEY (extractor, clip))"
)
_INSERT = "INSERT OR REPLACE INTO features (extractor, clip, outputs, value, checksum) VALUES (?, ?, ?, ?, ?)"
_SELECT = "SELECT clip, outputs, value, checksum FROM features WHERE extractor = ? AND clip IN ({})"
_DAMAGE = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)


class Row(NamedTuple):
    """What an extractor gave for a clip; the first two are keys, `outputs` says what `value` holds."""

    extractor: bytes
    clip: bytes
    outputs: bytes
    value: bytes


def checksum(extractor: bytes, clip: bytes, outputs: bytes, value: bytes) -> int:
    """Return the CRC-32 of a row; raises TypeError where a part is no bytes."""
    return zlib.crc32(value, zlib.crc32(extractor + clip + outputs))


@contextmanager
def write_errors(root: Path) -> Iterator[None]:
    """Turn errors of the file system and of SQLite into one line that names the cache folder."""
    advice = "; clear it, or name another with MOVIOLA_CACHE"
    try:
        yield
    except OSError as error:
        reason = reason_of(error, advice)
    except sqlite3.Error as error:
        reason = f"the disk is full{advice}" if _code(error) == sqlite3.SQLITE_FULL else str(error)
    else:
        return
    raise OutputError(f"the feature cache {root} cannot be written: {reason}")


class FeatureStore:
    """The rows of all extractors and clips; one process may hold several, each for one thread.

    Args:
        root: folder of the cache.

    Raises:
        OutputError: nothing can be kept there.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.path = root, root / NAME
        self._connection: sqlite3.Connection | None = None
        self._inode = -1
        self.damaged = 0
        """Rows that were found damaged."""

    def read(self, extractor: bytes, clips: Sequence[bytes]) -> dict[bytes, tuple[bytes, bytes]]:
        """Return clip to (outputs, value) of an extractor for some clips (a few dozen), as far as they are whole."""
        sql = _SELECT.format(", ".join("?" * len(clips)))
        stored = {}
        for clip, outputs, value, check in self._do(
            lambda db: db.execute(sql, (extractor, *clips)).fetchall()
        ):
            try:
                whole = checksum(extractor, clip, outputs, value) == check
            except TypeError:  # damage made it a number
                whole = False
            if whole:
                stored[clip] = outputs, value
            else:
                self.damaged += 1
        return stored

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows, all or none; what stood in their place is replaced."""
        records = [(*row, checksum(*row)) for row in rows]
        if records:
            self._do(lambda db: _insert(db, records))

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` does with the open file; one that is damaged or gone is begun anew, once."""
        with write_errors(self.root):
            try:
                return work(self._open())
            except sqlite3.DatabaseError as error:
                removed = _code(error, 0xFFFF) == sqlite3.SQLITE_READONLY_DBMOVED
                if not removed and _code(error) not in _DAMAGE:
                    raise
            self._remove("was removed meanwhile" if removed else "is damaged")
            return work(self._open())

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.root.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=_TIMEOUT, isolation_level=None)
            self._connection.text_factory = bytes  # a damaged row may hold a text that is none
            self._inode = os.stat(self.path).st_ino
            self._connection.execute(f"PRAGMA page_size = {_PAGE}")
            self._connection.execute(_CREATE)
        return self._connection

    def _remove(self, why: str) -> None:
        """Remove the file, unless another process has begun a new one in its place."""
        note(f"{self.path} {why}; the features in it are made anew")
        self.close()
        with suppress(FileNotFoundError):
            if os.stat(self.path).st_ino == self._inode:
                self.path.unlink()


def _insert(database: sqlite3.Connection, records: Sequence[tuple[bytes | int, ...]]) -> None:
    with database:  # commits, or rolls back
        database.execute("BEGIN IMMEDIATE")
        database.executemany(_INSERT, records)


def _code(error: sqlite3.Error, mask: int = 0xFF) -> int:
    """Return SQLite's result code: the primary one, or under a wider mask the extended one."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & mask
