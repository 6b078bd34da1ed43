"""What a biased set metric would be with infinitely many clips.

A Fréchet distance or an inception score of N clips is off by an amount that falls as 1 / N once N is large enough
(Chong and Forsyth 2020, section 3). So the figure is made of random subsets of several sizes, a straight line is laid
through it against 1 / N, and read off at 0. Unlike in that paper both sets shrink, in proportion, because the real
clips of a video data set are few as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

SMALLEST = 0.5
"""Smallest subset, as a part of the whole. Below it the line bends, too near the whole it has no leverage."""
FEWEST_CLIPS = 16
Scorer = Callable[[np.ndarray, np.ndarray], float]


class Countable(Protocol):
    """A set measure that scores parts of its sets without copying them (all of moviola's do).

    Attributes:
        unbiased: the mean of its figure does not depend on the number of clips.
        fake_only: it never looks at the real clips.
    """

    unbiased: ClassVar[bool]
    fake_only: ClassVar[bool]

    def score(self, real: np.ndarray, fake: np.ndarray) -> float:
        """Return the figure of whole sets."""
        ...

    def scorer(self, real: np.ndarray, fake: np.ndarray) -> Scorer:
        """Return a function to the figure of parts: (N,) and (M,), 1 for clips that are in, 0 for the others."""
        ...

    def fewest_clips(self, real: np.ndarray, fake: np.ndarray) -> float:
        """Return how many clips it takes before the bias falls as 1 / N."""
        ...


@dataclass(frozen=True)
class Extrapolation:
    """A line through the figures of subsets, read off at infinitely many clips.

    Attributes:
        value: there. It may lie a little below the lowest possible figure, by chance.
        residual: root mean square distance of the figures from the line.
        sizes: clips in each subset (of the smaller set).
        values: their figures.
    """

    value: float
    residual: float
    sizes: tuple[int, ...]
    values: tuple[float, ...]


def extrapolate(
    measure: Countable,
    real: np.ndarray,
    fake: np.ndarray,
    generator: np.random.Generator,
    sizes: int = 6,
    repeats: int = 3,
) -> Extrapolation | None:
    """Return the figure at infinitely many clips.

    Args:
        measure: whose figure.
        real: (N, d) or (N, rows, d); may be memory-mapped.
        fake: (M, d) or (M, rows, d).
        generator: draws the subsets.
        sizes: how many sizes of subset, evenly from half the clips to all; 2 and up.
        repeats: subsets of each size, but for the whole.

    Returns:
        None where half the clips are too few for the bias to fall as 1 / N: for a Fréchet distance, fewer than
        (tr S^(1/2))^2 / tr S of the features, which is d when all are equally strong and less for real networks. An
        unbiased measure's own figure is returned as it is.
    """
    n = min(len(real), len(fake)) if not measure.fake_only else len(fake)
    if measure.unbiased:
        value = measure.score(real, fake)
        return Extrapolation(value, 0.0, (n,), (value,))
    if math.floor(SMALLEST * n) < max(FEWEST_CLIPS, measure.fewest_clips(real, fake)):
        return None
    score = measure.scorer(real, fake)
    parts, values = [], []
    for part in np.linspace(SMALLEST, 1, sizes):
        for _ in range(repeats if part < 1 else 1):
            counts = [subset_counts(len(s), round(part * len(s)), generator) for s in (real, fake)]
            parts.append(part)
            values.append(score(counts[0], counts[1]))
    # figure = value + slope / N by least squares, N as a part of the whole: read off at 1 / N = 0
    slope, value = np.polyfit(1 / np.array(parts), values, 1)
    residual = float(np.sqrt(np.mean((value + slope / np.array(parts) - values) ** 2)))
    counted = tuple(round(part * n) for part in parts)
    return Extrapolation(float(value), residual, counted, tuple(float(v) for v in values))


def subset_counts(n: int, size: int, generator: np.random.Generator) -> np.ndarray:
    """Draw `size` of `n` clips without replacement; return int64 (n,) of ones and zeros."""
    counts = np.zeros(n, dtype=np.int64)
    counts[generator.permutation(n)[:size]] = 1
    return counts
