"""Making a folder whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moviola.core.errors import OutputError


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside `out` that takes its name at the end, and is gone after any failure.

    Args:
        out: a new or empty folder; its parent exists.

    Raises:
        OutputError: it holds something, or cannot be made.
    """
    target = out if out.name not in ("", "..") else out.resolve()
    if not target.parent.is_dir():
        raise OutputError(f"cannot write {out}: there is no folder {target.parent}; make it first")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OutputError(f"{out} exists and is not an empty folder; name a new one")
    beside = target.parent / f".{target.name}.{secrets.token_hex(4)}.part"
    try:
        beside.mkdir()
        yield beside
        if target.exists():
            target.rmdir()
        os.replace(beside, target)
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def file_place(path: str | Path) -> Path:
    """Return `path` where something may be written: its parent is there.

    Raises:
        OutputError: it is not.
    """
    path = Path(path)
    if not path.resolve().parent.is_dir():
        raise OutputError(f"cannot write {path}: {path.resolve().parent} does not exist; make it first")
    return path


def folder_place(folder: str | Path) -> Path:
    """Return `folder` where a folder may stand: its parent is there, and no file is in its place.

    Raises:
        OutputError: neither.
    """
    folder = file_place(folder)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"cannot write {folder}: a file of that name exists; name another folder")
    return folder
