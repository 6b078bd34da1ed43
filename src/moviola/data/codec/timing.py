"""The frame rate that explains a list of time stamps."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

import numpy as np

from moviola.core.rates import BROADCAST

_SIMPLE = 125  # a rate with at most this denominator is meant as it stands (23.976 is 2997/125)
_SLOT = Fraction(1, 120)
"""Seconds: where a tick is no shorter and frames are less than two apart, it is a slot that may be left empty."""
_EXACT, _ROUNDED = Fraction(5, 10**7), Fraction(1, 10**4)
"""How far, relative to it, a stated rate may be from the standard one that it means: simple rates, and others."""


def constant_rate(
    ticks: np.ndarray, tick: Fraction, stated_rates: Iterable[Fraction | None]
) -> Fraction | None:
    """Return the constant rate behind rounded time stamps, None where no constant rate explains them.

    A file keeps time in ticks, so frame i of a video of period p stands at i*p rounded to a whole tick (a few
    writers round down). Each stamp therefore bounds p from both sides; the rate is constant when the bounds of all
    stamps leave something. Then it is the first stated rate inside (where that is a standard rate but for its own
    rounding, such as 19001/317, the standard rate), else the one whole step that explains all, else a rate of
    television inside, else the simplest fraction inside. Where they leave nothing, the stamps may have been cut from a
    longer file, so that the first, from which they count, is rounded itself: a stated rate may still explain them.
    Where ticks are slots for a frame each (AVI), gaps are dropped frames, so only a stated rate explains them.
    Or they were copied from a file that keeps milliseconds: then those are looked at.

    Args:
        ticks: int64 (T,), ascending, T at least 2; the stamps relative to any origin.
        tick: seconds a tick.
        stated_rates: rates the file states, most trusted first.
    """
    steps = ticks - ticks[0]
    if len(steps) < 2 or (np.diff(steps) <= 0).any():
        return None
    even = (np.diff(steps) == steps[1]).all()
    exact = 1 / (tick * int(steps[1])) if even else None
    candidates = [
        r for rate in stated_rates if rate for r in (standard_rate(rate) if rate != exact else rate, rate)
    ]
    candidates += [exact] if exact else []
    for low, high in (_bounds(steps, -1, 1), _bounds(steps, 0, 2)):
        if low > high or high <= 0:
            continue
        slowest, fastest = 1 / (high * tick), 1 / (low * tick) if low > 0 else 2 / (high * tick)
        for rate in candidates:
            if rate >= slowest and (low <= 0 or rate <= fastest):
                return rate
        if tick >= _SLOT and steps[-1] < 2 * (len(steps) - 1):
            continue
        simplest = simplest_between(slowest, fastest)
        television = [rate for rate in BROADCAST if slowest <= rate <= fastest]
        return television[0] if television and simplest.denominator > 1 else simplest
    by_stated = (rate for rate in candidates if _explains(steps, 1 / (rate * tick)))
    return next(by_stated, None) or _rate_of_milliseconds(steps, tick, candidates)


def _rate_of_milliseconds(
    steps: np.ndarray, tick: Fraction, candidates: Iterable[Fraction]
) -> Fraction | None:
    """Return the rate behind stamps in finer ticks that were copied from a file that keeps milliseconds."""
    if tick * 1000 >= 1:
        return None
    milliseconds = [round(step * tick * 1000) for step in steps.tolist()]
    copied = all(
        abs(step - ms / (tick * 1000)) <= 1 for step, ms in zip(steps.tolist(), milliseconds, strict=True)
    )
    if not copied or any(two <= one for one, two in pairwise(milliseconds)):
        return None
    return constant_rate(np.array(milliseconds, np.int64), Fraction(1, 1000), candidates)


def _explains(steps: np.ndarray, period: Fraction) -> bool:
    """Say whether rounding explains all stamps, that of the first, from which the others count, included."""
    up, down = period.numerator, period.denominator
    errors = [step * down - i * up for i, step in enumerate(steps.tolist())]
    return max(errors) - min(errors) < down


def standard_rate(rate: Fraction) -> Fraction:
    """Return the whole rate or rate of television that a stated rate means, itself where it means none."""
    nearest = min((Fraction(round(rate)), *BROADCAST), key=lambda standard: abs(standard - rate))
    slack = _ROUNDED if rate.denominator > _SIMPLE else _EXACT
    return nearest if abs(nearest - rate) <= nearest * slack else rate


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
    integer = -(-low.numerator // low.denominator)
    if integer <= high:
        return Fraction(integer)
    base = integer - 1
    return base + 1 / simplest_between(1 / (high - base), 1 / (low - base))


def ascending(ticks: np.ndarray) -> np.ndarray:
    """Return stamps in order; where several are equal, each later one is a tick after the one before."""
    steps = np.arange(len(ticks))
    return np.maximum.accumulate(np.sort(ticks) - steps) + steps
