"""How long a Fréchet distance takes, beside the usual way with `scipy.linalg.sqrtm`, and whether the two agree.

    python benchmarks/frechet_speed.py [sizes ...]        default: 400 1408 2048

Claim: at least 3 times faster at 400 features, and equal to 1e-6 relative at every size. Both get the same means and
covariances, from twice as many rows as features with a spectrum that falls as that of video features does; they take
turns, on one thread unless OMP_NUM_THREADS says otherwise (threads that wait for a busy core would be what is
measured), so that what else the machine does hits both alike; the median and the fastest runs are printed. A last
line does the same with fewer rows than features, where a matrix root loses half its digits and ours works on the rows.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when NumPy and SciPy are loaded

import numpy as np
import scipy
import scipy.linalg

from moviola.metrics.functional.frechet import frechet_distance, frechet_from_features
from moviola.metrics.functional.moments import Moments

RUNS = {400: 15, 1408: 3, 2048: 2}
RATIO_AT_400, RELATIVE = 3.0, 1e-6


def with_sqrtm(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    """The distance as most implementations have it."""
    root = scipy.linalg.sqrtm(cov1 @ cov2)
    delta = mean1 - mean2
    return float(delta @ delta + np.trace(cov1) + np.trace(cov2) - 2 * np.trace(root).real)


def rows(n: int, d: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of n rows of d features, the second a little wider and shifted."""
    scale = np.arange(1, d + 1) ** -0.5
    return rng.normal(size=(n, d)) * scale, 1.2 * rng.normal(size=(n, d)) * scale + 0.05


def race(one: Callable[[], float], two: Callable[[], float], runs: int) -> tuple[list[float], list[float]]:
    """Run both in turns, once each without the clock first; return the seconds of each."""
    times: tuple[list[float], list[float]] = [], []
    for round_number in range(runs + 1):
        for call, taken in zip((one, two), times, strict=True):
            start = time.perf_counter()
            call()
            if round_number:
                taken.append(time.perf_counter() - start)
    return times


def line(name: str, ours: list[float], theirs: list[float], difference: float) -> float:
    """Print one row of the table and return the ratio of the medians."""
    ratio = statistics.median(theirs) / statistics.median(ours)
    columns = [f"{statistics.median(t):>9.4f} {min(t):>9.4f}" for t in (ours, theirs)]
    print(f"{name:<22} {columns[0]} {columns[1]} {ratio:>7.1f}x {difference:>12.1e}")
    return ratio


def main(sizes: list[int]) -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    print(f"NumPy {np.__version__}, SciPy {scipy.__version__}; seconds, median and fastest")
    print(f"{'features':<22} {'moviola':>19} {'scipy.linalg.sqrtm':>19} {'ratio':>8} {'difference':>12}")
    ratios, differences = {}, []
    for d in sizes:
        moments = [Moments.of(s) for s in rows(2 * d, d, rng)]
        given = [a for m in moments for a in (m.mean, m.covariance())]
        ours, theirs = frechet_distance(*given), with_sqrtm(*given)
        differences.append(abs(ours / theirs - 1))
        times = race(lambda g=given: frechet_distance(*g), lambda g=given: with_sqrtm(*g), RUNS.get(d, 3))
        ratios[d] = line(str(d), *times, differences[-1])
    x, y = rows(100, 400, rng)
    given = [a for s in (x, y) for a in (s.mean(axis=0), np.cov(s.T))]
    difference = abs(frechet_from_features(x, y) / with_sqrtm(*given) - 1)
    line(
        "400, from 100 rows",
        *race(lambda: frechet_from_features(x, y), lambda: with_sqrtm(*given), 5),
        difference,
    )
    if 400 in ratios:
        print(
            f"claim: at least {RATIO_AT_400:g}x at 400: {'holds' if ratios[400] >= RATIO_AT_400 else 'FAILS'}"
        )
    print(f"claim: equal to {RELATIVE:g} relative: {'holds' if max(differences) <= RELATIVE else 'FAILS'}")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or list(RUNS))
