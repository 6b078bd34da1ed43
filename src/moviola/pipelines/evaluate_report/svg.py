"""Drawings of the page: one strip for each score, one for each damage. Plain SVG, no script.

A strip has no view box: places along it are percentages, so that it may be as wide as the screen while text and
lines keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from moviola.metrics.results import Score
from moviola.pipelines.evaluate_report.text import BETTER, figure, interval

_INSET = 3.0  # percent kept free at either end, so that marks are not cut
_MARKS = {
    "value": '<circle r="6" class="value"/>',
    "floor": '<path d="M0 -15V15" class="floor"/>',
    "infinity": '<path d="M-6 0L0 -6L6 0L0 6Z" class="infinity"/>',
    "reference": '<path d="M-5 -15H5L0 -6Z" class="reference"/>',
}
LEGEND = {
    "value": "score of the generated clips, with its interval",
    "floor": "floor: real against real at the same N",
    "infinity": "extrapolated to infinitely many clips",
    "reference": "the real clips",
}


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


def scale_of(values: Iterable[float | None]) -> Scale | None:
    """Return a stretch that holds all finite `values` and, where it is near, zero; None for no value."""
    found = [value for value in values if value is not None and math.isfinite(value)]
    if not found:
        return None
    low, high = min(found), max(found)
    if 0 < low < 0.7 * high:
        low = 0.0
    if low == high:
        pad = abs(low) / 2 or 1.0
        return Scale(low - pad, high + pad)
    pad = (high - low) * 0.05
    return Scale(low if low == 0 else low - pad, high + pad)


def score_strip(score: Score) -> str:
    """Return the SVG of one score: interval, value, floor, infinity and the real clips' figure on one scale."""
    points = {
        "floor": score.floor,
        "reference": score.reference,
        "infinity": score.infinity,
        "value": score.value,
    }
    scale = scale_of([*points.values(), score.low, score.high])
    if scale is None:
        return "<p>not finite</p>"
    parts = [_axis(scale, 22, 44)]
    if score.low is not None and score.high is not None and math.isfinite(score.low + score.high):
        left, right = scale.place(score.low), scale.place(score.high)
        parts.append(
            f'<rect class="interval" x="{left:.2f}%" width="{right - left:.2f}%" y="17" height="10"/>'
        )
    for name, value in points.items():
        if value is not None and math.isfinite(value):
            parts.append(_mark(name, scale.place(value), 22, f"{LEGEND[name]}: {figure(value)}"))
    return _strip(62, describe(score), parts)


def describe(score: Score) -> str:
    """Return in words what `score_strip` draws."""
    said = [f"{score.metric} {figure(score.value)} ({BETTER[score.better]})"]
    said += [f"interval {interval(score)}"] if interval(score) else []
    for name, value in (
        ("floor", score.floor),
        ("infinity", score.infinity),
        ("real clips", score.reference),
    ):
        said += [f"{name} {figure(value)}"] if value is not None else []
    return ", ".join(said)


def damage_strip(value: float, base: float | None, scale: Scale, unseen: bool, said: str) -> str:
    """Return the SVG of one damage: a bar from what undamaged clips score to what the damaged ones score.

    Args:
        value: score of the damaged clips, finite. base: of undamaged ones, None where it is not known.
        scale: shared by the damages of one metric.
        unseen: whether the metric fails to rate the damage as worse.
        said: the same in words.
    """
    at = scale.place(value)
    origin = scale.place(base) if base is not None else at
    kind = "unseen" if unseen else "seen"
    left, width = min(at, origin), abs(at - origin)
    parts = [f'<rect class="bar {kind}" x="{left:.2f}%" width="{width:.2f}%" y="7" height="8"/>']
    if base is not None:
        parts.append(f'<line class="floor" x1="{origin:.2f}%" x2="{origin:.2f}%" y1="0" y2="22"/>')
    dot = f'<circle r="5" class="dot {kind}"/>'
    parts.append(f'<svg x="{at:.2f}%" y="11" overflow="visible">{dot}</svg>')
    return _strip(22, said, parts)


def mark_sample(name: str) -> str:
    """Return a small SVG of one mark, for the legend."""
    bar = '<rect class="interval" x="0" y="11" width="36" height="10"/>' if name == "value" else ""
    mark = f'<svg x="18" y="16" overflow="visible">{_MARKS[name]}</svg>'
    return f'<svg class="sample" width="36" height="32" aria-hidden="true">{bar}{mark}</svg>'


def _strip(height: int, said: str, parts: list[str]) -> str:
    return (
        f'<svg class="strip" width="100%" height="{height}" role="img" aria-label="{escape(said)}">'
        f"{''.join(parts)}</svg>"
    )


def _axis(scale: Scale, middle: int, bottom: int) -> str:
    parts = [f'<line class="axis" x1="0" x2="100%" y1="{middle}" y2="{middle}"/>']
    for tick in scale.ticks():
        at = f"{scale.place(tick):.2f}%"
        parts.append(f'<line class="tick" x1="{at}" x2="{at}" y1="{bottom - 4}" y2="{bottom}"/>')
        parts.append(f'<text x="{at}" y="{bottom + 13}" text-anchor="middle">{tick:.6g}</text>')
    return "".join(parts)


def _mark(name: str, at: float, y: int, said: str) -> str:
    return f'<svg x="{at:.2f}%" y="{y}" overflow="visible"><title>{escape(said)}</title>{_MARKS[name]}</svg>'


def _round_step(rough: float) -> float:
    """Return the smallest 1, 2 or 5 times a power of ten that is at least `rough` (more than 0)."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))
