"""The inception score: how sure a classifier is of each row, and how many classes the rows cover.

    IS = exp( mean over rows of KL( p(y|x) || p(y) ) )        (Salimans et al. 2016, section 4)

It is between 1 and the number of classes, higher is better, and it never looks at real clips.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from moviola.core.errors import InputError
from moviola.metrics.functional.moments import BLOCK_VALUES, as_clips, refuse_not_finite

SUM_TOLERANCE = 1e-2


def inception_score(probabilities: np.ndarray, splits: int = 1) -> float:
    """Return the inception score.

    Args:
        probabilities: class probabilities, (N, classes) or (N, rows, classes), each row summing to 1; may be
            memory-mapped.
        splits: parts of consecutive clips, as nearly equal as can be, whose scores are averaged; the original code
            uses 10 over 50,000 images. 1 takes all together.

    Raises:
        InputError: fewer clips than splits, or rows that are no probabilities.
    """
    clips = as_clips(probabilities, "class probabilities")
    if not 1 <= splits <= len(clips):
        raise InputError(f"an inception score in {splits} splits needs as many clips; there are {len(clips)}")
    edges = np.arange(splits + 1) * len(clips) // splits
    counts = np.zeros((splits, len(clips)))
    for row, (start, stop) in enumerate(pairwise(edges)):
        counts[row, start:stop] = 1
    return float(inception_scores_counted(clips, counts).mean())


def inception_scores_counted(probabilities: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the inception scores of many resamplings of the clips in one pass.

    Args:
        probabilities: (N, classes) or (N, rows, classes).
        counts: how often each clip counts in each resampling, (S, N), 0 and up, not all 0.

    Returns:
        float64 (S,).

    Raises:
        InputError: rows that are no probabilities.
    """
    counts = np.asarray(counts, dtype=np.float64)
    marginal, negentropy = inception_sums(probabilities, counts)
    rows = counts.sum(axis=1) * as_clips(probabilities).shape[1]
    return inception_from_sums(marginal, negentropy, rows)


def inception_sums(probabilities: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums an inception score is made of; those of shards add up.

    Args:
        probabilities: (N, classes) or (N, rows, classes); may be memory-mapped.
        counts: how often each clip counts in each resampling, float (S, N).

    Returns:
        The sum of p over rows, float64 (S, classes), and that of sum p log p, float64 (S,).

    Raises:
        InputError: rows that are no probabilities.
    """
    clips = as_clips(probabilities, "class probabilities")
    n, rows, classes = clips.shape
    marginal = np.zeros((len(counts), classes))
    negentropy = np.zeros(len(counts))
    step = max(1, BLOCK_VALUES // (rows * classes))
    for start in range(0, n, step):
        block = np.array(clips[start : start + step], dtype=np.float64)
        _check(block, start)
        weights = counts[:, start : start + step]
        marginal += weights @ block.sum(axis=1)
        negentropy += weights @ _plogp(block).sum(axis=(1, 2))
    return marginal, negentropy


def inception_from_sums(marginal: np.ndarray, negentropy: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return inception scores, float64 (S,), from the sums of `inception_sums` over so many `rows` (S,)."""
    mean = marginal / rows[:, None]
    # mean KL(p(y|x) || p(y)) = mean sum_y p(y|x) log p(y|x) - sum_y p(y) log p(y): (S,)
    return np.exp(np.maximum(negentropy / rows - _plogp(mean).sum(axis=1), 0.0))


def _plogp(p: np.ndarray) -> np.ndarray:
    """p log p, 0 at 0."""
    return p * np.log(np.where(p > 0, p, 1.0))


def _check(block: np.ndarray, start: int) -> None:
    if not np.isfinite(block).all():
        refuse_not_finite(block, first=start)
    is_wrong = (block < 0).any(axis=(1, 2)) | (np.abs(block.sum(axis=2) - 1) > SUM_TOLERANCE).any(axis=1)
    if is_wrong.any():
        clip = start + int(np.flatnonzero(is_wrong)[0])
        raise InputError(f"clip {clip}: an inception score needs class probabilities, each row summing to 1")
