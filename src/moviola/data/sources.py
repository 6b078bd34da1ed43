"""Data sets as they lie on disk: open one, look at its clips, read any frames, split it in two.

::

    source = open_source("clips/")            # videos, frame folders, strips; nested by label; zip; list file
    source = open_source("kth:data/kth#test") # a published data set, by name
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
from typing import TYPE_CHECKING, Literal, Protocol

from moviola.core.errors import ConfigError, FormatError, InputError, UnknownNameError, check_name
from moviola.core.names import name_bytes
from moviola.core.rates import Rate, as_rate
from moviola.core.seeds import derive
from moviola.data.caption_files import find_captions, named_captions
from moviola.data.layouts import (
    LAYOUTS,
    ClipInfo,
    FramesClip,
    StoredClip,
    StripClip,
    VideoClip,
    detect,
    find_clips,
)
from moviola.data.list_file import LIST_SUFFIXES, one_clip, read_list
from moviola.data.named.base import TRAIN, Member, Spec
from moviola.data.named.registry import DatasetClips, open_named, parse_spec
from moviola.data.stores import FolderStore, Store, ZipStore

if TYPE_CHECKING:
    from moviola.core.video import Video

DEFAULT_FPS = Fraction(25)


class _Grouped(Protocol):
    """A clip of a source or of its cache."""

    @property
    def name(self) -> str: ...
    @property
    def split(self) -> str | None: ...
    @property
    def group(self) -> str | None: ...


@dataclass(frozen=True)
class Item:
    """What a source knows of one clip.

    Args:
        name: unique in the source; for files the path below the source, for frame folders that of the folder.
        label: its class (the first folder level, or a list file's second column), or None.
        caption: its caption, or None.
        clip: the clip itself.
        captions: all of its captions, of which `caption` is the first.
        split: of a named data set, the one it belongs to.
        group: what no split may tear apart (a person, a source video); None where that is the clip alone.
    """

    name: str
    label: str | None
    caption: str | None
    clip: StoredClip
    captions: tuple[str, ...] = ()
    split: str | None = None
    group: str | None = None

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
        captions: clip name to caption, or to several.
        skipped: (name, reason) of files left out.
        named: which published data set it is, and what of it was found.
    """

    def __init__(
        self,
        clips: Sequence[StoredClip],
        path: Path,
        layout: str,
        captions: Mapping[str, str | tuple[str, ...]] | None = None,
        skipped: Sequence[tuple[str, str]] = (),
        named: DatasetClips | None = None,
    ) -> None:
        self.path, self.layout, self.skipped, self.named = path, layout, tuple(skipped), named
        self._captions = dict(captions or {})
        members = {member.clip.name: member for member in named.members} if named is not None else {}
        self._items = [_item(clip, self._captions.get(clip.name), members.get(clip.name)) for clip in clips]

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
        counts = Counter(item.label for item in self._items if item.label is not None)
        return {label: counts[label] for label in sorted(counts)}

    @cached_property
    def splits(self) -> dict[str, int]:
        """Split to number of clips, of a named data set that has splits."""
        return dict(Counter(item.split for item in self._items if item.split is not None))

    def part(self, held: bool) -> Source:
        """Return the clips to train on, or with `held` the others, by the splits that the data set comes with.

        A source of one split, or of none, is returned as it is.
        """
        if len(self.splits) < 2:
            return self
        return self.subset([i for i, item in enumerate(self._items) if (item.split != TRAIN) == held])

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
        return Source(clips, self.path, self.layout, self._captions, self.skipped, self.named)

    def fingerprint(self) -> str:
        """Return a sha256 (hex) that changes when a clip is added, removed, renamed or touched.

        Made of names, sizes, times of writing and of change (folders), or names, sizes and checksums (zip).
        """
        digest = hashlib.sha256()
        for item in self._items:
            clip = item.clip
            extent = f"\t{clip.extent}" if clip.extent else ""
            digest.update(name_bytes(f"{type(clip).__name__}\t{clip.name}\t{clip.fps}{extent}\n"))
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
            tab), one video, or one strip; tar shards (`shard-{000..003}.tar`); or a published data set by name
            (`kth:PATH`, `kth:PATH#test`; see `moviola.data.named.registry`).
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
    check_name("layout", layout, ("auto", *LAYOUTS))
    rate = as_rate(fps)
    spec = parse_spec(path, rate)
    if spec is not None:
        return _open_named(spec, layout, captions)
    path = Path(path)
    if not path.exists():
        raise InputError(f"no such file or folder: {path}")
    if path.is_dir() or path.suffix.lower() == ".zip":
        store: Store = FolderStore(path) if path.is_dir() else ZipStore(path)
        kind = detect(store) if layout == "auto" else layout
        clips, skipped = find_clips(store, kind, rate)  # type: ignore[arg-type]
        caption_of = find_captions(store, [clip.name for clip in clips], captions)
        return Source(clips, path, kind, caption_of, skipped=skipped)
    if path.suffix.lower() in LIST_SUFFIXES:
        return _open_list(path, layout, captions, rate)
    clip = one_clip(FolderStore(path.parent), path.name, None, layout, rate)
    caption_of = named_captions(Path(captions), [clip.name], None) if captions else {}
    return Source([clip], path, layout if layout != "auto" else _layout_of(clip), caption_of)


