"""The work folder: what each stage has finished, so that a run that was stopped goes on, and paint can be changed.

WORK/manifest.json      the input, the settings, the key frames, a stamp for every part
WORK/keys.png           the curve of changes and the key frames, for people
WORK/keys/000010.png    key frames as they are
WORK/painted/000010.png key frames, painted
WORK/parts/000010.mkv   the frames from key 10 to the next, painted, every value as it is
WORK/masks/000010.mkv   the masks from that of frame 10 to the next that is given, where only some are
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, Self

import numpy as np

from moviola.core import hub
from moviola.core.atomic import output_errors, write_atomic
from moviola.core.contents import contents
from moviola.core.errors import ConfigError, InputError, OutputError
from moviola.core.locks import NAME as LOCK
from moviola.core.locks import FolderLock
from moviola.data import codec

MANIFEST = "manifest.json"
_FOLDERS = ("keys", "painted", "parts")
_VERSION = 2
PICKLES = (".ckpt", ".bin", ".pt", ".pth", ".msgpack", ".h5", ".onnx")
"""Suffixes of a model folder's files that are never loaded."""


def stamp(*parts: Any) -> str:
    """Return the SHA-256 (hex) of what was given: bytes, arrays, and whatever JSON can hold."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(repr((part.shape, str(part.dtype))).encode())
            part = part.tobytes()
        elif not isinstance(part, bytes):
            part = json.dumps(part, sort_keys=True, default=str).encode()
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return found.hexdigest()


class Work:
    """A work folder.

    Args:
        folder: where it is. made: by this run, so that it may be removed. lock: keeps other runs out of it.

    Attributes:
        manifest: what `manifest.json` holds.
    """

    def __init__(self, folder: Path, made: bool, manifest: dict[str, Any], lock: FolderLock) -> None:
        self.folder, self.made, self.manifest, self._lock = folder, made, manifest, lock

    @classmethod
    def open(cls, folder: Path, source: Path, settings: dict[str, Any], resume: bool) -> Self:
        """Open a work folder, or begin one.

        Args:
            folder: new or empty, or (with `resume`) that of an earlier run on the same input.
            source: the input.
            settings: everything that decides the result, as JSON values.
            resume: go on with what is there.

        Raises:
            ConfigError: there is work and `resume` was not said, or it is of another input.
            OutputError: no folder can be made there, or another run is working in it. InputError: the manifest cannot
                be read.
        """
        if folder.exists() and (not folder.is_dir() or _is_foreign(folder)):
            raise OutputError(f"cannot work in {folder}: it is not empty and holds no {MANIFEST}")
        made = not folder.exists()
        with output_errors(folder):
            folder.mkdir(exist_ok=True)
        lock = FolderLock(folder, "a restyling")
        try:
            manifest = _begun(folder, source, resume)
            with output_errors(folder):
                for name in _FOLDERS:
                    (folder / name).mkdir(exist_ok=True)
            work = cls(folder, made, {**manifest, "settings": settings}, lock)
            work.save()
        except BaseException:
            lock.release()
            raise
        return work

    def close(self, remove: bool = False) -> None:
        """Let other runs in; with `remove` the folder goes first."""
        if remove:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()

    def save(self) -> None:
        """Write the manifest."""
        write_atomic(self.folder / MANIFEST, json.dumps(self.manifest, indent=1).encode())

    def done(self, stage: str, mark: str, key: int | None = None) -> bool:
        """Return whether a stage (or a key's piece of it) was finished with this stamp."""
        have = self.manifest.get("done", {}).get(_name(stage, key))
        return have == mark

    def finish(self, stage: str, mark: str, key: int | None = None) -> None:
        """Remember that it was, on disk."""
        self.manifest.setdefault("done", {})[_name(stage, key)] = mark
        self.save()

    def forget(self, stage: str) -> None:
        """Take back that pieces of a stage were finished."""
        done = self.manifest.get("done", {})
        for name in [name for name in done if name.startswith(f"{stage}/")]:
            del done[name]
        self.save()

    def weights(self, name: str) -> str | None:
        """Return what tells the weights of a model apart: contents of a file or folder, the commit of a hub name.

        Of a model that is gone since, what it was when this work was done: paint that is there needs it no more.
        """
        path, known = Path(name).expanduser(), self.manifest.setdefault("weights", {})
        found = contents(path, PICKLES) if path.exists() else hub.revision(name)
        if found is not None:
            known[name] = found
        return known.get(name)

    def memory(self, mark: str) -> Path:
        """Return the file for a painter's memory of the run with this stamp; those of other runs are removed."""
        path = self.folder / f"memory-{mark[:16]}"
        for other in self.folder.glob("memory*"):
            if other != path:
                other.unlink(missing_ok=True)
        return path

    @property
    def is_new(self) -> bool:
        """Whether this run made the folder and nothing in it took time: a mistake in an option leaves none."""
        return self.made and not any("/" in name for name in self.manifest.get("done", {}))

    def picture(self, kind: str, index: int) -> Path:
        """Return the path of a key frame: `kind` "keys" or "painted"."""
        return self.folder / kind / f"{index:06d}.png"

    def part(self, index: int) -> Path:
        """Return the path of the part that begins at a key."""
        return self.folder / "parts" / f"{index:06d}.mkv"

    def masks(self, index: int) -> Path:
        """Return the path of the carried masks of a part that begins at a frame; their folder is there then."""
        folder = self.folder / "masks"
        with output_errors(folder):
            folder.mkdir(exist_ok=True)
        return folder / f"{index:06d}.mkv"


def load_picture(path: Path) -> np.ndarray:
    """Read a picture as the codec does: uint8 (H, W, 3), upright, 16-bit grey rounded to 8, alpha over white.

    Raises:
        InputError: it is not there. VideoReadError: it cannot be read.
    """
    if not path.exists():
        raise InputError(f"no painted key frame {path}")
    return codec.read_picture(path)


def _name(stage: str, key: int | None) -> str:
    return stage if key is None else f"{stage}/{key:06d}"


def _is_foreign(folder: Path) -> bool:
    """Return whether a folder holds something, but no work."""
    names = {path.name for path in folder.iterdir()} - {LOCK}
    return bool(names) and MANIFEST not in names


def _begun(folder: Path, source: Path, resume: bool) -> dict[str, Any]:
    """Return the manifest of the work in a folder, or that of new work; raises as `Work.open` does."""
    given = {"version": _VERSION, "input": source.name, "sha256": contents(source)}
    path = folder / MANIFEST
    if not path.exists():
        return given
    if not resume:
        raise ConfigError(f"{folder} holds the work of an earlier run; --resume goes on with it")
    manifest = _read(path)
    _check_input(folder, manifest, given)
    return manifest


def _check_input(folder: Path, manifest: dict[str, Any], given: dict[str, Any]) -> None:
    """Refuse to go on with work on something else.

    Raises:
        ConfigError: the input has another name or other contents, or another version of moviola did the work.
    """
    name, before = given["input"], manifest.get("input")
    if before != name:
        what = f"work on another input ({before}, not {name})"
    elif manifest.get("version") != given["version"]:
        what = "the work of another version of moviola"
    elif manifest.get("sha256") != given["sha256"]:
        what = f"work on another input: what {name} held then is not what it holds now"
    else:
        return
    raise ConfigError(f"{folder} holds {what}; name another --work folder")


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}; remove the folder to begin anew") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} is no manifest; remove the folder to begin anew")
    return found
