"""What one path means, a video, a strip or a folder of frames; and list files, which name one path a line."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from moviola.core.errors import FormatError, InputError
from moviola.data.caption_files import read_text
from moviola.data.layouts import (
    RATE_FILE,
    FramesClip,
    StoredClip,
    StripClip,
    VideoClip,
    is_strip,
    open_image,
    suffix_of,
)
from moviola.data.stores import FolderStore

LIST_SUFFIXES: tuple[str, ...] = (".txt", ".lst", ".list", ".tsv")


@dataclass(frozen=True)
class ListedClip:
    """One line of a list file: where it stands, from 1; the path; label and caption, "" for none."""

    line: int
    name: str
    label: str
    caption: str


def one_clip(store: FolderStore, name: str, label: str | None, layout: str, fps: Fraction) -> StoredClip:
    """Return the clip that one path means: a video, a strip, or a folder of frames.

    Args:
        store: a folder.
        name: what is meant in it.
        label: of the clip.
        layout: "auto", or one of `moviola.data.layouts.LAYOUTS`.
        fps: the rate of a clip that has none of its own, Hz.

    Raises:
        FormatError: it is none of these.
    """
    from moviola.data.codec.formats import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    path = store.root / name
    suffix = suffix_of(name)
    if path.is_dir():
        inside = [entry for entry in FolderStore(path).names() if "/" not in entry]
        images = tuple(f"{name}/{entry}" for entry in inside if suffix_of(entry) in IMAGE_SUFFIXES)
        if not images:
            raise FormatError(
                f"{path} is a folder without images; name a video, a strip or a folder of frames"
            )
        return FramesClip(
            store, name, label, fps, images, f"{name}/{RATE_FILE}" if RATE_FILE in inside else ""
        )
    if suffix in IMAGE_SUFFIXES and layout in ("auto", "strips"):
        with open_image(store, name) as image:
            size, moves = image.size, bool(getattr(image, "is_animated", False))
        if moves and layout == "auto":
            return VideoClip(store, name, label, fps)
        if layout == "strips" or is_strip(*size):
            return StripClip(store, name, label, fps)
        if suffix not in VIDEO_SUFFIXES:
            raise FormatError(
                f"{path} is one image of {size[0]}x{size[1]}, neither a video nor a strip of squares"
            )
    if suffix in VIDEO_SUFFIXES or (layout == "videos" and suffix in IMAGE_SUFFIXES):
        return VideoClip(store, name, label, fps)
    suffixes = ", ".join(sorted({*VIDEO_SUFFIXES, ".zip", *LIST_SUFFIXES}))
    raise FormatError(f"{path} is no data set: give a folder or a file of a known kind ({suffixes})")


def read_list(path: Path) -> list[ListedClip]:
    """Read a list file; every path in it exists and stands there once.

    Raises:
        InputError: a path is missing or stands there twice, or a line has too many columns; the message names the line.
    """
    rows: dict[str, ListedClip] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, label, caption, *more = [*(part.strip() for part in line.split("\t")), "", ""]
        if any(more):
            raise InputError(f"{path} line {number}: more than path, label and caption between tabs")
        if name in rows:
            raise InputError(f"{path} line {number}: {name!r} stands in line {rows[name].line} already")
        if not name or not (path.parent / name).exists():
            raise InputError(f"{path} line {number}: no such file: {name or '(empty)'}")
        rows[name] = ListedClip(number, name, label, " ".join(caption.split()))
    return list(rows.values())
