"""Which result of a folder was made from which: the records in the files, joined by the contents of what they name.

::

    for result in descent("results"):
        print(result.path, "from", *result.parents)

A file that was moved, copied or renamed is still found; one that was written over since is not what the record names.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from moviola.core.contents import change_mark, contents
from moviola.core.errors import InputError
from moviola.core.progress import Tick
from moviola.core.provenance import Ingredient, Provenance
from moviola.data.codec.comments import FOLDER_FILE, read_comments
from moviola.data.codec.formats import IMAGE_SUFFIXES, VIDEO_SUFFIXES

__all__ = ["Ingredient", "Provenance", "Result", "descent", "read_provenance"]

_SUFFIXES = {*VIDEO_SUFFIXES, *IMAGE_SUFFIXES}


@dataclass(frozen=True)
class Result:
    """A file of a folder, and what it was made from.

    Attributes:
        path: a video, a picture or a folder of frames.
        provenance: how it was made; None where it does not say.
        parents: files and folders below the same folder that hold what it was made from, in the order of the record.
        missing: what it was made from besides, of which nothing lies there.
    """

    path: Path
    provenance: Provenance | None
    parents: tuple[Path, ...] = ()
    missing: tuple[Ingredient, ...] = ()


def read_provenance(path: str | Path) -> Provenance | None:
    """Return how a file or a folder of frames was made.

    Args:
        path: anything.

    Returns:
        The record that it holds (or the `.json` beside a bmp or tif); None where there is no such file, it holds none,
        or one that is damaged, of a later form, or a comment of another program.
    """
    records = (Provenance.parse(text) for text in read_comments(path))
    return next((one for one in records if one is not None), None)


def descent(folder: str | Path, tick: Tick | None = None) -> list[Result]:
    """Return the results of a folder and what each was made from.

    Args:
        folder: with all that is below it; hidden files and folders are left out.
        tick: called with 1 after each result.

    Returns:
        One for each video, picture and folder of frames that holds a record, and for those that others were made from,
        sorted by path. A folder of frames that holds a record is one result, not its frames.

    Raises:
        InputError: it is no folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of results")
    paths = sorted(_candidates(folder))
    records = {path: _read_marked(path) for path in paths}
    shelf = _Shelf(folder, paths)
    results = {}
    for path, record in records.items():
        if record is not None:
            results[path] = _joined(path, record, shelf)
        if tick is not None:
            tick(1)
    ancestors = {parent for result in results.values() for parent in result.parents} - set(results)
    results.update((path, Result(path, None)) for path in ancestors)
    return [results[path] for path in sorted(results)]


def _joined(path: Path, record: Provenance, shelf: _Shelf) -> Result:
    parents, missing = list[Path](), list[Ingredient]()
    for one in record.inputs:
        parent = shelf.find(one, path)
        if parent is None:
            missing.append(one)
        elif parent not in parents:
            parents.append(parent)
    return Result(path, record, tuple(parents), tuple(missing))


class _Shelf:
    """What lies in a folder, by contents; nothing is read before something is looked for.

    Args:
        folder: the folder. paths: the results in it.
    """

    def __init__(self, folder: Path, paths: Iterable[Path]) -> None:
        self._folder, self._paths = folder, list(paths)
        self._by_digest: dict[str, list[Path]] | None = None

    def find(self, ingredient: Ingredient, of: Path) -> Path | None:
        """Return what holds an ingredient of `of`: at its place, else under any name; None for nothing."""
        place = Path(os.path.normpath(of.parent / ingredient.name))
        if place.is_relative_to(self._folder) and digest_of(place) == ingredient.sha256 != "":
            return place
        if self._by_digest is None:
            self._by_digest = {}
            for path in self._paths:
                self._by_digest.setdefault(digest_of(path) or "", []).append(path)
        same = self._by_digest.get(ingredient.sha256, []) if ingredient.sha256 else []
        name = PurePosixPath(ingredient.name).name
        others = [path for path in same if path != of]
        return next((path for path in others if path.name == name), next(iter(others), None))


def digest_of(path: Path) -> str | None:
    """Return the checksum of what a path holds (`moviola.core.contents`); None where it cannot be read."""
    try:
        return contents(path) if path.is_dir() else _file_digest(path, change_mark(path))
    except (InputError, OSError):
        return None


@lru_cache(maxsize=4096)
def _file_digest(path: Path, mark: str) -> str:
    return contents(path)


def _read_marked(path: Path) -> Provenance | None:
    try:
        return _read_cached(path, change_mark(path / FOLDER_FILE if path.is_dir() else path))
    except OSError:
        return None


@lru_cache(maxsize=4096)
def _read_cached(path: Path, mark: str) -> Provenance | None:
    return read_provenance(path)


def _candidates(folder: Path) -> Iterator[Path]:
    """Yield the videos, the pictures and the folders of frames with a record below a folder."""
    for place, folders, files in os.walk(folder):
        above = Path(place)
        folders[:] = [name for name in folders if not name.startswith(".")]
        if FOLDER_FILE in files and above != folder:
            folders.clear()
            yield above
            continue
        for name in files:
            if not name.startswith(".") and PurePosixPath(name).suffix.lower() in _SUFFIXES:
                yield above / name
