"""What scores are made of: the values of the clips, the draws behind intervals, and a mean with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from moviola.core.seeds import numpy_generator
from moviola.metrics.base import draws_name
from moviola.metrics.functional.bootstrap import interval

DRAWS_OF_SETS, DRAWS_OF_MEANS = 200, 1000
_CHUNK = 1 << 21  # resampled values held at once


@dataclass(frozen=True, eq=False)
class Table:
    """One output of an extractor over a set, with what is known of each clip.

    Attributes:
        values: float32 (N, rows, d) for set metrics, float64 (N,) for the others.
        names: of the clips. labels: their classes, None for none.
    """

    values: np.ndarray
    names: tuple[str, ...]
    labels: tuple[str | None, ...]

    def __len__(self) -> int:
        return len(self.names)

    def of_class(self, label: str) -> np.ndarray:
        """Return the values of the clips of one class."""
        return self.values[[i for i, one in enumerate(self.labels) if one == label]]


@dataclass(frozen=True)
class Draws:
    """How intervals are made: confidence level (0 to 1), number of draws (None: as the kind needs), seed."""

    level: float = 0.95
    draws: int | None = None
    seed: int = 0

    def generator(self, purpose: str, key: str) -> np.random.Generator:
        """Return the source of draws for one purpose of metric `key`."""
        return numpy_generator(self.seed, purpose, draws_name(key))


def mean_of(values: np.ndarray) -> float:
    """Return the mean of the values that are numbers, NaN where none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def mean_interval(values: np.ndarray, draws: Draws, key: str) -> tuple[float, float | None, float | None]:
    """Return the mean of the values that are numbers, and its bootstrap interval; None for one or infinite values."""
    value = mean_of(values)
    known = values[~np.isnan(values)]
    if len(known) < 2 or not math.isfinite(value):
        return value, None, None
    count, generator = draws.draws or DRAWS_OF_MEANS, draws.generator("bootstrap", key)
    step = max(1, _CHUNK // len(known))
    parts = [
        known[generator.integers(len(known), size=(min(step, count - done), len(known)))].mean(axis=1)
        for done in range(0, count, step)
    ]
    low, high = interval(value, np.concatenate(parts), draws.level)
    return value, low, high
