"""Where a video is cut: the first frame of every shot but the first.

Two frames are compared by the colour histograms of a grid of cells, where each cell may be found again in its own place
or in a neighbouring one, so that motion costs little. A value counts in both levels that it lies between, so that light
that grows by a little changes little. A cut is a step that is large, that no gain and offset of each colour explains
(light that is switched does), that stands out from the steps around it (a burst of fast motion does not), and that
lasts (a flash does not). Dissolves and fades are not found.

Cells, and a step that stands out, are common to the field: Boreczky and Rowe 1996, "Comparison of video shot boundary
detection techniques".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from moviola.core.errors import ConfigError
from moviola.core.resample import resize_frames
from moviola.selection.change import checked

CELLS, SIDE, BINS = 8, 8, 8
"""Cells each way, pixels each way in a cell of the small copy, levels of each colour."""
THRESHOLD = 0.3
"""Least step of a cut, 0 to 1. Real clips: fast sport at 10 Hz stays below 0.2, cuts lie above 0.38."""
STANDOUT = 1.5
"""How many times the steps beside it a cut must be."""
NEAR = 2
"""Steps looked at on each side; shots of up to this many frames are not told from bursts."""
EXPLAINED = 0.25
"""Least that is left of a cut, 0 to 1, when one frame is seen in the light of the other. Real cuts: 0.35 and more; real
clips with a gain of 0.5 to 1.3 in one step: up to 0.18, to 1.6: 0.09 to 0.4, as lights are cut off at white."""
GAIN, OFFSET = 2.0, 64.0
"""Most that light changes from frame to frame: a factor (or one over it), and levels of 255."""


class CutFinder:
    """Finds cuts in frames that pass by, in memory of two numbers a frame.

    Args:
        threshold: least step of a cut, above 0 and at most 1.

    Raises:
        ConfigError: a threshold out of range.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        if not 0 < threshold <= 1:
            raise ConfigError(f"the threshold of cuts is {threshold}; it must be above 0 and at most 1")
        self._threshold = threshold
        self._recent: deque[_Look] = deque(maxlen=3)
        self._steps: list[float] = []
        self._twice: list[float] = []

    def see(self, frame: np.ndarray) -> None:
        """Take the next frame, uint8 (H, W, 3)."""
        look = _Look(frame)
        if self._recent:
            self._steps.append(self._step(self._recent[-1], look))
        if len(self._recent) > 1:
            # only a large step needs the check against flashes, on either side of it
            large = max(self._steps[-2:]) > self._threshold
            self._twice.append(self._step(self._recent[-2], look) if large else 0.0)
        self._recent.append(look)

    def _step(self, previous: _Look, current: _Look) -> float:
        """Return how much is new, 0 to 1; where that is much, but a change of light explains it, what is left."""
        step = _distance(previous.cells, current.cells)
        if step <= self._threshold:
            return step
        unexplained = max(_unexplained(previous, current), _unexplained(current, previous))
        return min(step, unexplained) if unexplained < EXPLAINED else step

    def is_cut(self, t: int) -> bool:
        """Return whether a shot begins at frame `t`; it stays so once frame `t + NEAR` was seen, or the last one."""
        return _stands_out([0.0, *self._steps], t, self._threshold) and self._lasts(t)

    def cuts(self) -> list[int]:
        """Return the first frame of every shot that began since, ascending; 0 is not among them."""
        return [t for t in _prominent_steps([0.0, *self._steps], self._threshold) if self._lasts(t)]

    def _lasts(self, t: int) -> bool:
        """Whether what the step to frame t changed is still changed one frame on, and was so one frame before."""
        across = [self._twice[i] for i in (t - 2, t - 1) if 0 <= i < len(self._twice)]
        return min(across, default=1.0) > self._threshold


def cuts(source: Iterable[np.ndarray] | np.ndarray, threshold: float = THRESHOLD) -> list[int]:
    """Return the first frame of every shot but the first, ascending.

    Args:
        source: frames uint8 (H, W, 3), taken as they come; or a curve of changes (T,), [t] from frame t-1 to t, that
            only shows what stands out, so that a flash counts.
        threshold: least step of a cut: 0 to 1 for frames, in the curve's unit for a curve.

    Raises:
        InputError: no such frames. ConfigError: a threshold out of range.
    """
    if isinstance(source, np.ndarray) and source.ndim == 1:
        return _prominent_steps(source.tolist(), threshold)
    finder = CutFinder(threshold)
    for frame in checked(source):
        finder.see(frame)
    return finder.cuts()


