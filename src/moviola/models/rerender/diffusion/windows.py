"""Windows: during which of the denoising steps a constraint acts.

A window is a pair of fractions of the steps that really run. With 20 steps and a strength of 0.75 the scheduler runs
15; the window (0, 0.1) then holds the first two of these 15. (The published code counts from the 20 steps that were
asked for, so that an early window can lie whole within the steps that are left out.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from moviola.core.errors import ConfigError

SLACK = 1e-9  # fractions of whole steps are meant exactly: 0.3 of 10 steps is 3, whatever the binary fraction says


def _in_order(value: tuple[float, float]) -> tuple[float, float]:
    start, end = value
    if not 0 <= start <= end <= 1:
        raise ValueError("a window is two fractions, start and end, with 0 <= start <= end <= 1")
    return value


Window = Annotated[tuple[float, float], AfterValidator(_in_order)]


def steps(window: tuple[float, float] | None, n: int) -> range:
    """Return the steps of a window.

    Step i of n, counted from 0, belongs to it when start * n <= i < end * n. Windows that share an end therefore part
    the steps among them, (0, 1) is all of them, and a window that is wider than 1 / n is never empty.

    Args:
        window: start and end as fractions of the run, 0 <= start <= end <= 1; None is no window.
        n: steps that run, at least 0.

    Returns:
        The steps, in order; empty for None.

    Raises:
        ConfigError: fractions out of order or range, or n below 0.
    """
    if n < 0:
        raise ConfigError(f"{n} steps cannot run; give at least 0")
    if window is None:
        return range(0)
    start, end = window
    if not 0 <= start <= end <= 1:
        raise ConfigError(f"window {start:g} to {end:g}: it needs 0 <= start <= end <= 1")
    first, last = (math.ceil(fraction * n - SLACK) for fraction in (start, end))
    return range(min(first, n), min(last, n))


def empty_notes(windows: Mapping[str, tuple[float, float] | None], n: int) -> list[str]:
    """Return one line for every window that is set and holds none of the `n` steps that run.

    Args:
        windows: what each constraint is called, and its window.
        n: steps that run.
    """
    return [
        f"{name}: no step lies in the window {window[0]:g} to {window[1]:g} of the {n} steps that run, "
        "so it does nothing; widen it, or set it to null"
        for name, window in windows.items()
        if window is not None and not steps(window, n)
    ]
