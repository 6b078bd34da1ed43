"""Clips of a study: found by name in every method, cut to a length, brought to a size; damaged ones for catch pairs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from moviola.core.config import Config
from moviola.core.errors import ConfigError, InputError
from moviola.core.seeds import numpy_generator
from moviola.pipelines.evaluate.inputs import stem
from moviola.pipelines.pages.media import KINDS, data_uri, encode, fit
from moviola.pipelines.study.plan import Meeting

if TYPE_CHECKING:
    from numpy.random import Generator

    from moviola.core.video import Video
    from moviola.data.sources import Source

_LEAST_SIDE = 256  # px: smaller clips are enlarged by whole factors
_CATCH_QUALITY, _CATCH_LOSS = 2, 0.6  # of a damaged copy: JPEG quality, share of the frames lost
_CRF = {"mp4": 18, "webm": 26}
_SAMPLE = 4  # clips encoded before the size of the page is estimated


class ClipSettings(Config):
    """How clips are brought into the page.

    Args:
        side: the longer one, px, at most.
        seconds: of each clip, at most.
        format: "mp4" (H.264, which browsers play) or "webm" (VP9).
        max_mb: millions of bytes that the page may have.
    """

    side: int = Field(default=512, ge=_LEAST_SIDE, le=4096)
    seconds: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    format: str = Field(default="mp4", pattern="^(mp4|webm)$")
    max_mb: float = Field(default=100.0, gt=0, allow_inf_nan=False)

    @property
    def suffix(self) -> str:
        """The extension, with its dot."""
        return f".{self.format}"


@dataclass(frozen=True)
class Shelf:
    """The clips of one method.

    Attributes:
        name: of the method.
        source: where they are.
        rows: name without suffix to its place in the source.
    """

    name: str
    source: Source
    rows: dict[str, int]

    def caption(self, clip: str) -> str | None:
        """Return the caption of a clip, None where it has none."""
        return self.source[self.rows[clip]].caption


def open_shelves(paths: Sequence[str | Path]) -> list[Shelf]:
    """Open the folders or files of the methods to compare; methods are named by their paths' last parts that differ.

    Raises:
        ConfigError: fewer than two, or one twice. InputError: as `open_source`, and two clips of one name.
    """
    from moviola.data.sources import open_source

    if len(paths) < 2:
        raise ConfigError(
            f"a study compares two or more, not {len(paths)}: moviola study make A B -o study.html"
        )
    sources = [open_source(path) for path in paths]
    names = name_methods([Path(path) for path in paths])
    single = all(len(source) == 1 for source in sources)
    return [
        Shelf(name, source, _rows(name, source, single)) for name, source in zip(names, sources, strict=True)
    ]


def name_methods(paths: Sequence[Path]) -> list[str]:
    """Return a short name for each path: its last part, with as many before it as tell them apart.

    Raises:
        ConfigError: one place is named twice.
    """
    whole = [path.absolute().resolve().parts for path in paths]
    for one, two in combinations(range(len(paths)), 2):
        if whole[one] == whole[two]:
            raise ConfigError(
                f"{paths[one]} and {paths[two]} are the same; a study compares two methods or more"
            )
    depth = next(n for n in range(1, max(map(len, whole)) + 1) if len({p[-n:] for p in whole}) == len(whole))
    return ["/".join(parts[-depth:]) for parts in whole]


def find_shared(shelves: Sequence[Shelf]) -> tuple[dict[tuple[int, int], list[str]], list[str]]:
    """Return, for every two methods, the clips that both have; and what has no partner, a line for each method.

    Raises:
        InputError: no clip of any method is in another.
    """
    shared: dict[tuple[int, int], list[str]] = {}
    for one, two in combinations(range(len(shelves)), 2):
        both = [clip for clip in shelves[one].rows if clip in shelves[two].rows]
        if both:
            shared[one, two] = both
    if not shared:
        one, two = (f"{shelf.source.path} has {next(iter(shelf.rows), 'no clip')}" for shelf in shelves[:2])
        raise InputError(
            f"no clip has a partner: {one}, {two}; clips are paired by their names without extension"
        )
    notes = []
    for number, shelf in enumerate(shelves):
        met = {clip for two, clips in shared.items() if number in two for clip in clips}
        if lonely := [clip for clip in shelf.rows if clip not in met]:
            more = f" and {len(lonely) - 3} more" if len(lonely) > 3 else ""
            notes.append(f"{shelf.name}: no other method has {', '.join(lonely[:3])}{more}; left out")
    return shared, notes


def shared_caption(shelves: Sequence[Shelf], meeting: Meeting) -> str | None:
    """Return the caption that both clips of a meeting have, or that one has where the other has none; else None."""
    texts = {shelves[number].caption(meeting.clip) for number in meeting[:2]} - {None, ""}
    return texts.pop() if len(texts) == 1 else None


class ClipStore:
    """The clips of a page: each encoded once, in the order in which they are first asked for.

    Args:
        shelves: where they are.
        settings: how they are brought in.
        seed: of the damages.
        tick: called after each clip that was encoded.
    """

    def __init__(
        self, shelves: Sequence[Shelf], settings: ClipSettings, seed: int, tick: Callable[[int, str], None]
    ) -> None:
        self._shelves, self._settings, self._seed, self._tick = shelves, settings, seed, tick
        self._numbers: dict[tuple[int, str, bool], int] = {}
        self._files: dict[tuple[int, str, bool], bytes] = {}
        self.cut: set[tuple[int, str]] = set()

    def add(self, method: int, clip: str, damaged: bool = False) -> int:
        """Return the number in the page of a clip of a method, or of its damaged copy."""
        return self._numbers.setdefault((method, clip, damaged), len(self._numbers))

    def encode(self) -> tuple[list[str], str]:
        """Encode what was added; return data URIs by number, and a checksum (hex) of all.

        Raises:
            InputError: a clip cannot be read, or together they have more bytes than the page may have; after some
            clips where that can be told from them.
        """
        order = list(self._numbers)
        every = max(1, len(order) // _SAMPLE)
        for key in order[::every][:_SAMPLE]:
            self._make(key)
        self._check(sum(map(len, self._files.values())) * len(order) / len(self._files), len(order))
        digest = hashlib.sha256()
        for key in order:
            digest.update(self._make(key))
            self._check(sum(map(len, self._files.values())), len(order))
        kind = KINDS[self._settings.suffix]
        return [data_uri(kind, self._files[key]) for key in order], digest.hexdigest()

    def _make(self, key: tuple[int, str, bool]) -> bytes:
        if key not in self._files:
            method, clip, damaged = key
            video = self._read(method, clip)
            if damaged:
                video = damage(video, numpy_generator(self._seed, "study", "damage", method, clip))
            self._files[key] = encode(video, self._settings.suffix, _CRF[self._settings.format])
            self._tick(1, clip)
        return self._files[key]

    def _read(self, method: int, clip: str) -> Video:
        """Read the first seconds of a clip piece by piece, at the size that is shown."""
        from moviola.core.video import Video

        shelf, settings = self._shelves[method], self._settings
        index = shelf.rows[clip]
        info = shelf.source.info(index)
        wanted = (
            max(1, math.ceil(settings.seconds * info.fps))
            if info.duration > settings.seconds
            else info.frames
        )
        if wanted < info.frames:
            self.cut.add((method, clip))
        pieces: list[Video] = []
        for piece in shelf.source.stream(index):
            pieces.append(
                fit(piece[: wanted - sum(map(len, pieces))].square_pixels(), _LEAST_SIDE, settings.side)
            )
            if sum(map(len, pieces)) >= wanted:
                break
        return Video.concat(pieces)

    def _check(self, size: float, count: int) -> None:
        """Raise where `size` bytes of clips are too many, base64 counted."""
        megabytes, most = size * 4 / 3 / 1e6, self._settings.max_mb
        if megabytes > most:
            raise InputError(
                f"the page would have about {megabytes:.3g} MB for {count} clips, more than the {most:g} MB of "
                "--max-mb; give --pairs N, a smaller --side or fewer --seconds, or allow more"
            )


def damage(video: Video, generator: Generator) -> Video:
    """Return a copy that is plainly worse in every frame and in motion: coarse JPEG blocks, and most frames lost."""
    from moviola.data.corrupt import drop, jpeg

    return drop(jpeg(video, _CATCH_QUALITY), _CATCH_LOSS, generator)


def _rows(name: str, source: Source, single: bool) -> dict[str, int]:
    """Return the clips of a source by name; a single clip of each method is paired whatever it is called."""
    rows: dict[str, int] = {}
    for index, clip in enumerate(source.names):
        key = "clip" if single else stem(clip)
        if key in rows:
            raise InputError(
                f"{name}: {source.names[rows[key]]} and {clip} have the same name; keep one of them"
            )
        rows[key] = index
    return rows
