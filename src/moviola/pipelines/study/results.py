"""What the answers of a study say: scores with intervals, agreement, and which metrics agree with people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from moviola.core.errors import ConfigError
from moviola.core.seeds import numpy_generator
from moviola.metrics.functional.agreement import kendall_tau, krippendorff_alpha
from moviola.pipelines.study.answers import Rater, read_answers
from moviola.pipelines.study.metric_values import MetricValues, read_metrics
from moviola.pipelines.study.records import Criterion, Study, load_study
from moviola.pipelines.study.tally import FEW, Draws, count_ties, list_ratings, resample

LEVEL = 0.95


@dataclass(frozen=True)
class Standing:
    """How one method stands by one criterion.

    Attributes:
        method: its name.
        score: Bradley-Terry, natural log, mean 0 over the methods. low, high: its interval, None where there is none.
        rate: share of its comparisons that it won, a tie as half. rate_low, rate_high: the interval.
        comparisons: how many.
    """

    method: str
    score: float
    low: float | None
    high: float | None
    rate: float
    rate_low: float | None
    rate_high: float | None
    comparisons: int


@dataclass(frozen=True)
class Duel:
    """Two methods against each other.

    Attributes:
        one: a method. two: the other.
        won: comparisons that `one` won. tied: ties. lost: those that `two` won.
        rate: share that `one` won, a tie as half. low, high: its interval, None where there is none.
    """

    one: str
    two: str
    won: int
    tied: int
    lost: int
    rate: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Verdict:
    """What raters said by one criterion.

    Attributes:
        criterion: its key. title: for people.
        standings: best first; empty where the answers do not join all methods.
        duels: every two methods that met.
        alpha: Krippendorff's, ordinal (left < tie < right); None for a single rater, or where it cannot be told.
        same: share of the choices of two raters on one pair that are the same; None for a single rater.
        answers: how many, catch pairs left out.
        over: what was resampled for the intervals: "raters", "raters and pairs" (2 to 4 raters) or "pairs" (one).
    """

    criterion: str
    title: str
    standings: tuple[Standing, ...]
    duels: tuple[Duel, ...]
    alpha: float | None
    same: float | None
    answers: int
    over: str


@dataclass(frozen=True)
class MetricAgreement:
    """How far a metric's order of the methods is that of people by one criterion.

    Attributes:
        metric: its key. criterion: its key.
        tau: Kendall's tau-b, 1 for the same order. low, high: over the resamplings; None where there is none.
        methods: how many were compared.
    """

    metric: str
    criterion: str
    tau: float | None
    low: float | None
    high: float | None
    methods: int


@dataclass(frozen=True)
class Results:
    """What a study says.

    Attributes:
        study: its key.
        raters: all, those left out among them.
        verdicts: a criterion each.
        metrics: values of `moviola evaluate` that were compared. agreement: metric by criterion.
        duplicates: (file left out, file of the same rater that counts).
        notes: what there is to know first, a line each.
        level: of the intervals.
    """

    study: Study
    raters: tuple[Rater, ...]
    verdicts: tuple[Verdict, ...]
    metrics: tuple[MetricValues, ...] = ()
    agreement: tuple[MetricAgreement, ...] = ()
    duplicates: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = field(default=())
    level: float = LEVEL

    def __getitem__(self, criterion: str) -> Verdict:
        return next(verdict for verdict in self.verdicts if verdict.criterion == criterion)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values: the JSON that `moviola study read --json` prints."""
        raters = [
            {
                "name": r.name, "file": r.file, "answers": len(r.choices), "catch_failed": r.caught,
                "catch_answered": r.catches, "counted": r.counted,
            }
            for r in self.raters
        ]  # fmt: skip
        return {
            "study": self.study.id,
            "methods": [method.name for method in self.study.methods],
            "criteria": {
                v.criterion: {k: x for k, x in asdict(v).items() if k != "criterion"} for v in self.verdicts
            },
            "metrics": [asdict(values) for values in self.metrics],
            "agreement": [asdict(entry) for entry in self.agreement],
            "raters": raters,
            "duplicates": [list(two) for two in self.duplicates],
            "level": self.level,
            "notes": list(self.notes),
        }


