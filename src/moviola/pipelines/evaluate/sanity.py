"""What each metric sees and what not: REAL scored against damaged copies of itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moviola.core.seeds import derive
from moviola.data.corrupt import DAMAGES
from moviola.metrics.kinds import Metric
from moviola.metrics.scoring import Draws, Table
from moviola.pipelines.evaluate.assemble import Features
from moviola.pipelines.evaluate.features import Column, DamagedView, Damager, set_column
from moviola.pipelines.evaluate.keys import extractor_key
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
    damaged = []
    damagers = {name: Damager(damage, seed) for name, damage in DAMAGES.items()}
    columns: dict[tuple[bytes, str], Column] = {}
    for metric in metrics:
        for name, damager in damagers.items():
            key = (extractor_key(metric.extractor), name)
            if key not in columns:
                view = DamagedView(metric.extractor, damager, "pair" in metric.sets)
                columns[key] = set_column(plan, view, rows)
            damaged.append(View(metric.key, name, columns[key]))
    return damaged


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
    good = {
        key: whole.values[[i for i, name in enumerate(whole.names) if name in names]]
        for key, whole in real.items()
    }
    undamaged = {key: by_key[key].undamaged(values, how) for key, values in good.items()}
    figures: dict[str, dict[str, float]] = {
        UNDAMAGED: {key: value for key, value in undamaged.items() if not math.isnan(value)},
        **{damage.title: {} for damage in DAMAGES.values()},
    }
    for view, features in made:
        metric = by_key[view.metric]
        bad = metric.figure(good.get(metric.key), metric.values(features.outputs[metric.output]))
        figures[DAMAGES[view.damage].title][metric.key] = math.nan if bad is None else bad
    return figures
