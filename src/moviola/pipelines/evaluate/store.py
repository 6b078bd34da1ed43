"""Features on disk: what the map step made of every clip, kept for the next time and never held in memory whole.

::

    <cache folder>/features/<key>/0.f32, 1.f32 ...   one file an output, float32, a row a clip
                                  index.json         what they are; written last
    <cache folder>/features/<key>.parts/*.npz        rows of a run that has not ended; the next run goes on from them

An entry is built beside its place and renamed; a part is written beside its place and renamed. So whatever is there is
whole, or is seen to be damaged by its size and checksum and is made anew.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from moviola.core.atomic import into_place, reason_of, workplace
from moviola.core.errors import ConfigError, InputError, OutputError

FORMAT = 1
_DAMAGE = (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)

Rows = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Features:
    """The features of a set, one row a clip.

    Attributes:
        rows: which of the planned clips they are, ascending.
        failed: (name, reason) of those that could not be made.
        outputs: name to float32 (clips, ...), mapped from disk.
    """

    rows: tuple[int, ...]
    failed: tuple[tuple[str, str], ...]
    outputs: dict[str, np.ndarray]


@contextmanager
def write_errors(root: Path) -> Iterator[None]:
    """Turn errors of the file system into one line that names the cache folder."""
    try:
        yield
    except OSError as error:
        reason = reason_of(error, "; clear it, or name another with MOVIOLA_CACHE")
        raise OutputError(f"the feature cache {root} cannot be written: {reason}") from None


class FeatureStore:
    """One entry of the cache, from its first part to the whole.

    Args:
        root: folder of all entries.
        key: name of this one.
        names: of the planned clips; row i is that of `names[i]`.
        what: name of the extractor, for messages.
    """

    def __init__(self, root: Path, key: str, names: Sequence[str], what: str) -> None:
        self.root, self.folder, self.names, self.what = root, root / key, names, what
        self.parts = root / f"{key}.parts"

    def read(self) -> Features | None:
        """Return the entry, or None where it is missing or damaged."""
        try:
            index = json.loads((self.folder / "index.json").read_text(encoding="utf-8"))
            if index["format"] != FORMAT or index["names"] != [self.names[i] for i in index["rows"]]:
                return None
            outputs = {
                name: _open(self.folder / f"{i}.f32", about, len(index["rows"]))
                for i, (name, about) in enumerate(index["outputs"].items())
            }
        except _DAMAGE:
            return None
        failed = tuple((name, reason) for name, reason in index["failed"])
        return Features(tuple(index["rows"]), failed, outputs)

    def done(self) -> tuple[set[int], list[tuple[str, str]]]:
        """Return the rows that parts hold, and the (name, reason) of those that failed; damaged parts are removed."""
        rows: set[int] = set()
        failed: dict[str, str] = {}
        for path in self._part_paths():
            part = _read_part(path)
            if part is None or (len(part.rows) and max(part.rows) >= len(self.names)):
                path.unlink(missing_ok=True)
                continue
            rows.update(part.rows)
            failed.update(part.failed)
        return rows, sorted(failed.items())

    def add(self, rows: Mapping[int, Rows], failed: Sequence[tuple[str, str]] = ()) -> None:
        """Write some rows (row number to output to array) as a part.

        Raises:
            OutputError: it cannot be written. ConfigError: arrays whose shape differs from clip to clip.
        """
        if not rows and not failed:
            return
        numbers = sorted(rows)
        arrays = (
            {f"out.{name}": self._stacked(rows, numbers, name) for name in rows[numbers[0]]} if rows else {}
        )
        said = np.frombuffer(json.dumps([list(pair) for pair in failed]).encode(), dtype=np.uint8)
        token = secrets.token_hex(6)
        with write_errors(self.root):
            self.parts.mkdir(parents=True, exist_ok=True)
            with workplace(self.parts, token) as folder:
                beside = folder / "rows.npz"
                np.savez(beside, rows=np.array(numbers, np.int64), failed=said, **arrays)  # type: ignore[arg-type]
                into_place(beside, self.parts / f"{token}.npz")

    def finish(self) -> Features:
        """Join the parts into the entry, and remove them.

        Raises:
            OutputError: it cannot be written. ConfigError: parts of different shape. InputError: nothing but failures.
        """
        ready = self.read()
        if ready is not None:  # another process was faster
            shutil.rmtree(self.parts, ignore_errors=True)
            return ready
        with write_errors(self.root), workplace(self.root, self.folder.name) as beside:
            self._join(beside)
            into_place(beside, self.folder, self.read)
        made = self.read()
        if made is None:
            raise OutputError(f"the feature cache {self.root} does not keep what is written to it")
        shutil.rmtree(self.parts, ignore_errors=True)
        return made

    def _part_paths(self) -> list[Path]:
        return sorted(path for path in self.parts.glob("*.npz") if not path.name.startswith("."))

    def _stacked(self, rows: Mapping[int, Rows], numbers: Sequence[int], name: str) -> np.ndarray:
        arrays = [np.asarray(rows[number][name], dtype=np.float32) for number in numbers]
        for number, array in zip(numbers, arrays, strict=True):
            self._same_shape(name, array.shape, arrays[0].shape, self.names[number])
        return np.stack(arrays)

    def _same_shape(self, name: str, shape: tuple[int, ...], wanted: tuple[int, ...], clip: str) -> None:
        if shape != wanted:
            raise ConfigError(
                f"{self.what} gives {name} of shape {shape} for {clip} and {wanted} for other clips; "
                "one size for all is needed, as resize=... in the protocol"
            )

    def _join(self, folder: Path) -> None:
        rows, failed = self.done()
        if not rows:
            first = f"; the first: {failed[0][1]}" if failed else ""
            raise InputError(f"none of {len(self.names)} clips could be decoded{first}")
        kept = sorted(rows)
        place = {number: i for i, number in enumerate(kept)}
        shapes: dict[str, tuple[int, ...]] = {}
        with ExitStack() as stack:
            files: dict[str, BinaryIO] = {}
            for part in filter(None, map(_read_part, self._part_paths())):
                for name, array in part.outputs.items():
                    if name not in files:
                        files[name] = stack.enter_context((folder / f"{len(files)}.f32").open("wb"))
                        shapes[name] = array.shape[1:]
                    self._same_shape(name, array.shape[1:], shapes[name], self.names[part.rows[0]])
                    for number, row in zip(part.rows, array, strict=True):
                        files[name].seek(place[number] * row.nbytes)
                        files[name].write(row.tobytes())
        outputs = {
            name: {"shape": list(shape), "sha256": _sha256(folder / f"{i}.f32")}
            for i, (name, shape) in enumerate(shapes.items())
        }
        index = {
            "format": FORMAT,
            "what": self.what,
            "rows": kept,
            "names": [self.names[number] for number in kept],
            "failed": failed,
            "outputs": outputs,
        }
        with (folder / "index.json").open("w", encoding="utf-8") as file:
            json.dump(index, file)


def _open(path: Path, about: Mapping[str, Any], rows: int) -> np.ndarray:
    """Map one output; raises ValueError where size or checksum is not what the index says."""
    shape = (rows, *about["shape"])
    if path.stat().st_size != 4 * int(np.prod(shape)) or _sha256(path) != about["sha256"]:
        raise ValueError(f"{path} is damaged")
    return np.memmap(path, np.float32, "r", shape=shape)


def _read_part(path: Path) -> Features | None:
    """Read a part, or None where it is damaged (the archive holds a checksum of every array)."""
    try:
        with np.load(path) as file:
            failed = json.loads(file["failed"].tobytes().decode() or "[]")
            rows = tuple(int(row) for row in file["rows"])
            outputs = {name[4:]: file[name] for name in file.files if name.startswith("out.")}
        if any(len(array) != len(rows) for array in outputs.values()):
            return None
        return Features(rows, tuple((name, reason) for name, reason in failed), outputs)
    except _DAMAGE:
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
