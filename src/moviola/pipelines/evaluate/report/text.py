"""Scores as words and rows: what the command line and the page both print."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moviola.metrics.results import Report, Score

if TYPE_CHECKING:
    from moviola.metrics.metric import Metric

UNDAMAGED = "undamaged"
LEGEND = {
    "value": "score of the generated clips, with its interval",
    "floor": "floor: real against real at the same N",
    "infinity": "extrapolated to infinitely many clips",
    "reference": "the real clips",
}
BETTER = {"lower": "lower is better", "higher": "higher is better", "neither": "only describes"}
_SHORT_SHA = 12
_SEEN = 0.05
_COUNTED = ("sizes", "fps", "codecs")  # of a set: what is there, and how often


def figure(value: float | None) -> str:
    """Return a number with four significant digits: "2816", "302.1", "0.01234", "1.2e-05"; "" for None."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return "not finite"
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    return f"{value:.3g}" if not -5 < magnitude < 7 else f"{value:.{max(0, 3 - magnitude)}f}"


def signed(value: float) -> str:
    """Return a number with its sign, "+12.34"; a difference of nothing is "0"."""
    text = figure(value)
    return text if value <= 0 or not math.isfinite(value) else f"+{text}"


def interval(score: Score) -> str:
    """Return "low to high", "" where there is no interval."""
    return "" if score.low is None or score.high is None else f"{figure(score.low)} to {figure(score.high)}"


def floor(score: Score) -> str:
    """Return the real-against-real floor; one that was not measured at this N says so."""
    text = figure(score.floor)
    return text if score.floor_how in ("", "measured") or not text else f"{text} ({score.floor_how})"


def describe(score: Score) -> str:
    """Return in words what the strip of a score shows."""
    parts = [f"{score.metric} {figure(score.value)} ({BETTER[score.better]})"]
    parts += [f"interval {interval(score)}"] if interval(score) else []
    named = (("floor", score.floor), ("infinity", score.infinity), ("real clips", score.reference))
    return ", ".join(parts + [f"{name} {figure(value)}" for name, value in named if value is not None])


def network(score: Score, digits: int = _SHORT_SHA) -> str:
    """Return the network's name with the first `digits` of its SHA-256, "" for none."""
    return f"{score.network} {score.network_sha256[:digits]}".strip()


def count(score: Score) -> str:
    """Return how many clips went in: "2048 + 2048" (real + generated)."""
    return f"{score.n_real} + {score.n_fake}"


def title(metric: str) -> str:
    """Return the catalog's line about a metric, "" for one it does not hold."""
    from moviola.metrics.catalog import METRICS

    return METRICS[metric].title if metric in METRICS else ""


def kind(score: Score) -> type[Metric]:
    """Return which kind of metric a score is of."""
    from moviola.metrics.catalog import METRICS
    from moviola.metrics.kinds import ClipMetric, SetMetric, kind_of

    if score.metric in METRICS:
        return kind_of(METRICS[score.metric])
    return ClipMetric if score.floor is None and score.infinity is None else SetMetric


def level(report: Report) -> str:
    """Return the confidence level of the intervals, "95 %"."""
    levels = {score.level for score in report.scores.values()}
    return f"{100 * next(iter(levels)):g} %" if len(levels) == 1 else "confidence"


def notes(report: Report) -> list[str]:
    """Return every warning once: those of the whole evaluation, then each metric's, headed by its name."""
    lines = list(report.warnings)
    for key, score in report.scores.items():
        lines += [f"{key}: {text}" for text in score.warnings]
    return list(dict.fromkeys(lines))


def flat(values: Mapping[str, Any], head: str = "") -> Iterator[tuple[str, str]]:
    """Yield (dotted key, value as text) of nested plain values, in their order; what is empty is left out."""
    for key, value in values.items():
        name = f"{head}{key}"
        if isinstance(value, Mapping) and key in _COUNTED:
            yield name, ", ".join(f"{what} ({times})" for what, times in value.items())
        elif isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        elif value is not None and value != "" and value != [] and value != ():
            yield name, _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    return str(value)


@dataclass(frozen=True)
class Column:
    """Best and worst of one column of a table by class.

    Attributes:
        best: the class that stands best, "" where the metric has no direction or there are not two classes.
        worst: the class that stands worst.
    """

    best: str = ""
    worst: str = ""


def extremes(classes: Mapping[str, Mapping[str, float]], metric: str, better: str) -> Column:
    """Return which classes do best and worst on `metric`; `better` is its direction."""
    known = {label: row[metric] for label, row in classes.items() if math.isfinite(row.get(metric, math.nan))}
    if better == "neither" or len(known) < 2 or len(set(known.values())) < 2:
        return Column()
    low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    return Column(low, high) if better == "lower" else Column(high, low)


def undamaged(report: Report, metric: str) -> float | None:
    """Return what undamaged clips score, against which the damaged copies of the sanity table are held."""
    row = report.sanity.get(UNDAMAGED, {})
    if metric in row:
        return row[metric]
    score = report.scores.get(metric)
    if score is None:
        return None
    return score.floor if score.floor is not None else score.reference


def unseen(report: Report, metric: str) -> dict[str, bool]:
    """Return, by damage, whether `metric` fails to see it; empty where the metric has no direction.

    It sees a damage that makes the score worse than undamaged clips by more than a twentieth of what the worst
    damage does.
    """
    base, score = undamaged(report, metric), report.scores.get(metric)
    sign = {"lower": 1, "higher": -1}.get(score.better, 0) if score else 0
    if base is None or not sign or not math.isfinite(base):
        return {}
    worse = {
        name: sign * (row[metric] - base)
        for name, row in report.sanity.items()
        if name != UNDAMAGED and math.isfinite(row.get(metric, math.nan))
    }
    least = _SEEN * max([0.0, *worse.values()])
    return {name: move <= least for name, move in worse.items()}
