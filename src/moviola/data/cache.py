"""A data set decoded once: uint8 frames of one size in one memory-mapped file.

A cache is a folder named by the sha256 of what is in the data set and of how it was prepared::

    <cache folder>/clips/<key>/frames.u8     all frames after one another, rows of (W, 3) bytes
                               index.json    what each clip is and where it begins; written last

It is built beside its place and renamed, so it is there whole or not at all; two processes may build at once, and
the first to end wins. One that was damaged since is built anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from pydantic import Field

from moviola.core.atomic import into_place, reason_of, workplace
from moviola.core.config import Config
from moviola.core.errors import InputError, OutputError, VideoReadError
from moviola.core.paths import cache_dir
from moviola.core.times import Times
from moviola.data.layouts import ClipInfo
from moviola.data.sources import Source

if TYPE_CHECKING:
    import numpy as np

    from moviola.core.video import Video

FORMAT = 2
_BATCH = 16


class CacheConfig(Config):
    """How clips are prepared before they are kept."""

    height: int | None = Field(default=None, ge=1, le=8192)  # px; None: as they are
    width: int | None = Field(default=None, ge=1, le=8192)  # px; None: as `height`, or as they are
    fit: Literal["crop", "stretch"] = "crop"  # cut the middle to the wanted shape first, or squeeze
    kernel: str = "lanczos"  # of `Video.resize`, with antialiasing
    max_frames: int | None = Field(default=None, ge=1)  # of each clip, from its start; None: all
    skip_broken: bool = False  # leave out clips that cannot be decoded, rather than stop

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width in px, or None for clips as they are."""
        if self.height is None and self.width is None:
            return None
        return (self.height or self.width or 0, self.width or self.height or 0)


@dataclass(frozen=True)
class CachedItem:
    """What a cache knows of one clip; the same fields as `moviola.data.sources.Item`."""

    name: str
    label: str | None
    caption: str | None
    info: ClipInfo
    captions: tuple[str, ...] = ()
    split: str | None = None
    group: str | None = None


class CachedSource:
    """A decoded source: the interface of `Source`, at memory speed. Made by `open_cached`.

    Args:
        folder: the cache's folder.
        source: where names, labels and captions come from.
        index: what `index.json` holds.
    """

    layout = "cache"

    def __init__(self, folder: Path, source: Source, index: dict[str, Any]) -> None:
        self.path, self.skipped = folder, tuple((name, reason) for name, reason in index["skipped"])
        self._entries: list[dict[str, Any]] = index["clips"]
        self._data: np.ndarray | None = None
        items = {item.name: item for item in source}
        self._items = [
            CachedItem(
                e["name"],
                items[e["name"]].label,
                items[e["name"]].caption,
                ClipInfo(e["frames"], e["height"], e["width"], Fraction(e["fps"]), _times(e)),
                items[e["name"]].captions,
                items[e["name"]].split,
                items[e["name"]].group,
            )
            for e in self._entries
        ]
        self.names = [item.name for item in self._items]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> CachedItem:
        return self._items[index]

    def __iter__(self) -> Iterator[CachedItem]:
        return iter(self._items)

    def __repr__(self) -> str:
        return f"CachedSource({str(self.path)!r}, clips={len(self)})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_data": None}  # another process maps the file itself

    @property
    def nbytes(self) -> int:
        """Size of the decoded frames on disk, bytes."""
        return sum(_bytes_of(entry) for entry in self._entries)

    def info(self, index: int) -> ClipInfo:
        """Return frames, size and rate of clip `index`."""
        return self[index].info

    def frames(self, index: int) -> np.ndarray:
        """Return all frames of clip `index`, uint8 (T, H, W, 3), as a read-only view of the file."""
        import numpy as np

        if self._data is None:
            self._data = np.memmap(self.path / "frames.u8", dtype=np.uint8, mode="r")
        entry = self._entries[index]
        block = self._data[entry["offset"] : entry["offset"] + _bytes_of(entry)]
        return np.asarray(block).reshape(entry["frames"], entry["height"], entry["width"], 3)

    def read(self, index: int, indices: Sequence[int] | None = None) -> Video:
        """Return frames of clip `index` (in the order of `indices`; None for all) as a copy in memory.

        Raises:
            InputError: a frame beyond the clip's end.
        """
        import numpy as np

        from moviola.core.video import Video

        frames = self.frames(index)
        numbers = np.arange(len(frames)) if indices is None else np.asarray(indices, dtype=np.int64)
        if not len(numbers) or numbers.min() < 0 or numbers.max() >= len(frames):
            raise InputError(
                f"{self.names[index]}: frames {numbers.tolist()[:4]} asked for, it has {len(frames)}"
            )
        clock = self[index].info.clock.pick(numbers.tolist())
        return Video(frames[numbers], clock.fps, None, clock.times)


def cache_key(source: Source, config: CacheConfig) -> str:
    """Return the name of the cache of `source` under `config`: sha256 over contents and settings, 40 hex digits."""
    inputs = {"format": FORMAT, "content": source.fingerprint(), "settings": config.model_dump(mode="json")}
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:40]


