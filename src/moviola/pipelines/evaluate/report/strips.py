"""Where the marks of the page stand: one strip for each score, one for each damage.

A strip has no view box: places along it are percentages of its width, so that it may be as wide as the screen while
text and lines keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from moviola.metrics.results import Score
from moviola.pipelines.evaluate.report.text import LEGEND, describe, figure

_INSET = 3.0  # percent kept free at either end, so that marks are not cut


@dataclass(frozen=True)
class Scale:
    """A stretch of numbers laid along a strip.

    Attributes:
        low: its left end. high: its right end, more than `low`.
    """

    low: float
    high: float

    def place(self, value: float) -> float:
        """Return where `value` stands, percent of the strip's width."""
        return _INSET + (100 - 2 * _INSET) * (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = 4) -> list[float]:
        """Return at most `most` + 1 round numbers inside, evenly spaced."""
        step = _round_step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]


@dataclass(frozen=True)
class ScoreStrip:
    """One score on a scale.

    Attributes:
        marks: kind (a key of `LEGEND`), place and words of each. interval: left end and width, None for none.
        ticks: place and number. words: what the strip shows.
    """

    marks: tuple[tuple[str, float, str], ...]
    interval: tuple[float, float] | None
    ticks: tuple[tuple[float, str], ...]
    words: str


@dataclass(frozen=True)
class DamageStrip:
    """One damage on the scale of its metric: a bar from what undamaged clips score to what the damaged ones score.

    Attributes:
        at: place of the damaged clips' score. base: of the undamaged ones', None where that is not known.
        left, width: of the bar.
        unseen: whether the metric fails to rate the damage as worse.
        words: what the strip shows.
    """

    at: float
    base: float | None
    left: float
    width: float
    unseen: bool
    words: str


def scale_of(values: Iterable[float | None]) -> Scale | None:
    """Return a stretch that holds all finite `values` and, where it is near, zero; None for no value."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if not finite:
        return None
    low, high = min(finite), max(finite)
    if 0 < low < 0.7 * high:
        low = 0.0
    if low == high:
        pad = abs(low) / 2 or 1.0
        return Scale(low - pad, high + pad)
    pad = (high - low) * 0.05
    return Scale(low if low == 0 else low - pad, high + pad)


def score_strip(score: Score) -> ScoreStrip | None:
    """Return where interval, value, floor, infinity and the real clips' figure stand; None where none is finite."""
    points = {
        "floor": score.floor,
        "reference": score.reference,
        "infinity": score.infinity,
        "value": score.value,
    }
    scale = scale_of([*points.values(), score.low, score.high])
    if scale is None:
        return None
    span = None
    if score.low is not None and score.high is not None and math.isfinite(score.low + score.high):
        left = scale.place(score.low)
        span = left, scale.place(score.high) - left
    marks = tuple(
        (kind, scale.place(value), f"{LEGEND[kind]}: {figure(value)}")
        for kind, value in points.items()
        if value is not None and math.isfinite(value)
    )
    ticks = tuple((scale.place(tick), f"{tick:.6g}") for tick in scale.ticks())
    return ScoreStrip(marks, span, ticks, describe(score))


def damage_strip(value: float, base: float | None, scale: Scale, unseen: bool, words: str) -> DamageStrip:
    """Return where the marks of one damage stand.

    Args:
        value: score of the damaged clips, finite. base: of undamaged ones, None where it is not known.
        scale: shared by the damages of one metric.
        unseen: whether the metric fails to rate the damage as worse.
        words: what the strip shows.
    """
    at = scale.place(value)
    origin = None if base is None else scale.place(base)
    start = at if origin is None else origin
    return DamageStrip(at, origin, min(at, start), abs(at - start), unseen, words)


def _round_step(rough: float) -> float:
    """Return the smallest 1, 2 or 5 times a power of ten that is at least `rough` (more than 0)."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))
