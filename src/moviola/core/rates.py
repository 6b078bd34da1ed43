"""Frame rates and shapes of pixels as exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
from numbers import Rational, Real

from moviola.core.errors import ConfigError

MAX_FPS = 1_000_000  # high-speed cameras; beyond, times in microseconds could not tell frames apart
_LARGEST = 2**31 - 1  # containers keep both parts in 32 bits
BROADCAST = tuple(Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120))
"""Rates of television: n * 1000/1001."""

Rate = Fraction | int | float | str


def as_rate(fps: Rate) -> Fraction:
    """Return a frame rate as an exact fraction.

    Whole numbers, fractions and strings such as "24000/1001" are taken as they stand. A decimal (23.976, "29.97")
    within 0.005 of a broadcast rate n*1000/1001 means that rate; any other decimal becomes the nearest fraction
    with a denominator of at most 1001.

    Args:
        fps: frames per second, more than 0 and at most 1000.

    Raises:
        ConfigError: not a number, or outside that range.
    """
    rate = _parse(fps)
    if rate is None or not 0 < rate <= MAX_FPS or max(rate.numerator, rate.denominator) > _LARGEST:
        raise ConfigError(
            f"a frame rate is a number above 0 and at most {MAX_FPS}, such as 25 or 24000/1001, got {fps!r}"
        )
    return rate


def nominal_rate(fps: Rate) -> Fraction:
    """Return a rate whose parts files can keep; the mean of many stamps may have larger ones.

    Raises:
        ConfigError: as `as_rate`.
    """
    if isinstance(fps, Fraction) and max(fps.numerator, fps.denominator) > _LARGEST:
        fps = fps.limit_denominator(1001)
    return as_rate(fps)


def as_aspect(aspect: Rate) -> Fraction:
    """Return width over height of a pixel as an exact fraction.

    Args:
        aspect: a number above 0, or text such as "64/45".

    Raises:
        ConfigError: it is none.
    """
    try:
        value = Fraction(aspect)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        value = Fraction(0)
    if value <= 0:
        raise ConfigError(f"a pixel aspect is a number above 0, such as 64/45, got {aspect!r}")
    return value


def _parse(fps: Rate) -> Fraction | None:
    """Read a rate; None where it is no finite number."""
    try:
        if isinstance(fps, bool):
            return None
        if isinstance(fps, Rational):
            return Fraction(fps.numerator, fps.denominator)
        if isinstance(fps, str) and "/" in fps:
            return Fraction(fps)
        if isinstance(fps, (str, Real)) and isfinite(value := float(fps)):
            return _from_decimal(value)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return None


def _from_decimal(value: float) -> Fraction:
    """Turn a decimal rate into the fraction it stands for."""
    if value == int(value):
        return Fraction(int(value))
    near = min(BROADCAST, key=lambda rate: abs(float(rate) - value))
    if abs(float(near) - value) < 0.005:
        return near
    return Fraction(value).limit_denominator(1001)