def open_cached(
    source: Source,
    config: CacheConfig | None = None,
    root: str | Path | None = None,
    tick: Callable[[int], object] = lambda n: None,
) -> CachedSource:
    """Return the decoded form of a source, building it when it is not there.

    Args:
        source: the data set.
        config: how to prepare the clips; None for the defaults.
        root: folder of the caches; None for `clips` in `moviola.core.paths.cache_dir()`.
        tick: called with 1 after each clip that was decoded.

    Returns:
        The cache; it maps its file when first read.

    Raises:
        VideoReadError: a clip cannot be decoded (unless `skip_broken`), or none can.
        OutputError: the cache cannot be written: no room, no permission.
    """
    config = config or CacheConfig()
    parent = Path(root) if root is not None else cache_dir() / "clips"
    folder = parent / cache_key(source, config)
    index = _read_index(folder)
    if index is None:
        try:
            parent.mkdir(parents=True, exist_ok=True)
            index = _build(folder, source, config, tick)
        except OSError as error:
            reason = reason_of(error, "; clear it, or name another with MOVIOLA_CACHE")
            raise OutputError(f"the cache {parent} cannot be written: {reason}") from None
    return CachedSource(folder, source, index)


def _build(
    folder: Path, source: Source, config: CacheConfig, tick: Callable[[int], object]
) -> dict[str, Any]:
    with workplace(folder.parent, folder.name) as staging:
        index: dict[str, Any] = {"format": FORMAT, "bytes": 0, "clips": [], "skipped": []}
        with (staging / "frames.u8").open("wb") as file:
            for number in range(len(source)):
                _add(index, file, source, number, config)
                tick(1)
        if not index["clips"]:
            raise VideoReadError(
                f"{source.path}: no clip can be decoded; the first: {index['skipped'][0][1]}"
            )
        with (staging / "index.json").open("w", encoding="utf-8") as file:
            json.dump(index, file)
        return into_place(staging, folder, lambda: _read_index(folder)) or index


def _add(index: dict[str, Any], file: BinaryIO, source: Source, number: int, config: CacheConfig) -> None:
    """Append one clip to the file and to the index; a broken one leaves nothing behind."""
    start = index["bytes"]
    entry: dict[str, Any] = {"name": source[number].name, "offset": start, "frames": 0}
    times, end = list[Fraction](), Fraction(0)
    try:
        for piece in _pieces(source, number, config):
            size = {"height": piece.height, "width": piece.width, "fps": str(piece.fps)}
            if entry["frames"] and (entry["height"], entry["width"]) != (piece.height, piece.width):
                raise VideoReadError(f"{source[number].name} changes its size on the way")
            entry.update(size, frames=entry["frames"] + len(piece))
            if piece.times is not None:
                times += [end + time for time in piece.times]
                end += piece.clock.length
            file.write(piece.frames.tobytes())
    except VideoReadError as error:
        if not config.skip_broken:
            raise
        file.seek(start)
        file.truncate()
        index["skipped"].append([source[number].name, str(error)])
        return
    if times:
        entry.update(times=[str(time) for time in times], fps=str(len(times) / end))
    index["clips"].append(entry)
    index["bytes"] = start + _bytes_of(entry)


def _pieces(source: Source, number: int, config: CacheConfig) -> Iterator[Video]:
    remaining = config.max_frames
    for piece in source.stream(number, _BATCH if remaining is None else min(_BATCH, remaining)):
        part = piece if remaining is None else piece[:remaining]
        yield _prepare(part, config)
        if remaining is not None:
            remaining -= len(part)
            if remaining <= 0:
                return


def _prepare(video: Video, config: CacheConfig) -> Video:
    """Bring frames to the wanted size; with `crop`, the middle is cut to the wanted shape first."""
    if config.size is None or config.size == (video.height, video.width):
        return video
    height, width = config.size
    if config.fit == "crop":
        tall = min(video.height, max(1, round(video.width * height / width)))
        wide = min(video.width, max(1, round(video.height * width / height)))
        video = video.crop((video.height - tall) // 2, (video.width - wide) // 2, tall, wide)
    return video.resize(height, width, kernel=config.kernel)  # type: ignore[arg-type]


def _read_index(folder: Path) -> dict[str, Any] | None:
    """Return the index of a whole cache, or None for one that is missing, cut short or of another format."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        is_complete = (
            index["format"] == FORMAT
            and index["clips"]
            and (folder / "frames.u8").stat().st_size == index["bytes"]
        )
        ends = [entry["offset"] + _bytes_of(entry) for entry in index["clips"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return index if is_complete and max(ends) == index["bytes"] else None


def _times(entry: dict[str, Any]) -> Times | None:
    return tuple(map(Fraction, entry["times"])) if "times" in entry else None


def _bytes_of(entry: dict[str, Any]) -> int:
    return entry["frames"] * entry["height"] * entry["width"] * 3
