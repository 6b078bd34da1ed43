"""Whether a file or a folder may be written where it is asked for."""

from __future__ import annotations

from pathlib import Path

from moviola.core.errors import OutputError


def file_place(path: str | Path) -> Path:
    """Return `path` where a file may be written: its parent is there, and no folder is in its place.

    Raises:
        OutputError: neither.
    """
    path = _below_a_folder(path)
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; name a file")
    return path


def folder_place(folder: str | Path) -> Path:
    """Return `folder` where a folder may stand: its parent is there, and no file is in its place.

    Raises:
        OutputError: neither.
    """
    folder = _below_a_folder(folder)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"cannot write {folder}: a file of that name exists; name another folder")
    return folder


def _below_a_folder(path: str | Path) -> Path:
    path = Path(path)
    if not path.resolve().parent.is_dir():
        raise OutputError(f"cannot write {path}: {path.resolve().parent} does not exist; make it first")
    return path
