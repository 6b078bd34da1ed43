"""Confidence intervals of set metrics: the clips are drawn again, with replacement, and the figure made anew.

A distance between resampled sets is larger than that between the sets themselves: copies of a clip make a covariance
look emptier than it is, as if there were fewer clips. So the plain percentiles of the draws lie too high, often wholly
above the figure. `interval` keeps only their spread and puts it around the figure. What it covers is the figure that
other clips from the same two sources would give AT THE SAME NUMBER of clips, not the figure at infinitely many. Where
clips are fewer than features it is too wide rather than too narrow.
"""

from __future__ import annotations

import numpy as np

from moviola.core.errors import ConfigError, InputError
from moviola.metrics.functional.frechet import Gaussian, check_same_size
from moviola.metrics.functional.influence import frechet_influence
from moviola.metrics.functional.moments import check_clips

EXACT_WORK = 1e12
"""Multiplications up to which every draw of a Fréchet distance is made in full: half a minute on one core."""
LINEAR_ROWS = 2
"""Rows per feature from which on the first-order draws cover as often as they should."""


def bootstrap_counts(n: int, draws: int, generator: np.random.Generator) -> np.ndarray:
    """Draw how often each clip counts in each resampling with replacement.

    Args:
        n: clips, 2 and up.
        draws: resamplings, 0 and up.
        generator: source of the draws.

    Returns:
        int64 (draws, n); each row sums to n and names at least 2 different clips (others are drawn again).

    Raises:
        InputError: fewer than 2 clips.
    """
    if n < 2:
        raise InputError(f"resampling needs at least 2 clips, not {n}")
    counts = generator.multinomial(n, np.full(n, 1 / n), size=draws)
    while (degenerate := (counts > 0).sum(axis=1) < 2).any():
        counts[degenerate] = generator.multinomial(n, np.full(n, 1 / n), size=int(degenerate.sum()))
    return counts


def interval(
    value: float, draws: np.ndarray, level: float = 0.95, lowest: float | None = None
) -> tuple[float, float]:
    """Return the centred bootstrap interval, value + quantiles(draws) - mean(draws).

    Args:
        value: the figure of the clips themselves.
        draws: figures of the resamplings, (draws,), at least 1.
        level: of confidence, above 0 and below 1.
        lowest: what the figure cannot lie below (0 for a Fréchet distance); None: anything.

    Returns:
        (low, high) with low <= high.

    Raises:
        ConfigError: a level out of range, or no draws.
    """
    if not 0 < level < 1:
        raise ConfigError(f"the level of a confidence interval lies between 0 and 1, not at {level}")
    draws = np.asarray(draws, dtype=np.float64)
    if not draws.size:
        raise ConfigError("a bootstrap interval needs at least 1 draw")
    tail = (1 - level) / 2
    low, high = (float(value + q - draws.mean()) for q in np.quantile(draws, [tail, 1 - tail]))
    if lowest is not None:
        low, high = max(low, lowest), max(high, lowest)
    return low, high


def frechet_bootstrap(
    real: np.ndarray,
    fake: np.ndarray,
    draws: int,
    generator: np.random.Generator,
    ddof: int = 1,
    work: float = EXACT_WORK,
) -> np.ndarray:
    """Return Fréchet distances of resampled clips; the rows of a clip stay together.

    Every draw is made in full (six digits) unless that is more `work` than allowed and there are several rows for
    every feature; then the distance is followed to first order (`frechet_influence`), which costs one pass.

    Args:
        real: (N, d) or (N, rows, d); may be memory-mapped.
        fake: (M, d) or (M, rows, d).
        draws: how many.
        generator: source of the draws.
        ddof: as in `frechet_from_features`.
        work: multiplications allowed for exact draws.

    Returns:
        float64 (draws,).

    Raises:
        InputError: as `frechet_from_features`.
    """
    real, fake = check_clips(real, "the real set"), check_clips(fake, "the generated set")
    check_same_size(real, fake)
    counts = [bootstrap_counts(len(clips), draws, generator) for clips in (real, fake)]
    rows = [len(clips) * clips.shape[1] for clips in (real, fake)]
    d = real.shape[-1]
    if draws * d * d * (sum(rows) + 10.0 * d) > work and min(rows) >= LINEAR_ROWS * d:
        value = Gaussian.of(real, ddof).distance(Gaussian.of(fake, ddof))
        influence = frechet_influence(real, fake, ddof)
        return value + counts[0] @ influence[0] / len(real) + counts[1] @ influence[1] / len(fake)
    real, fake = compress(real, fake)
    return np.array(
        [
            Gaussian.of(real, ddof, r).distance(Gaussian.of(fake, ddof, f), rough=True)
            for r, f in zip(*counts, strict=True)
        ]
    )


def compress(real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotate two small sets into the space their rows span, where every Fréchet distance stays the same.

    Args:
        real: (N, rows, d).
        fake: (M, rows, d).

    Returns:
        The same clips with as many features as there are rows, if those are at most d / 2; else both as they are.
    """
    d = real.shape[-1]
    rows = [clips.shape[0] * clips.shape[1] for clips in (real, fake)]
    if 2 * sum(rows) > d:
        return real, fake
    both = np.concatenate([np.array(clips, dtype=np.float64).reshape(-1, d) for clips in (real, fake)])
    both -= both.mean(axis=0)
    small = np.asarray(np.linalg.qr(both.T, mode="r")).T
    parts = np.split(small, [rows[0]])
    return parts[0].reshape(*real.shape[:2], -1), parts[1].reshape(*fake.shape[:2], -1)
