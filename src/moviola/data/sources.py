"""Data sets as they lie on disk: open one, look at its clips, read any frames, split it in two.

::

    source = open_source("clips/")            # videos, frame folders, strips; nested by label; zip; list file
    video = source.read(0, [0, 4, 8])
    train, val = split(source, 0.1)
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from moviola.core.errors import ConfigError, FormatError, InputError, UnknownNameError
from moviola.core.names import name_bytes
from moviola.core.rates import Rate, as_rate
from moviola.data.caption_files import find_captions, named_captions, read_text
from moviola.data.layouts import (
    LAYOUTS,
    RATE_FILE,
    Clip,
    ClipInfo,
    FramesClip,
    StripClip,
    VideoClip,
    detect,
    find_clips,
    is_strip,
    open_image,
    suffix_of,
)
from moviola.data.stores import FolderStore, Store, ZipStore

if TYPE_CHECKING:
    from moviola.core.video import Video

LIST_SUFFIXES: tuple[str, ...] = (".txt", ".lst", ".list", ".tsv")
DEFAULT_FPS = Fraction(25)


@dataclass(frozen=True)
class Item:
    """What a source knows of one clip.

    Args:
        name: unique in the source; for files the path below the source, for frame folders that of the folder.
        label: its class (the first folder level, or a list file's second column), or None.
        caption: its caption, or None.
        clip: the clip itself.
    """

    name: str
    label: str | None
    caption: str | None
    clip: Clip

    @property
    def info(self) -> ClipInfo:
        """Frames, height, width and rate; opens the file, and raises what that raises."""
        return self.clip.info()


class Source:
    """Clips in a stable order; `source[i]` tells of one, `source.read(i)` gives its frames.

    Args:
        clips: the clips, in order; their names differ.
        path: where they come from.
        layout: how they lie: videos, frames, strips or list.
        captions: clip name to caption.
        skipped: (name, reason) of files left out.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        path: Path,
        layout: str,
        captions: Mapping[str, str] | None = None,
        skipped: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.path, self.layout, self.skipped = path, layout, tuple(skipped)
        self._captions = dict(captions or {})
        self._items = [Item(clip.name, clip.label, self._captions.get(clip.name), clip) for clip in clips]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Item:
        return self._items[index]

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __repr__(self) -> str:
        return f"Source({str(self.path)!r}, layout={self.layout!r}, clips={len(self)})"

    @cached_property
    def names(self) -> list[str]:
        """The clips' names, in order."""
        return [item.name for item in self._items]

    @cached_property
    def labels(self) -> dict[str, int]:
        """Label to number of clips, sorted by label; clips without one are not counted."""
        found = Counter(item.label for item in self._items if item.label is not None)
        return {label: found[label] for label in sorted(found)}

    def info(self, index: int) -> ClipInfo:
        """Return frames, size and rate of clip `index`; raises `VideoReadError` for one that cannot be opened."""
        return self[index].info

    def read(self, index: int, indices: Sequence[int] | None = None) -> Video:
        """Return frames of clip `index`.

        Args:
            index: which clip.
            indices: which frames, in this order; None for all.

        Raises:
            VideoReadError: the clip cannot be decoded.
            InputError: a frame beyond its end.
        """
        return self[index].clip.read(indices)

    def stream(self, index: int, batch: int = 16) -> Iterator[Video]:
        """Yield clip `index` in pieces of at most `batch` frames; memory does not grow with its length."""
        return self[index].clip.stream(batch)

    def subset(self, indices: Sequence[int]) -> Source:
        """Return a source of these clips, in this order."""
        clips = [self[i].clip for i in indices]
        return Source(clips, self.path, self.layout, self._captions, self.skipped)

    def fingerprint(self) -> str:
        """Return a sha256 (hex) that changes when a clip is added, removed, renamed or touched.

        Made of names, sizes and modification times (folders), or names, sizes and checksums (zip).
        """
        digest = hashlib.sha256()
        for item in self._items:
            clip = item.clip
            digest.update(name_bytes(f"{type(clip).__name__}\t{clip.name}\t{clip.fps}\n"))
            for name in clip.files():
                digest.update(name_bytes(f"{name}\t{clip.store.stamp(name)}\n"))
        return digest.hexdigest()


def open_source(
    path: str | Path,
    layout: str = "auto",
    captions: str | Path | None = None,
    fps: Rate = DEFAULT_FPS,
) -> Source:
    """Open a data set.

    Args:
        path: a folder, a `.zip`, a list file (one path a line; a label and a caption may follow, each after a
            tab), one video, or one strip.
        layout: `auto`, `videos`, `frames` or `strips` (see `moviola.data.layouts.detect`).
        captions: a `.csv` or `.jsonl` file with the columns `file` (or `file_name`, `path`) and `caption`; None looks
            for `captions.csv`, `captions.jsonl` and the `metadata` files of its folders in it, then beside it.
        fps: the rate of clips that have none of their own (frame folders and strips), Hz.

    Returns:
        The source, its clips in natural order (a list keeps its own).

    Raises:
        InputError: nothing is there, it is of no known layout, a listed path or a captioned file is missing; the
            message is one line and names the file, and the line in it.
    """
    path = Path(path)
    if layout not in ("auto", *LAYOUTS):
        raise UnknownNameError.of("layout", layout, ("auto", *LAYOUTS))
    rate = as_rate(fps)
    if not path.exists():
        raise InputError(f"no such file or folder: {path}")
    if path.is_dir() or path.suffix.lower() == ".zip":
        store: Store = FolderStore(path) if path.is_dir() else ZipStore(path)
        kind = detect(store) if layout == "auto" else layout
        clips, skipped = find_clips(store, kind, rate)  # type: ignore[arg-type]
        said = find_captions(store, [clip.name for clip in clips], captions)
        return Source(clips, path, kind, said, skipped=skipped)
    if path.suffix.lower() in LIST_SUFFIXES:
        return _open_list(path, layout, captions, rate)
    clip = _one_clip(FolderStore(path.parent), path.name, None, layout, rate)
    said = named_captions(Path(captions), [clip.name], None) if captions else {}
    return Source([clip], path, layout if layout != "auto" else _layout_of(clip), said)


def split(
    source: Source,
    fraction: float,
    by: Literal["name", "pair"] | Callable[[Item], Hashable] = "name",
    seed: int = 0,
) -> tuple[Source, Source]:
    """Split a source in two by hashing its clips' names; the order of the clips and the machine do not matter.

    Args:
        source: what to split.
        fraction: the part of the groups that goes into the second source, 0 to 1. Between them, both sources
            get at least one group.
        by: what may not be torn apart. `name`: every clip is its own group; `pair`: the last number in the name,
            halved (clips 2k and 2k+1 stay together, with those of other folders: the mirrored pairs of the
            Weizmann strips, and with them the person); or a function of an `Item` that returns the group.
        seed: another seed, another split.

    Returns:
        The larger part (training) and the smaller (validation), each in the order of `source`.

    Raises:
        ConfigError: a fraction outside [0, 1], or a single group that cannot be split.
        InputError: `pair` for a name without a number.
    """
    if not 0 <= fraction <= 1:
        raise ConfigError(f"fraction must be between 0 and 1, not {fraction}")
    if by not in ("name", "pair") and not callable(by):
        raise UnknownNameError.of("grouping", str(by), ("name", "pair"))
    groups = [str(_group(item, by)) for item in source]
    ranked = sorted(set(groups), key=lambda group: hashlib.sha256(name_bytes(f"{seed}\t{group}")).digest())
    count = round(fraction * len(ranked))
    if 0 < fraction < 1:
        if len(ranked) < 2:
            raise ConfigError(f"{source.path} has one group of clips; there is nothing to split by {by!r}")
        count = min(max(count, 1), len(ranked) - 1)
    held = set(ranked[:count])
    train = [i for i, group in enumerate(groups) if group not in held]
    val = [i for i, group in enumerate(groups) if group in held]
    return source.subset(train), source.subset(val)


def _group(item: Item, by: str | Callable[[Item], Hashable]) -> Hashable:
    if callable(by):
        return by(item)
    if by == "name":
        return item.name
    numbers = re.findall(r"[0-9]+", PurePosixPath(item.name).with_suffix("").name)
    if not numbers:
        raise InputError(f"cannot pair {item.name!r}: there is no number in its name")
    return int(numbers[-1]) // 2


def _layout_of(clip: Clip) -> str:
    return {VideoClip: "videos", FramesClip: "frames", StripClip: "strips"}[type(clip)]


def _one_clip(store: FolderStore, name: str, label: str | None, layout: str, fps: Fraction) -> Clip:
    """Return the clip that one path means: a video, a strip, or a folder of frames."""
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
    known = ", ".join(sorted({*VIDEO_SUFFIXES, ".zip", *LIST_SUFFIXES}))
    raise FormatError(f"{path} is no data set: give a folder or a file of a known kind ({known})")


@dataclass(frozen=True)
class _Listed:
    """One line of a list file."""

    line: int
    name: str
    label: str
    caption: str


def _open_list(path: Path, layout: str, captions: str | Path | None, fps: Fraction) -> Source:
    store = FolderStore(path.parent)
    clips: list[Clip] = []
    rows = _list_rows(path)
    for row in rows:
        try:
            clips.append(_one_clip(store, row.name, row.label or None, layout, fps))
        except InputError as error:
            raise type(error)(f"{path} line {row.line}: {error}") from None
    if not clips:
        raise FormatError(f"{path} lists no clips; write one path a line")
    said = {row.name: row.caption for row in rows if row.caption}
    if captions is not None:
        said |= named_captions(Path(captions), [row.name for row in rows], None)
    return Source(clips, path, "list", said)


def _list_rows(path: Path) -> list[_Listed]:
    """Read a list file; every path in it exists and stands there once."""
    rows: dict[str, _Listed] = {}
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
        rows[name] = _Listed(number, name, label, " ".join(caption.split()))
    return list(rows.values())