def source_exists(path: str | Path) -> bool:
    """Return whether there is something at a path, or at that of a data set by name.

    Raises:
        UnknownNameError: a data set or a split that does not exist. InputError: a data set that is not at its path.
    """
    return parse_spec(path) is not None or Path(path).exists()


def is_held_out(item: _Grouped, splits: Mapping[str, int]) -> bool:
    """Return whether a clip is held out from training.

    Args:
        item: the clip.
        splits: of its source. With several, all but "train" are held out; otherwise one in ten groups (clips, where
            there are no groups), by a hash of the name.
    """
    if len(splits) > 1:
        return item.split != TRAIN
    return derive(10, item.group or item.name) % 10 == 0


def _open_named(spec: Spec, layout: str, captions: str | Path | None) -> Source:
    if layout != "auto":
        raise ConfigError(f"{spec.name} has a layout of its own; leave {layout!r} out")
    dataset = open_named(spec)
    clips = [member.clip for member in dataset.members]
    caption_of = {member.clip.name: member.captions for member in dataset.members if member.captions}
    if captions is not None:
        overrides = named_captions(Path(captions), [clip.name for clip in clips], spec.path)
        caption_of |= {name: (text,) for name, text in overrides.items()}
    return Source(clips, spec.path, spec.name, caption_of, dataset.skipped, dataset)


def _item(clip: StoredClip, caption: str | tuple[str, ...] | None, member: Member | None) -> Item:
    captions = (caption,) if isinstance(caption, str) else caption or ()
    split, group = (member.split, member.group) if member is not None else (None, None)
    return Item(clip.name, clip.label, next(iter(captions), None), clip, captions, split, group)


def split(
    source: Source,
    fraction: float,
    by: Literal["name", "pair", "group"] | Callable[[Item], Hashable] = "name",
    seed: int = 0,
) -> tuple[Source, Source]:
    """Split a source in two by hashing its clips' names; the order of the clips and the machine do not matter.

    Args:
        source: what to split.
        fraction: the part of the groups that goes into the second source, 0 to 1. Between them, both sources
            get at least one group.
        by: what may not be torn apart. `name`: every clip is its own group; `group`: `Item.group`, where there is one;
            `pair`: the last number in the name, halved (clips 2k and 2k+1 stay together, with those of other folders:
            the mirrored pairs of the Weizmann strips, and with them the person); or a function of an `Item` that
            returns the group.
        seed: another seed, another split.

    Returns:
        The larger part (training) and the smaller (validation), each in the order of `source`.

    Raises:
        ConfigError: a fraction outside [0, 1], or a single group that cannot be split.
        InputError: `pair` for a name without a number.
    """
    if not 0 <= fraction <= 1:
        raise ConfigError(f"fraction must be between 0 and 1, not {fraction}")
    if by not in ("name", "pair", "group") and not callable(by):
        raise UnknownNameError.of("grouping", str(by), ("name", "pair", "group"))
    groups = [str(_group(item, by)) for item in source]
    ranked = sorted(set(groups), key=lambda group: hashlib.sha256(name_bytes(f"{seed}\t{group}")).digest())
    count = round(fraction * len(ranked))
    if 0 < fraction < 1:
        if len(ranked) < 2:
            raise ConfigError(f"{source.path} has one group of clips; there is nothing to split by {by!r}")
        count = min(max(count, 1), len(ranked) - 1)
    held_out = set(ranked[:count])
    train = [i for i, group in enumerate(groups) if group not in held_out]
    val = [i for i, group in enumerate(groups) if group in held_out]
    return source.subset(train), source.subset(val)


def _group(item: Item, by: str | Callable[[Item], Hashable]) -> Hashable:
    if callable(by):
        return by(item)
    if by in ("name", "group"):
        return (item.group if by == "group" else None) or item.name
    numbers = re.findall(r"[0-9]+", PurePosixPath(item.name).with_suffix("").name)
    if not numbers:
        raise InputError(f"cannot pair {item.name!r}: there is no number in its name")
    return int(numbers[-1]) // 2


def _layout_of(clip: StoredClip) -> str:
    return {VideoClip: "videos", FramesClip: "frames", StripClip: "strips"}[type(clip)]


def _open_list(path: Path, layout: str, captions: str | Path | None, fps: Fraction) -> Source:
    store = FolderStore(path.parent)
    clips: list[StoredClip] = []
    rows = read_list(path)
    for row in rows:
        try:
            clips.append(one_clip(store, row.name, row.label or None, layout, fps))
        except InputError as error:
            raise type(error)(f"{path} line {row.line}: {error}") from None
    if not clips:
        raise FormatError(f"{path} lists no clips; write one path a line")
    caption_of = {row.name: row.caption for row in rows if row.caption}
    if captions is not None:
        caption_of |= named_captions(Path(captions), [row.name for row in rows], None)
    return Source(clips, path, "list", caption_of)
