"""Which way the moving figure of a clip goes: the displacement of its centroid, left or right."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from moviola.core.atomic import write_atomic
from moviola.core.errors import OutputError, VideoReadError
from moviola.core.notes import note
from moviola.core.paths import cache_dir
from moviola.data.layouts import StoredClip

if TYPE_CHECKING:
    import numpy as np

Side = Literal["left", "right"]
THRESHOLD = 15
"""Change of luminance between two frames, of 255, below which nothing is taken to move."""
LEAST = 0.1
"""Displacement, as a part of the width, below which a figure goes to neither side."""
MANY = 50
"""Videos to decode from which on a person is told that it takes a while."""


def figure_centroids(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the moving figure is between every two successive frames.

    Args:
        frames: uint8 (T, H, W, 3).

    Returns:
        x of the centroid of what changes, px, float64 (T - 1,), 0 where nothing does; and how much changes, (T - 1,).
    """
    import numpy as np

    grey = frames.mean(axis=-1, dtype=np.float32)
    change = np.abs(np.diff(grey, axis=0))
    mass = np.where(change > THRESHOLD, change, 0).sum(axis=1, dtype=np.float64)  # (T - 1, W)
    total = mass.sum(axis=1)
    x = mass @ (np.arange(frames.shape[2]) + 0.5)
    return np.divide(x, total, out=np.zeros_like(x), where=total > 0), total


def side_of(x: np.ndarray, mass: np.ndarray, width: int) -> Side | None:
    """Return the side that a figure moves to.

    The slope of the line through its centroids, by least squares weighted with what changes, so that frames without
    the figure do not count.

    Args:
        x: of the centroid, px (N,).
        mass: how much changes (N,).
        width: of the frames, px.

    Returns:
        None where it moves less than `LEAST` of the width while it is seen.
    """
    import numpy as np

    visible = np.flatnonzero(mass > 0)
    if len(visible) < 2:
        return None
    t, weight = visible.astype(float), mass[visible] / mass[visible].sum()
    t_mean, x_mean = (weight * t).sum(), (weight * x[visible]).sum()
    spread = (weight * (t - t_mean) ** 2).sum()
    slope = (weight * (t - t_mean) * (x[visible] - x_mean)).sum() / spread
    displacement = slope * (visible[-1] - visible[0])
    if abs(displacement) < LEAST * width:
        return None
    return "right" if displacement > 0 else "left"


def sides(clip: StoredClip, ranges: Sequence[tuple[int, int]]) -> list[Side | None]:
    """Return the side that the figure moves to in each range of a clip's frames; the clip is decoded once.

    Args:
        clip: decoded piece by piece.
        ranges: (first frame from 0, frame after the last).

    Raises:
        VideoReadError: it cannot be decoded.
    """
    import numpy as np

    xs: list[np.ndarray] = []
    masses: list[np.ndarray] = []
    last, width = None, 0
    for piece in clip.stream(64):
        frames = piece.frames if last is None else np.concatenate([last, piece.frames])
        x, mass = figure_centroids(frames)
        xs.append(x)
        masses.append(mass)
        last, width = frames[-1:], frames.shape[2]
    x, mass = (np.concatenate(parts) if parts else np.zeros(0) for parts in (xs, masses))
    return [side_of(x[start : stop - 1], mass[start : stop - 1], width) for start, stop in ranges]


def _key(clip: StoredClip, ranges: Sequence[tuple[int, int]]) -> str:
    stamps = [clip.store.stamp(name) for name in clip.files()]
    return f"{clip.name} {stamps} {list(ranges)} {THRESHOLD} {LEAST}"


class SideCache:
    """Sides by file and range, kept between runs in the cache folder, since finding them decodes every video.

    Args:
        root: of the data set.
    """

    def __init__(self, root: Path) -> None:
        name = hashlib.sha256(str(root.resolve()).encode("utf-8", "surrogatepass")).hexdigest()[:40]
        self._path = cache_dir() / "directions" / f"{name}.json"
        self._cache: dict[str, list[Side | None]] = {}
        with suppress(OSError, ValueError):
            self._cache = dict(json.loads(self._path.read_text(encoding="utf-8")))

    def find(self, clips: Iterable[tuple[StoredClip, list[tuple[int, int]]]]) -> list[list[Side | None]]:
        """Return `sides` of each of `clips`; those found before are not decoded again, also after an interruption."""
        size_before, clips = len(self._cache), list(clips)
        new = sum(_key(clip, ranges) not in self._cache for clip, ranges in clips)
        if new >= MANY:
            note(f"{clips[0][0].store.root}: telling left from right in {new} videos takes minutes, once")
        try:
            return [self._one(clip, ranges) for clip, ranges in clips]
        finally:
            if len(self._cache) > size_before:
                self._write()

    def _one(self, clip: StoredClip, ranges: list[tuple[int, int]]) -> list[Side | None]:
        key = _key(clip, ranges)
        if key not in self._cache:
            try:
                self._cache[key] = sides(clip, ranges)
            except VideoReadError:  # whoever reads its frames is told
                return [None] * len(ranges)
        return self._cache[key]

    def _write(self) -> None:
        with suppress(OSError, OutputError):  # a cache that cannot be written costs time, nothing else
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path, json.dumps(self._cache).encode())
