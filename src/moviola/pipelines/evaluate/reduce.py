"""The reduce step: from features to scores, each with what is needed to judge it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moviola.core.seeds import numpy_generator
from moviola.metrics.base import draws_name
from moviola.metrics.catalog import Metric
from moviola.metrics.functional.bootstrap import interval
from moviola.metrics.functional.floor import real_floor
from moviola.metrics.functional.infinity import extrapolate
from moviola.metrics.functional.nearest import nearest_distance
from moviola.metrics.results import Score
from moviola.pipelines.evaluate import honesty
from moviola.pipelines.evaluate.assemble import Features

DRAWS_OF_SETS, DRAWS_OF_MEANS = 200, 1000
_CHUNK = 1 << 21  # resampled values held at once


@dataclass(frozen=True, eq=False)
class Table:
    """One output of an extractor over a set, with what is known of each clip.

    Attributes:
        values: float32 (N, rows, d) for set metrics, (N,) for the others.
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


def make_table(
    features: Features, output: str, names: Sequence[str], labels: Sequence[str | None], rows: bool
) -> Table:
    """Pick one output of a column.

    Args:
        features: of the column.
        output: its name.
        names, labels: of all planned clips.
        rows: give (N, rows, d) rather than a number a clip (the mean, where there are several).
    """
    values = features.outputs[output]
    if rows:
        values = values[:, None, :] if values.ndim == 2 else values
    else:
        values = np.asarray(values, np.float64).reshape(len(values), -1).mean(axis=1)
    kept = features.rows
    return Table(values, tuple(names[i] for i in kept), tuple(labels[i] for i in kept))


def score_set(metric: Metric, real: Table, fake: Table, how: Draws) -> Score:
    """Score a distribution against a distribution."""
    measure: Any = metric.measure
    value = float(measure.score(real.values, fake.values))
    count = how.draws or DRAWS_OF_SETS
    draws = measure.resample(real.values, fake.values, count, how.generator("bootstrap", metric.key))
    low, high = interval(value, draws, how.level, getattr(measure, "lowest", None))
    floor, floor_how = floor_of(metric, real.values, len(real), len(fake), how)
    infinity = None
    if hasattr(measure, "scorer"):
        line = extrapolate(measure, real.values, fake.values, how.generator("infinity", metric.key))
        infinity = None if line is None else line.value
    per_clip: dict[str, float] = {}
    if not getattr(measure, "fake_only", False):
        distances = nearest_distance(real.values, fake.values)
        per_clip = {name: float(d) for name, d in zip(fake.names, distances, strict=True)}
    return _score(
        metric, value, low, high, len(real), len(fake), how,
        floor=floor, floor_how=floor_how, infinity=infinity, per_clip=per_clip,
        warnings=honesty.of_set(metric, real.values, fake.values, value, low, floor),
    )  # fmt: skip


def floor_of(
    metric: Metric, real: np.ndarray, n_real: int, n_fake: int, how: Draws
) -> tuple[float | None, str]:
    """Return the real-against-real floor and how it was found; (None, "") for measures that cannot say."""
    measure: Any = metric.measure
    if not hasattr(measure, "scorer"):
        return None, ""
    return real_floor(measure, real, n_real, n_fake, how.generator("floor", metric.key))


def score_mean(metric: Metric, fake: Table, real: Table | None, how: Draws) -> Score:
    """Score a figure of single clips, or of pairs: its mean over FAKE, and over REAL beside it."""
    value, low, high = mean_interval(fake.values, how, metric.key)
    reference = None if real is None else mean_interval(real.values, how, metric.key)[0]
    per_clip = {name: float(v) for name, v in zip(fake.names, fake.values, strict=True)}
    n_real = len(real) if real is not None else len(fake) if metric.spec.kind == "paired" else 0
    return _score(
        metric, value, low, high, n_real, len(fake), how,
        reference=reference, per_clip=per_clip,
        warnings=honesty.of_mean(metric, fake.values, value, reference),
    )  # fmt: skip


def mean_interval(values: np.ndarray, how: Draws, key: str) -> tuple[float, float | None, float | None]:
    """Return the mean of the values that are numbers, and its bootstrap interval; None for one or infinite values."""
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, None, None
    value = float(known.mean())
    if len(known) < 2 or not math.isfinite(value):
        return value, None, None
    count, generator = how.draws or DRAWS_OF_MEANS, how.generator("bootstrap", key)
    step = max(1, _CHUNK // len(known))
    parts = [
        known[generator.integers(len(known), size=(min(step, count - done), len(known)))].mean(axis=1)
        for done in range(0, count, step)
    ]
    low, high = interval(value, np.concatenate(parts), how.level)
    return value, low, high


def score_classes(
    metric: Metric, real: Table | None, fake: Table, classes: Iterable[str]
) -> dict[str, float]:
    """Return the figure of each class; for set metrics, of those with 2 clips and more on each side.

    Args:
        metric: whose figure.
        real, fake: the clips.
        classes: their labels.
    """
    found: dict[str, float] = {}
    for label in classes:
        ours = fake.of_class(label)
        if metric.spec.kind != "set":
            known = ours[~np.isnan(ours)]
            if len(known):
                found[label] = float(known.mean())
        elif real is not None and min(len(ours), len(theirs := real.of_class(label))) >= 2:
            found[label] = float(metric.measure.score(theirs, ours))  # type: ignore[union-attr]
    return found


def _score(
    metric: Metric,
    value: float,
    low: float | None,
    high: float | None,
    n_real: int,
    n_fake: int,
    how: Draws,
    **more: Any,
) -> Score:
    identity = network_of(metric)
    return Score(
        metric=metric.key,
        value=value,
        low=low,
        high=high,
        n_real=n_real,
        n_fake=n_fake,
        better=metric.spec.better,
        unit=metric.spec.unit,
        network=identity.get("network", ""),
        network_sha256=identity.get("sha256", ""),
        level=how.level,
        **more,
    )


def network_of(metric: Metric) -> dict[str, str]:
    """Return the identity of the extractor that the metric's figure comes from."""
    name = metric.measure if isinstance(metric.measure, str) else metric.measure.extractor
    for extractor in metric.extractors:
        if extractor.name == name:
            return extractor.identity()
    return metric.extractors[0].identity()
