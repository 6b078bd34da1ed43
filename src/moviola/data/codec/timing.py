"""The frame rate that explains a list of time stamps."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np


def constant_rate(ticks: np.ndarray, tick: Fraction, stated: Iterable[Fraction | None]) -> Fraction | None:
    """Return the constant rate behind rounded time stamps, None where no constant rate explains them.

    A file keeps time in ticks, so frame i of a video of period p stands at i*p rounded to a whole tick (a few
    writers round down). Each stamp therefore bounds p from both sides; the rate is constant when the bounds of all
    stamps leave something, and then it is the first stated rate inside, else the one whole step that explains
    all, else the simplest fraction inside.

    Args:
        ticks: int64 (T,), ascending, T at least 2; the stamps relative to any origin.
        tick: seconds a tick.
        stated: rates the file states, most trusted first.
    """
    steps = ticks - ticks[0]
    if len(steps) < 2 or (np.diff(steps) <= 0).any():
        return None
    candidates = [1 / (tick * rate) for rate in stated if rate]
    if (np.diff(steps) == steps[1]).all():
        candidates.append(Fraction(int(steps[1])))
    for low, high in (_bounds(steps, -1, 1), _bounds(steps, 0, 2)):
        if low > high or high <= 0:
            continue
        for period in candidates:
            if low <= period <= high:
                return 1 / (period * tick)
        slowest, fastest = 1 / (high * tick), 1 / (low * tick) if low > 0 else 2 / (high * tick)
        return simplest_between(slowest, fastest)
    return None


def mean_rate(ticks: np.ndarray, tick: Fraction) -> Fraction:
    """Return frames over time of stamps, int64 (T,) strictly ascending, T at least 2."""
    return (len(ticks) - 1) / (int(ticks[-1] - ticks[0]) * tick)


def _bounds(steps: np.ndarray, below: int, above: int) -> tuple[Fraction, Fraction]:
    """Return the smallest and largest period with step_i + below/2 <= i*period <= step_i + above/2 for all i."""
    i = np.arange(1, len(steps))
    low = int(np.argmax((2 * steps[1:] + below) / i))
    high = int(np.argmin((2 * steps[1:] + above) / i))
    return (
        Fraction(int(2 * steps[low + 1]) + below, 2 * (low + 1)),
        Fraction(int(2 * steps[high + 1]) + above, 2 * (high + 1)),
    )


def simplest_between(low: Fraction, high: Fraction) -> Fraction:
    """Return the fraction with the smallest denominator in [low, high], 0 < low <= high (Stern-Brocot descent)."""
    whole = -(-low.numerator // low.denominator)
    if whole <= high:
        return Fraction(whole)
    base = whole - 1
    return base + 1 / simplest_between(1 / (high - base), 1 / (low - base))


def ascending(ticks: np.ndarray) -> np.ndarray:
    """Return stamps in order; where several are equal, each later one is a tick after the one before."""
    steps = np.arange(len(ticks))
    return np.maximum.accumulate(np.sort(ticks) - steps) + steps