def shots(n: int, cuts: Iterable[int]) -> list[tuple[int, int]]:
    """Return (first frame, frame after the last) of every shot of a video of `n` frames that is cut at `cuts`."""
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < n}), n]
    return list(pairwise(edges))


def _prominent_steps(steps: Sequence[float], threshold: float) -> list[int]:
    """Return where a step is above the threshold and outstanding among its neighbours; `steps[0]` is none."""
    return [t for t in range(1, len(steps)) if _stands_out(steps, t, threshold)]


def _stands_out(steps: Sequence[float], t: int, threshold: float) -> bool:
    neighbours = [*steps[max(1, t - NEAR) : t], *steps[t + 1 : t + 1 + NEAR]]
    return steps[t] > threshold and steps[t] > STANDOUT * max(neighbours, default=0.0)


class _Look:
    """What is kept of a frame: `small`, uint8 (CELLS * SIDE, CELLS * SIDE, 3), and the histograms of its cells."""

    def __init__(self, frame: np.ndarray) -> None:
        side = CELLS * SIDE
        self.small = resize_frames(frame[None], side, side, "box")[0]
        self.cells = _histograms(self.small)


def _unexplained(one: _Look, other: _Look) -> float:
    """Return how far a frame is from another, 0 to 1, when it is seen in the other's light."""
    return _distance(_histograms(relit(one.small, other.small)), other.cells)


def relit(previous: np.ndarray, current: np.ndarray) -> np.ndarray:
    """Return a frame in the light of another: each colour with the gain and offset that give it mean and deviation.

    Args:
        previous: uint8 (h, w, 3), the frame that is changed.
        current: uint8 (h, w, 3), whose light it gets. The gain is at most `GAIN` and at least its inverse, the offset
            at most `OFFSET` levels either way.

    Returns:
        `previous` so changed, float64 (h, w, 3) in 0 to 255.
    """
    mean, other = (frame.mean(axis=(0, 1)) for frame in (previous, current))
    spread, target_spread = (frame.std(axis=(0, 1)) for frame in (previous, current))
    gain = np.divide(target_spread, spread, out=np.ones(3), where=spread > 0.5).clip(1 / GAIN, GAIN)
    offset = (other - gain * mean).clip(-OFFSET, OFFSET)
    return (gain * previous + offset).clip(0, 255)


def _histograms(small: np.ndarray) -> np.ndarray:
    """Return the histogram of every colour in every cell, float32 (CELLS, CELLS, 3, BINS), each summing to 1.

    A value between the middles of two levels counts in both, by how near they are.
    """
    cells = small.reshape(CELLS, SIDE, CELLS, SIDE, 3).transpose(0, 2, 4, 1, 3).reshape(-1, SIDE * SIDE)
    place = ((cells + 0.5) * (BINS / 256) - 0.5).clip(0, BINS - 1)
    low = place.astype(np.int64)
    share = place - low
    first = low + BINS * np.arange(len(cells))[:, None]
    counts = np.zeros(BINS * len(cells) + 1)
    for bins, weights in ((first, 1 - share), (first + 1, share)):
        counts += np.bincount(bins.ravel(), weights.ravel(), minlength=len(counts))
    return (counts[:-1] / SIDE**2).astype(np.float32).reshape(CELLS, CELLS, 3, BINS)


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return how much of the cells is not found again in or beside its place, 0 to 1, both ways averaged."""
    return (_missing(one, other) + _missing(other, one)) / 2


def _missing(cells: np.ndarray, among: np.ndarray) -> float:
    around = np.pad(among, ((1, 1), (1, 1), (0, 0), (0, 0)), mode="edge")
    least_distance = np.ones(cells.shape[:2], np.float32)
    for y in range(3):
        for x in range(3):
            gap = np.abs(cells - around[y : y + CELLS, x : x + CELLS]).sum(axis=3).mean(axis=2) / 2
            np.minimum(least_distance, gap, out=least_distance)
    return float(least_distance.mean())
