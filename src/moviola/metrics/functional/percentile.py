"""Bootstrap percentile intervals of few samples, as wide as a t interval would be."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from moviola.core.errors import ConfigError


def expanded_percentiles(
    draws: np.ndarray, n: int | None, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Return the expanded percentile interval (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", 6.3).

    Plain percentiles are too narrow where n is small: by sqrt((n - 1) / n), and by what a t quantile is wider than a
    normal one. So the tails are taken at Phi(-sqrt(n / (n - 1)) t), t of n - 1 degrees of freedom.

    Args:
        draws: (draws, ...), figures of resamplings; NaN where one has none.
        n: how many samples were resampled, at least 2; None for plain percentiles.
        level: of confidence, above 0 and below 1.

    Returns:
        low and high, each (...); NaN where all draws are.

    Raises:
        ConfigError: a level out of range, fewer than 2 samples, or no draws.
    """
    if not 0 < level < 1:
        raise ConfigError(f"the level of a confidence interval lies between 0 and 1, not at {level}")
    if (n is not None and n < 2) or not len(draws):
        raise ConfigError(f"an interval needs 2 samples and a draw, not {n} and {len(draws)}")
    tail = (1 - level) / 2
    if n is not None:
        tail = NormalDist().cdf(-math.sqrt(n / (n - 1)) * t_quantile((1 + level) / 2, n - 1))
    draws = np.asarray(draws, dtype=np.float64)
    known = np.where(np.isnan(draws).all(axis=0), 0.0, draws)
    low, high = np.nanquantile(known, [tail, 1 - tail], axis=0)
    gone = np.isnan(draws).all(axis=0)
    return np.where(gone, np.nan, low), np.where(gone, np.nan, high)


def t_quantile(p: float, freedom: int) -> float:
    """Return the quantile of Student's t, exact for 1 and 2 degrees of freedom, else to about 0.2 %.

    Args:
        p: above 0.5 and below 1, up to 0.995.
        freedom: degrees of freedom, at least 1.

    Source: Abramowitz and Stegun 1964, 26.7.5.
    """
    if freedom == 1:
        return math.tan(math.pi * (p - 0.5))
    if freedom == 2:
        return (2 * p - 1) / math.sqrt(2 * p * (1 - p))
    x = NormalDist().inv_cdf(p)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + sum(term / freedom ** (power + 1) for power, term in enumerate(terms))
