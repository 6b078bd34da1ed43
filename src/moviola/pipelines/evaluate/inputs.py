"""REAL and FAKE, whatever was given, as one kind of thing: a list of videos that can be looked at and read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

from moviola.core.errors import InputError, VideoReadError
from moviola.core.names import name_bytes
from moviola.core.times import Clock, Times
from moviola.core.video import Video
from moviola.data.codec.formats import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from moviola.data.layouts import StoredClip, VideoClip, suffix_of
from moviola.data.sources import Source, open_source

Given = str | Path | Source | Video | Sequence[Video | str | Path]


@dataclass(frozen=True)
class Facts:
    """What a video is, before any frame is decoded.

    Attributes:
        frames: how many. height, width: px. fps: Hz.
        times: when each frame is shown, s; None where the rate is constant.
        codec: "h264", "png" ...; "uncompressed" for frames that came as they are.
    """

    frames: int
    height: int
    width: int
    fps: Fraction
    codec: str
    times: Times | None = None

    @property
    def clock(self) -> Clock:
        """When each frame is shown."""
        return Clock(self.frames, self.fps, self.times)


@dataclass(frozen=True)
class Entry:
    """One video of a set: of a source (`source`, `index`), or in memory (`video`).

    Attributes:
        name: unique in its set.
        label: its class, or None.
        caption: its caption, or None.
    """

    name: str
    label: str | None
    caption: str | None
    source: Any = None
    index: int = 0
    video: Video | None = None

    def facts(self) -> Facts:
        """Look at the video; raises what opening it raises."""
        if self.video is not None:
            shape = self.video.frames.shape
            return Facts(shape[0], shape[1], shape[2], self.video.fps, "uncompressed", self.video.times)
        item = self.source[self.index]
        clip = getattr(item, "clip", None)
        if isinstance(clip, VideoClip):
            return _probe(clip)
        info = item.info
        return Facts(info.frames, info.height, info.width, info.fps, _picture_codec(clip), info.times)

    def read(self, indices: Sequence[int]) -> Video:
        """Return the frames `indices`, in that order; raises what decoding raises."""
        if self.video is not None:
            return Video(self.video.frames[list(indices)], self.video.fps)
        return self.source.read(self.index, indices)

    def stamp(self) -> str:
        """Return what changes when the video does: sizes and times of its files, or a sha256 of its frames."""
        if self.video is not None:
            frames = self.video.frames
            digest = hashlib.sha256(f"{frames.shape} {self.video.fps} {self.video.times or ''}".encode())
            for frame in frames:
                digest.update(frame.tobytes())
            return digest.hexdigest()
        clip = self.clip
        if clip is None:
            return f"{self.source.path} {self.index}"
        files = " ".join(clip.store.stamp(name) for name in clip.files())
        return f"{type(clip).__name__} {clip.fps} {files}" + (f" {clip.extent}" if clip.extent else "")

    def place(self) -> str | None:
        """Return where its files lie, with their stamps; None for what is not made of files."""
        if self.clip is None:
            return None
        return f"{os.path.realpath(self.clip.store.root)}\t{self.clip.name}\t{self.stamp()}"

    def is_settled(self) -> bool:
        """Return whether any later change of its files would change its place."""
        return self.clip is not None and all(map(self.clip.store.is_settled, self.clip.files()))

    def contents(self, digests: dict[Any, str] | None = None) -> str:
        """Return what tells it from another video wherever both lie: a sha256 over those of its files, or its stamp.

        Args:
            digests: of files that several videos are parts of; more are added.

        Raises:
            InputError: a file cannot be read.
        """
        clip = self.clip
        if clip is None:
            return self.stamp() if self.video is not None else f"{self.name} {self.stamp()}"
        digests = digests if digests is not None and clip.extent else {}
        files = []
        for name in clip.files():
            if (clip.store, name) not in digests:
                digests[clip.store, name] = clip.store.digest(name)
            files.append([suffix_of(name), digests[clip.store, name]])
        what = [type(clip).__name__, str(clip.fps), clip.extent, files]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()

    @property
    def clip(self) -> StoredClip | None:
        """The files it is made of, None for a video in memory and for sources that have no files."""
        return getattr(self.source[self.index], "clip", None) if self.source is not None else None

    @property
    def where(self) -> str:
        """How to tell a person which video it is."""
        return self.clip.where if self.clip is not None else self.name


class VideoSet:
    """The videos of REAL or of FAKE.

    Args:
        entries: the videos; their names differ.
        path: where they lie, "" for videos in memory.
        layout: how.
        skipped: (name, reason) of files that are no videos.
    """

    def __init__(
        self, entries: Sequence[Entry], path: str, layout: str, skipped: Iterable[tuple[str, str]] = ()
    ) -> None:
        self.entries, self.path, self.layout = list(entries), path, layout
        self.skipped = list(skipped)

    def __len__(self) -> int:
        return len(self.entries)

    def fingerprint(self) -> str:
        """Return a sha256 (hex) of names and stamps, in the order of the names: the order of files is no matter."""
        digest = hashlib.sha256()
        for entry in sorted(self.entries, key=lambda entry: entry.name):
            digest.update(name_bytes(f"{entry.name}\t{entry.stamp()}\n"))
        return digest.hexdigest()


def open_set(given: Given, which: str) -> VideoSet:
    """Return what was given as a set of videos.

    Args:
        given: a path that `moviola.data.sources.open_source` reads, a `Source`, a `Video`, or a list of videos and
            paths.
        which: "REAL" or "FAKE", for messages.

    Raises:
        InputError: nothing is there, it is empty, damaged or of no known layout.
    """
    if isinstance(given, Video):
        return _gathered([given], which)
    if isinstance(given, str | Path):
        return _of_source(open_source(given), which)
    if hasattr(given, "read") and hasattr(given, "path"):
        return _of_source(given, which)
    if isinstance(given, Iterable):
        return _gathered(list(given), which)
    raise InputError(f"{which} is a path, a Source, a Video or a list of videos, not {type(given).__name__}")


def stem(name: str) -> str:
    """Return a name without the suffix that says how the video is stored: what two sets have in common."""
    path = PurePosixPath(name)
    stored = (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES)
    return str(path.with_suffix("")) if path.suffix.lower() in stored else name


def check_apart(real: VideoSet, fake: VideoSet) -> list[str]:
    """Refuse a set against itself; return a warning where one lies inside the other.

    Raises:
        InputError: both are the same path.
    """
    if not real.path or not fake.path:
        return []
    one, two = os.path.realpath(real.path), os.path.realpath(fake.path)
    if one == two and {e.name for e in real.entries} & {e.name for e in fake.entries}:
        raise InputError(
            f"REAL and FAKE are the same, {real.path}: a set against itself scores 0 and says nothing; "
            "name two sets (--sanity holds REAL against damaged copies of itself)"
        )
    for outer, inner, names in ((one, two, "FAKE lies in REAL"), (two, one, "REAL lies in FAKE")):
        if inner.startswith(outer.rstrip(os.sep) + os.sep) and os.path.isdir(outer):
            return [f"{names}: {inner} is inside {outer}, so some videos may be counted on both sides"]
    return []


def _of_source(source: Any, which: str) -> VideoSet:
    entries = [Entry(item.name, item.label, item.caption, source, index) for index, item in enumerate(source)]
    if not entries:
        raise InputError(f"{which} ({source.path}) holds no video")
    return VideoSet(entries, str(source.path), str(source.layout), source.skipped)


def _gathered(given: Sequence[Any], which: str) -> VideoSet:
    """Join videos in memory and paths; a path with several videos gives all of them."""
    entries: list[Entry] = []
    skipped: list[tuple[str, str]] = []
    for number, one in enumerate(given):
        if isinstance(one, Video):
            entries.append(Entry(f"{number:06d}", None, None, video=one))
        elif isinstance(one, str | Path):
            found = _of_source(open_source(one), which)
            skipped += found.skipped
            one_name = Path(one).as_posix()
            for entry in found.entries:
                name = one_name if len(found) == 1 else f"{one_name}/{entry.name}"
                entries.append(Entry(name, entry.label, entry.caption, entry.source, entry.index))
        else:
            raise InputError(f"{which}: item {number} is no video and no path, but {type(one).__name__}")
    if not entries:
        raise InputError(f"{which} is an empty list; give at least one video")
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{which}: {twice} is listed twice")
    return VideoSet(entries, "", "list", skipped)


def _probe(clip: StoredClip) -> Facts:
    """Look into a video file; a member of a zip is named by the zip."""
    from moviola.data import codec

    with clip.store.as_file(clip.name) as path:
        try:
            info = codec.probe(path)
            clock = codec.read_clock(path)
        except InputError as error:
            raise type(error)(str(error).replace(str(path), clip.where)) from None
    if info.frames < 1:
        raise VideoReadError(f"{clip.where} holds no frame")
    return Facts(info.frames, info.height, info.width, clock.fps, info.codec, clock.times)


def _picture_codec(clip: StoredClip | None) -> str:
    """How the pictures of a clip are stored, by the suffix of the first; "decoded" for a cache of frames."""
    if clip is None:
        return "decoded"
    suffix = PurePosixPath(clip.files()[0]).suffix.lower().lstrip(".")
    return {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix)
