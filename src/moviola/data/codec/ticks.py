"""Exact times as the whole ticks that a file keeps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from moviola.core.errors import FormatError

Bounds = Sequence[Fraction] | None
"""Seconds at which each frame of a piece begins and the last one ends; None for a constant rate."""


class Ticks:
    """Turns the times of a video, piece by piece, into whole ticks.

    Each time is rounded by itself, so errors never add up; a frame lasts at least `least` ticks, and where that makes
    it too long, the next ones catch up.

    Args:
        tick: seconds a tick.
        least: ticks that a frame lasts at least.
        most: at most, None for no limit.
    """

    def __init__(self, tick: Fraction, least: int = 1, most: int | None = None) -> None:
        self.tick, self._least, self._most = tick, least, most
        self._next: int | None = None

    def __call__(self, bounds: Sequence[Fraction]) -> list[int]:
        """Return where frames begin, and where the last one ends.

        Args:
            bounds: seconds at which each frame begins and the last one ends; the first is where the piece before ended.

        Raises:
            FormatError: a frame is shown for longer than the format can say.
        """
        ticks = [round(bounds[0] / self.tick) if self._next is None else self._next]
        for bound in bounds[1:]:
            ticks.append(max(round(bound / self.tick), ticks[-1] + self._least))
            if self._most is not None and ticks[-1] - ticks[-2] > self._most:
                seconds = float((ticks[-1] - ticks[-2]) * self.tick)
                raise FormatError(
                    f"a frame is shown for {seconds:g} s, this format holds {float(self._most * self.tick):g} s at most"
                )
        self._next = ticks[-1]
        return ticks


@dataclass(frozen=True)
class TickRule:
    """Which ticks a format can count in.

    Args:
        finest: ticks a second that serve times of any kind.
        limit: ticks a second that may be taken so that times known beforehand are whole; 0 for `finest` always.
        least, most: ticks that a frame lasts, None for no limit.
    """

    finest: int
    limit: int = 0
    least: int = 1
    most: int | None = None

    def ticks(self, times: Iterable[Fraction]) -> Ticks:
        """Return ticks in which these times (s) are whole where the format can, and others nearly."""
        common = math.lcm(*(time.denominator for time in times)) if self.limit else self.limit + 1
        fits = common <= self.limit
        return Ticks(
            Fraction(1, common * -(-self.finest // common) if fits else self.finest), self.least, self.most
        )