def read_study(
    key: str | Path,
    answers: Sequence[str | Path],
    *,
    scores: Sequence[str] = (),
    allowed: int = 0,
    draws: int = 2000,
    seed: int = 0,
) -> Results:
    """Read the answers of raters, and say what follows from them.

    Scores are those of Bradley and Terry with half a win added both ways between methods that met; intervals resample
    the raters (raters and pairs where there are 2 to 4, pairs where there is one).

    Args:
        key: the .json beside the page.
        answers: files that raters saved, or folders of them.
        scores: `moviola evaluate --json` of each method, as FILE or METHOD=FILE.
        allowed: catch pairs that a rater may fail and still count.
        draws: resamplings, at least 100.
        seed: of the resamplings.

    Raises:
        InputError: a file is missing, damaged or of another study, or no rater counts; one line that names it.
        ConfigError: a number out of range.
    """
    if allowed < 0 or draws < 100:
        raise ConfigError(f"--allow-failed is at least 0 and --draws at least 100, not {allowed} and {draws}")
    study = load_study(key)
    metrics = read_metrics(study, scores)
    reading = read_answers(study, answers, allowed)
    raters = reading.counted
    verdicts, agreement = [], []
    for criterion in study.criteria:
        made = resample(study, raters, criterion.key, draws, numpy_generator(seed, "study", criterion.key))
        verdicts.append(_verdict(study, raters, criterion, made))
        agreement += [_agreement(values, criterion.key, made) for values in metrics if made is not None]
    notes = [*reading.notes, *_warnings(verdicts, len(raters))]
    return Results(
        study, reading.raters, tuple(verdicts), tuple(metrics), tuple(agreement), reading.duplicates, tuple(notes),
    )  # fmt: skip


def _verdict(study: Study, raters: Sequence[Rater], criterion: Criterion, made: Draws | None) -> Verdict:
    ratings = list_ratings(study, raters, criterion.key)
    count = int((~np.isnan(ratings)).sum())
    alpha, same = (
        (None, None) if len(raters) < 2 else (_known(krippendorff_alpha(ratings, "ordinal")), _same(ratings))
    )
    if made is None:
        return Verdict(criterion.key, criterion.title, (), (), alpha, same, count, "")
    ties = count_ties(study, raters, criterion.key)
    return Verdict(
        criterion.key, criterion.title, _standings(study, made), _duels(study, made, ties), alpha, same, count,
        made.over,
    )  # fmt: skip


def _standings(study: Study, made: Draws) -> tuple[Standing, ...]:
    games = made.wins + made.wins.swapaxes(1, 2)
    with np.errstate(invalid="ignore"):
        rates = made.wins.sum(axis=2) / games.sum(axis=2)
    low, high = made.interval(made.scores, LEVEL)
    rate_low, rate_high = made.interval(rates, LEVEL)
    order = np.argsort(-made.scores[0], kind="stable").tolist()
    return tuple(
        Standing(
            study.methods[i].name, float(made.scores[0, i]), _known(low[i]), _known(high[i]), float(rates[0, i]),
            _known(rate_low[i]), _known(rate_high[i]), round(games[0, i].sum()),
        )
        for i in order
    )  # fmt: skip


def _duels(study: Study, made: Draws, ties: np.ndarray) -> tuple[Duel, ...]:
    duels = []
    for one, two in combinations(range(len(study.methods)), 2):
        won, lost = made.wins[:, one, two], made.wins[:, two, one]
        if won[0] + lost[0] == 0:
            continue
        with np.errstate(invalid="ignore"):
            rates = won / (won + lost)
        low, high = made.interval(rates[:, None], LEVEL)
        tied = ties[one, two]
        duels.append(
            Duel(
                study.methods[one].name, study.methods[two].name, round(won[0] - tied / 2), round(tied),
                round(lost[0] - tied / 2), float(rates[0]), _known(low[0]), _known(high[0]),
            )
        )  # fmt: skip
    return tuple(duels)


def _agreement(values: MetricValues, criterion: str, made: Draws) -> MetricAgreement:
    """Kendall's tau of a metric's order, larger as better, and that of people, over the methods with a value."""
    known = [i for i, value in enumerate(values.values) if value is not None]
    sign = -1.0 if values.better == "lower" else 1.0
    metric = np.array([sign * float(values.values[i] or 0.0) for i in known])
    taus = np.array([kendall_tau(metric, scores[known]) for scores in made.scores])
    low, high = made.interval(taus[:, None], LEVEL)
    return MetricAgreement(
        values.metric, criterion, _known(taus[0]), _known(low[0]), _known(high[0]), len(known)
    )  # fmt: skip


def _same(ratings: np.ndarray) -> float | None:
    """The share of two raters' choices on one pair that are the same, over all two raters and pairs."""
    equal = both = 0
    for one, two in combinations(ratings, 2):
        equal += int((one == two).sum())
        both += int((~np.isnan(one) & ~np.isnan(two)).sum())
    return equal / both if both else None


def _known(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _warnings(verdicts: Sequence[Verdict], raters: int) -> list[str]:
    """Say what keeps the figures from being taken at their word."""
    notes = []
    if raters == 1:
        notes.append(
            "one rater: intervals say what other pairs would give with this rater, not what others would say"
        )
    elif raters < FEW:
        notes.append(f"{raters} raters: intervals resample raters and pairs, and are wide")
    for verdict in verdicts:
        if not verdict.standings:
            notes.append(f"{verdict.criterion}: the answers do not join all methods, so there are no scores")
    return notes
