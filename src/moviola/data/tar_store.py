"""Tar archives as stores: the members of one or many (WebDataset shards) are read in place.

::

    store = TarStore(expand_shards("shard-{000..003}.tar"), "shard-{000..003}.tar")
"""

from __future__ import annotations

import hashlib
import re
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from moviola.core.contents import change_mark, is_settled
from moviola.core.errors import InputError
from moviola.core.names import natural_sorted
from moviola.data.stores import is_hidden

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"([0-9]+)\.\.([0-9]+)")
_MOST_SHARDS = 100_000


class _Place(NamedTuple):
    """Where a member lies: shard, first byte, size in bytes."""

    shard: Path
    offset: int
    size: int


class TarStore:
    """The members of uncompressed tar archives; a video is copied out only while it is being decoded.

    Args:
        shards: the archives.
        root: how the whole is called.

    Raises:
        InputError: an archive is missing, compressed or damaged, a member points outside it, or two have one name.
    """

    def __init__(self, shards: Sequence[Path], root: str | Path) -> None:
        self.root = Path(root)
        self._places: dict[str, _Place] = {}
        for shard in shards:
            for name, place in _members(shard):
                if name in self._places:
                    raise InputError(
                        f"{shard}: {name!r} is in {self._places[name].shard}, too; names must differ"
                    )
                self._places[name] = place
        self._names = natural_sorted(self._places)

    def names(self) -> list[str]:
        """See `moviola.data.stores.Store`."""
        return self._names

    def where(self, name: str) -> str:
        """See `moviola.data.stores.Store`: the archive and the member."""
        return f"{self._places[name].shard}:{name}" if name in self._places else f"{self.root}:{name}"

    def shard(self, name: str) -> Path:
        """Return the archive that holds `name`."""
        return self._places[name].shard

    def read_bytes(self, name: str) -> bytes:
        """See `moviola.data.stores.Store`."""
        place = self._places[name]
        try:
            with place.shard.open("rb") as file:
                file.seek(place.offset)
                return file.read(place.size)
        except OSError as error:
            raise InputError(f"{self.where(name)} cannot be read: {error.strerror}") from None

    def stamp(self, name: str) -> str:
        """See `moviola.data.stores.Store`: place in the archive, size, and size and times of the archive in ns."""
        place = self._places[name]
        return f"{place.offset} {place.size} {change_mark(place.shard)}"

    def digest(self, name: str) -> str:
        """See `moviola.data.stores.Store`."""
        digest, place = hashlib.sha256(), self._places[name]
        try:
            with place.shard.open("rb") as file:
                file.seek(place.offset)
                for data in _chunks(file, place.size):
                    digest.update(data)
        except OSError as error:
            raise InputError(f"{self.where(name)} cannot be read: {error.strerror}") from None
        return digest.hexdigest()

    def is_settled(self, name: str) -> bool:
        """See `moviola.data.stores.Store`: as its archive is."""
        return is_settled(self.shard(name))

    @contextmanager
    def as_file(self, name: str) -> Iterator[Path]:
        """See `moviola.data.stores.Store`: a temporary copy with the same suffix, gone afterwards."""
        place = self._places[name]
        with tempfile.TemporaryDirectory(prefix="moviola-") as folder:
            path = Path(folder) / ("member" + PurePosixPath(name).suffix.lower())
            try:
                with place.shard.open("rb") as file, path.open("wb") as copy:
                    file.seek(place.offset)
                    copy.writelines(_chunks(file, place.size))
            except OSError as error:
                raise InputError(f"{self.where(name)} cannot be read: {error.strerror}") from None
            yield path


def is_shards(path: str | Path) -> bool:
    """Return whether a path means tar archives: one, or several by `{000..003}` or `{a,b}`."""
    return str(path).lower().endswith(".tar")


def expand_shards(pattern: str | Path) -> list[Path]:
    """Return the archives that a pattern means, in its order.

    Args:
        pattern: a path; `{000..003}` in it counts with as many digits as its first number, `{a,b}` lists.

    Raises:
        InputError: a brace that is neither, or an archive that is not there.
    """
    paths = [Path(text) for text in _expanded(str(pattern))]
    for path in paths:
        if not path.is_file():
            part = f", one of {pattern}" if len(paths) > 1 else ""
            raise InputError(f"no such file: {path}{part}")
    return paths


def _expanded(text: str) -> list[str]:
    match = _BRACES.search(text)
    if match is None:
        return [text]
    prefix, suffix = text[: match.start()], text[match.end() :]
    span = _RANGE.fullmatch(match[1])
    if span is not None:
        first, last = int(span[1]), int(span[2])
        if not first <= last < first + _MOST_SHARDS:
            raise InputError(f"{text}: {{{match[1]}}} does not count upwards; write {{000..003}}")
        words = [f"{number:0{len(span[1])}d}" for number in range(first, last + 1)]
    elif "," in match[1]:
        words = match[1].split(",")
    else:
        raise InputError(f"{text}: {{{match[1]}}} is no range; write {{000..003}}, or {{a,b}}")
    return [prefix + word + tail for word in words for tail in _expanded(suffix)]


def _members(shard: Path) -> Iterator[tuple[str, _Place]]:
    try:
        size = shard.stat().st_size
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if name.startswith("/") or ".." in name.split("/"):
                    raise InputError(
                        f"{shard}: member {member.name!r} points outside the archive; make it anew"
                    )
                if not member.isfile() or is_hidden(name):
                    continue
                if member.offset_data + member.size > size:
                    raise InputError(f"{shard} is cut short: {name!r} reaches beyond its end")
                yield name, _Place(shard, member.offset_data, member.size)
    except tarfile.TarError as error:
        raise InputError(
            f"{shard} is not a readable tar ({error}); one that is compressed must be unpacked to .tar first"
        ) from None
    except OSError as error:
        raise InputError(f"{shard} cannot be read: {error.strerror or error}") from None


def _chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the next `size` bytes of a file, or as many as there are, a MiB at a time."""
    while size > 0 and (data := file.read(min(size, 1 << 20))):
        yield data
        size -= len(data)
