"""What each metric sees and what not: REAL scored against damaged copies of itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moviola.core.seeds import derive
from moviola.data.corrupt import DAMAGES
from moviola.metrics.catalog import Metric
from moviola.pipelines.evaluate.assemble import Features
from moviola.pipelines.evaluate.features import Column, DamagedView, Damager, set_column
from moviola.pipelines.evaluate.reduce import Draws, Table, floor_of, make_table
from moviola.pipelines.evaluate.samples import Plan

UNDAMAGED = "undamaged"
MOST_CLIPS = 256
"""Real clips that are damaged; more would say little more."""


@dataclass(frozen=True, eq=False)
class View:
    """One extractor on one damage.

    Attributes:
        metric: whose extractor. damage: name of the damage.
        column: what has to be made.
    """

    metric: str
    damage: str
    column: Column


def choose(plan: Plan, seed: int) -> tuple[int, ...]:
    """Return the rows of the real clips that will be damaged: at most `MOST_CLIPS`, by a draw for each name."""
    order = sorted(range(len(plan.cuts)), key=lambda row: derive(seed, "sanity", plan.cuts[row].name))
    return tuple(sorted(order[:MOST_CLIPS]))


def views(metrics: Sequence[Metric], plan: Plan, rows: Sequence[int], seed: int) -> list[View]:
    """Return what has to be made of damaged clips; extractors that metrics share are asked once.

    Args:
        metrics: ready to run on REAL.
        plan: of REAL. rows: which of its clips.
        seed: of what is random in the damages.
    """
    found = []
    damagers = {name: Damager(damage, seed) for name, damage in DAMAGES.items()}
    columns: dict[tuple[int, str], Column] = {}
    for metric in metrics:
        extractor = _extractor(metric)
        for name, damager in damagers.items():
            key = (id(extractor), name)
            if key not in columns:
                view = DamagedView(extractor, damager, metric.spec.kind == "paired")
                columns[key] = set_column(plan, view, rows)
            found.append(View(metric.key, name, columns[key]))
    return found


def table(
    metrics: Sequence[Metric],
    made: Sequence[tuple[View, Features]],
    real: Mapping[str, Table],
    plan: Plan,
    rows: Sequence[int],
    how: Draws,
) -> dict[str, dict[str, float]]:
    """Return damage title to metric key to figure; "undamaged" holds what good clips score.

    That is the real-against-real floor at the same N for set metrics, and the mean over the same clips for figures of
    single clips. Paired metrics have none: a clip beside itself is perfect.

    Args:
        metrics: those of the views.
        made: the views and their features.
        real: metric key to the undamaged features of all real clips; paired metrics have none.
        plan: of REAL. rows: which of its clips were damaged.
        how: seeds of the draws.
    """
    names = {plan.cuts[row].name for row in rows}
    by_key = {metric.key: metric for metric in metrics}
    found: dict[str, dict[str, float]] = {UNDAMAGED: {}}
    good: dict[str, np.ndarray] = {}
    for key, whole in real.items():
        good[key] = whole.values[[i for i, name in enumerate(whole.names) if name in names]]
        found[UNDAMAGED][key] = _undamaged(by_key[key], good[key], how)
    for damage in DAMAGES.values():
        found[damage.title] = {}
    for view, features in made:
        metric = by_key[view.metric]
        bad = _table(metric, features, plan)
        if metric.spec.kind == "set":
            figure = float(metric.measure.score(good[metric.key], bad.values))  # type: ignore[union-attr]
        else:
            figure = _mean(bad.values)
        found[DAMAGES[view.damage].title][metric.key] = figure
    found[UNDAMAGED] = {key: value for key, value in found[UNDAMAGED].items() if not math.isnan(value)}
    return found


def _undamaged(metric: Metric, values: np.ndarray, how: Draws) -> float:
    if metric.spec.kind != "set":
        return _mean(values)
    floor, _ = floor_of(metric, values, len(values), len(values), how)
    return math.nan if floor is None else floor


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _extractor(metric: Metric) -> Any:
    """The extractor that the metric's figure comes from."""
    name = metric.measure if isinstance(metric.measure, str) else metric.measure.extractor
    named = [extractor for extractor in metric.extractors if extractor.name == name]
    return (named or metric.extractors)[0]


def _table(metric: Metric, features: Features, plan: Plan) -> Table:
    output = metric.measure if isinstance(metric.measure, str) else metric.measure.output
    names, labels = [c.name for c in plan.cuts], [c.entry.label for c in plan.cuts]
    return make_table(features, output, names, labels, metric.spec.kind == "set")
