"""How far each generated clip lies from the real ones: which clips to look at first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from moviola.core.errors import InputError
from moviola.metrics.functional.frechet import check_same_size
from moviola.metrics.functional.moments import BLOCK_VALUES, as_clips, refuse_not_finite


def nearest_distance(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """Return the distance of every generated clip from its nearest real clip.

    A clip stands for the mean of its rows. Every feature is divided by its standard deviation over the real clips (by
    the mean of those that have one, where it has none), so that no feature drowns the others.

    Args:
        real: (N, d) or (N, rows, d), at least 1 clip; may be memory-mapped.
        fake: (M, d) or (M, rows, d).

    Returns:
        float64 (M,): root mean square difference in standard deviations; about sqrt(2) between unrelated clips, 0 for
        a copy.

    Raises:
        InputError: no real clip, features of different sizes, or a value that is not finite.
    """
    real, fake = as_clips(real, "the real set"), as_clips(fake, "the generated set")
    check_same_size(real, fake)
    if not len(real):
        raise InputError("the nearest real clip is asked for, and the real set is empty")
    refuse_not_finite(real, "the real set")
    refuse_not_finite(fake, "the generated set")
    centre, scale = _standard(real)
    step = max(1, BLOCK_VALUES // (fake.shape[1] * fake.shape[2]))
    distances = [_search(real, fake[i : i + step], centre, scale) for i in range(0, len(fake), step)]
    return np.concatenate(distances) if distances else np.zeros(0)


def _means(clips: np.ndarray) -> Iterator[np.ndarray]:
    """The mean row of every clip, in blocks, float64 (b, d)."""
    step = max(1, BLOCK_VALUES // (clips.shape[1] * clips.shape[2]))
    return (clips[i : i + step].mean(axis=1, dtype=np.float64) for i in range(0, len(clips), step))


def _standard(real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every feature, the latter never 0."""
    n, total, squares, largest = 0, np.zeros(real.shape[2]), np.zeros(real.shape[2]), 0.0
    for block in _means(real):
        mean = block.mean(axis=0)
        delta = mean - total / max(n, 1)
        squares += ((block - mean) ** 2).sum(axis=0) + delta**2 * (n * len(block) / (n + len(block)))
        total += block.sum(axis=0)
        n += len(block)
        largest = max(largest, float(np.abs(block).max()))
    deviation = np.sqrt(squares / n)
    usable = deviation > 1e-12 * largest
    usual = deviation[usable].mean() if usable.any() else 1.0
    return total / n, np.where(usable, deviation, usual)


def _search(real: np.ndarray, fake: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The distance of a block of generated clips from the nearest of all real ones."""
    queries = (fake.mean(axis=1, dtype=np.float64) - centre) / scale
    distances = np.full(len(queries), np.inf)
    for block in _means(real):
        points = (block - centre) / scale
        squares = np.einsum("nd,nd->n", points, points)
        distances = np.minimum(distances, _least(queries, points, squares - 2 * queries @ points.T, squares))
    return distances


def _least(queries: np.ndarray, points: np.ndarray, rough: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """The root mean square difference of each row of `queries` from the nearest of `points`.

    `rough` ranks the points up to rounding; all that rounding may have put behind the first are compared exactly, so
    that a copy is at 0 even among its near doubles.
    """
    slack = 1e-12 * (squares.max() + np.einsum("nd,nd->n", queries, queries))
    least = np.empty(len(queries))
    for i, row in enumerate(rough):
        near = points[row <= row.min() + slack[i]]
        least[i] = np.sqrt(np.mean((queries[i] - near) ** 2, axis=1)).min()
    return least
