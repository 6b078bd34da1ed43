"""Answers as counts: who beat whom, and who said what of each pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from moviola.metrics.functional.bradley_terry import bradley_terry, is_connected
from moviola.metrics.functional.percentile import expanded_percentiles
from moviola.pipelines.study.answers import Rater
from moviola.pipelines.study.records import Study

PRIOR = 0.5
"""Wins added both ways between methods that met: the correction of Haldane and Anscombe, which keeps scores finite."""

FEW = 5
"""Raters from which on they alone are resampled."""

_SIGN = {"left": -1.0, "tie": 0.0, "right": 1.0}


class Draws(NamedTuple):
    """Figures of the answers and of resamplings of them.

    Attributes:
        wins: (1 + draws, K, K), the answers themselves first. scores: (1 + draws, K).
        over: what was resampled: "raters", "raters and pairs" or "pairs".
        samples: how many of them; 0 where percentiles need no widening.
    """

    wins: np.ndarray
    scores: np.ndarray
    over: str
    samples: int

    def interval(self, figures: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Return low and high, (K,), of figures (1 + draws, K) made from these; NaN where one sample is all."""
        if self.samples == 1:
            nothing = np.full(figures.shape[1], np.nan)
            return nothing, nothing
        return expanded_percentiles(figures[1:], self.samples or None, level)


def count_wins(study: Study, rater: Rater, criterion: str) -> np.ndarray:
    """Return how often each method beat each other in each pair, a tie as half a win both ways: (pairs, K, K)."""
    wins = np.zeros((len(study.pairs), len(study.methods), len(study.methods)))
    for number, pair in enumerate(study.pairs):
        choice = rater.choices.get((number, criterion))
        if choice is None or pair.damaged is not None:
            continue
        wins[number, pair.left, pair.right] = (1 - _SIGN[choice]) / 2
        wins[number, pair.right, pair.left] = (1 + _SIGN[choice]) / 2
    return wins


def count_ties(study: Study, raters: Sequence[Rater], criterion: str) -> np.ndarray:
    """Return how often two methods were called equal: (K, K), symmetric."""
    ties = np.zeros((len(study.methods), len(study.methods)))
    for rater in raters:
        for number, pair in enumerate(study.pairs):
            if pair.damaged is None and rater.choices.get((number, criterion)) == "tie":
                ties[pair.left, pair.right] += 1
                ties[pair.right, pair.left] += 1
    return ties


def list_ratings(study: Study, raters: Sequence[Rater], criterion: str) -> np.ndarray:
    """Return what each rater chose: (raters, pairs), -1 left, 0 tie, 1 right, NaN for none; catch pairs left out.

    Sides, not methods: they are balanced, so that chance agrees equally often whichever method is better.
    """
    numbers = [n for n, pair in enumerate(study.pairs) if pair.damaged is None]
    return np.array(
        [[_SIGN.get(rater.choices.get((n, criterion), ""), np.nan) for n in numbers] for rater in raters]
    ).reshape(len(raters), len(numbers))


def resample(
    study: Study, raters: Sequence[Rater], criterion: str, draws: int, generator: np.random.Generator
) -> Draws | None:
    """Count wins and score methods, for the answers and for resamplings of them.

    Resampled are the raters; the pairs, for one rater; and both, for 2 to 4 raters, whose own resamplings are too few
    to show how far raters differ (Owen 2007, the pigeonhole bootstrap, which errs on the wide side).

    Args:
        study: the key.
        raters: whose answers count, at least one.
        criterion: its key.
        draws: resamplings.
        generator: source of the draws.

    Returns:
        None where the answers do not join all methods, directly or through others.
    """
    each = np.stack([count_wins(study, rater, criterion) for rater in raters])
    each = each[each.sum(axis=(1, 2, 3)) > 0]
    each = each[:, each.sum(axis=(0, 2, 3)) > 0]
    total = each.sum(axis=(0, 1))
    if not is_connected(total + total.T):
        return None
    count, pairs = each.shape[:2]
    over = "raters" if count >= FEW else "raters and pairs" if count > 1 else "pairs"
    rows = _weights(count, draws, generator) if count > 1 else np.ones((draws, 1))
    columns = _weights(pairs, draws, generator) if count < FEW else np.ones((draws, pairs))
    drawn = np.einsum("dr,rdij->dij", rows, np.einsum("dp,rpij->rdij", columns, each))
    wins = np.concatenate([total[None], drawn])
    samples = {"raters": count, "pairs": pairs}.get(over, 0)
    return Draws(wins, bradley_terry(wins, PRIOR), over, samples)


def _weights(n: int, draws: int, generator: np.random.Generator) -> np.ndarray:
    """How often each of n samples counts in each resampling with replacement, (draws, n)."""
    return generator.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)
