"""Where the captions of a data set lie: in it, in its folders, or beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from moviola.core.errors import InputError
from moviola.data.captions import (
    CAPTION_NAMES,
    METADATA_NAMES,
    CaptionLine,
    decode_text,
    match_captions,
    match_metadata,
    prefix_folder,
    read_captions,
    read_metadata,
)
from moviola.data.stores import Store


def find_captions(store: Store, names: list[str], captions: str | Path | None) -> dict[str, str]:
    """Return the captions of a data set by the names of its clips.

    Args:
        store: its files.
        names: of its clips.
        captions: the file to read; None looks for one in the data set, then beside it.

    Raises:
        InputError: two files where one is wanted, or one that does not fit; the message names the line.
    """
    if captions is not None:
        return named_captions(Path(captions), names, store.root)
    inside = [name for name in CAPTION_NAMES if name in store.names()]
    if len(inside) > 1:
        raise InputError(f"{store.root} holds {' and '.join(inside)}; keep one, or name the one to use")
    if inside:
        where = store.where(inside[0])
        lines = read_captions(decode_text(store.read_bytes(inside[0]), where), where)
        files = dict.fromkeys(store.names(), "")
        return match_captions(lines, names, where, files.get)
    if metadata := _stored_metadata(store, names):
        return metadata
    for file_names, read in ((CAPTION_NAMES, read_captions), (METADATA_NAMES, read_metadata)):
        candidates = [path for name in file_names if (path := _parent(store.root) / name).is_file()]
        if len(candidates) > 1:
            raise InputError(
                f"beside {store.root} lie {' and '.join(p.name for p in candidates)}; keep one, or name one"
            )
        if candidates:
            return named_captions(candidates[0], names, store.root, read)
    return {}


def _stored_metadata(store: Store, names: list[str]) -> dict[str, str]:
    """Read the metadata files in the folders of a data set."""
    files = []
    for name in store.names():
        folder, _, last = name.rpartition("/")
        if last in METADATA_NAMES:
            where = store.where(name)
            lines = read_metadata(decode_text(store.read_bytes(name), where), where)
            files.append((where, prefix_folder(lines, folder)))
    return match_metadata(files, names, dict.fromkeys(store.names(), "").get)


def named_captions(
    path: Path,
    names: list[str],
    root: Path | None,
    read: Callable[[str, str], list[CaptionLine]] = read_captions,
) -> dict[str, str]:
    """Read a caption file outside the data set: its names count from the data set's root or from its own folder."""

    clip_names = set(names)

    def resolve(file: str) -> str | None:
        target = path.parent / file
        if root is not None and target.is_relative_to(root):
            relative = target.relative_to(root).as_posix()
            if relative in clip_names:
                return relative
        return "" if target.exists() else None

    return match_captions(read(read_text(path), str(path)), names, str(path), resolve)


def _parent(root: Path) -> Path:
    """Return the folder that holds `root`, also for "." and "..", whose `parent` is not it."""
    return root.parent if root.name not in ("", "..") else root.resolve().parent


def read_text(path: Path) -> str:
    """Return the content of a UTF-8 file.

    Raises:
        InputError: it cannot be read, or is no UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    return decode_text(data, str(path))
