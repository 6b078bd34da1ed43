"""What is to be refined: one video, or the clips of a set; and the name of what becomes of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath

from moviola.core.errors import FormatError, InputError, VideoReadError
from moviola.core.times import Clock, note_on_rate
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.codec.formats import WRITE_SUFFIXES
from moviola.data.layouts import FramesClip, StoredClip, StripClip, VideoClip
from moviola.data.sources import LIST_SUFFIXES, Source, open_source
from moviola.data.stores import FolderStore
from moviola.pipelines.refine.passes import PIECE

UNREADABLE = (VideoReadError, FormatError)
"""What is raised of a file that cannot be read."""


@dataclass(frozen=True, eq=False)
class Input:
    """One video to be refined, opened so far that its size is known.

    Attributes:
        name: in its set; the file name of a single video.
        path: of a single file or frame folder, None for a clip of a set.
        clock: how many frames, and when each is shown. height, width: px. pixel_aspect: width over height of a pixel.
        pieces: with sound or without to an iterator of its pieces, `PIECE` frames each.
        file: where it is a file or folder of its own, also in a set; None in a zip, and for a strip.
    """

    name: str
    path: Path | None
    clock: Clock
    height: int
    width: int
    pixel_aspect: Fraction
    pieces: Callable[[bool], Iterator[Video]]
    file: Path | None = None

    @property
    def frames(self) -> int:
        """How many frames."""
        return self.clock.count

    @property
    def fps(self) -> Fraction:
        """Rate in Hz, the mean where it varies."""
        return self.clock.fps

    @property
    def notes(self) -> list[str]:
        """What is to be known of its rate, a sentence each."""
        return [] if self.clock.times is None else [note_on_rate(self.name, self.frames)]


def is_set(path: str | Path) -> bool:
    """Return whether a path is a set of videos: a zip, a list file, or a folder that is not one folder of frames.

    Raises:
        InputError: there is nothing there, or nothing of a known kind in it.
    """
    path = Path(path)
    if path.suffix.lower() in (".zip", *LIST_SUFFIXES) and not path.is_dir():
        return True
    if not path.is_dir():
        return False
    source = open_source(path)
    first = source[0].clip
    return not (len(source) == 1 and isinstance(first, FramesClip) and "/" not in first.images[0])


def open_one(path: str | Path) -> Input:
    """Look at a single video; `VideoReadError`, `FormatError` where it cannot be read."""
    info = codec.probe(path)
    return Input(
        Path(path).name, Path(path), codec.read_clock(path), info.height, info.width,
        info.pixel_aspect,
        lambda audio: codec.stream(path, PIECE, audio=audio),
    )  # fmt: skip


def open_clips(path: str | Path, layout: str, skip_bad: bool) -> tuple[list[Input], list[tuple[str, str]]]:
    """Look at every clip of a set before anything is done.

    Args:
        path: a folder, zip or list file. layout: how it lies, "auto" ...
        skip_bad: leave out clips that cannot be read.

    Returns:
        The clips, and (name, reason) of everything that is left out.

    Raises:
        VideoReadError, FormatError: a clip cannot be read, unless `skip_bad`. InputError: none can.
    """
    source: Source = open_source(path, layout)
    found, skipped = [], list(source.skipped)
    for item in source:
        try:
            info = item.info
        except UNREADABLE as error:
            if not skip_bad:
                raise type(error)(f"{error}; --skip-bad leaves it out") from None
            skipped.append((item.name, str(error)))
            continue
        found.append(
            Input(
                item.name,
                None,
                info.clock,
                info.height,
                info.width,
                info.pixel_aspect,
                _opener(item.clip),
                _own_file(item.clip),
            )
        )
    if not found:
        raise InputError(f"no clip of {path} can be read; the first: {skipped[0][1]}")
    return found, skipped


def _own_file(clip: StoredClip) -> Path | None:
    """Return the file or folder that is one clip of a set alone."""
    if not isinstance(clip.store, FolderStore) or isinstance(clip, StripClip):
        return None
    return clip.store.root / (
        PurePosixPath(clip.images[0]).parent if isinstance(clip, FramesClip) else clip.name
    )


def _opener(clip: StoredClip) -> Callable[[bool], Iterator[Video]]:
    def pieces(audio: bool) -> Iterator[Video]:
        if not isinstance(clip, VideoClip):
            yield from clip.stream(PIECE)
            return
        with clip.store.as_file(clip.name) as path:
            try:
                yield from codec.stream(path, PIECE, audio=audio)
            except InputError as error:  # a member of a zip is named by the zip, not by its temporary copy
                raise type(error)(str(error).replace(str(path), clip.where)) from None

    return pieces


def output_names(inputs: Sequence[Input], suffix: str | None = None) -> list[str]:
    """Return the name of each output below the output folder.

    A clip keeps its name; where nothing is written with its suffix, `.mp4` is put behind it. A folder of frames stays
    one.

    Args:
        inputs: clips of a set. suffix: of all outputs, such as ".mkv"; None for their own.

    Raises:
        FormatError: a suffix nothing is written with, or two outputs of one name.
    """
    if suffix is not None and suffix not in WRITE_SUFFIXES:
        raise FormatError(f"cannot write extension {suffix}; known: {' '.join(WRITE_SUFFIXES)}")
    names = [_output_name(PurePosixPath(one.name.lstrip("/")), suffix) for one in inputs]
    for name in names:
        if names.count(name) > 1 or ".." in PurePosixPath(name).parts:
            raise FormatError(f"{name} would be written twice or outside the folder; rename one of the clips")
    return names


def _output_name(name: PurePosixPath, suffix: str | None) -> str:
    own = name.suffix.lower()
    if suffix is not None:
        return str(name.with_suffix(suffix))
    if own in WRITE_SUFFIXES and own not in codec.IMAGE_SUFFIXES:
        return str(name)
    known = own in (*codec.VIDEO_SUFFIXES, *codec.IMAGE_SUFFIXES)
    return f"{name}.mp4" if known else f"{name}/"
