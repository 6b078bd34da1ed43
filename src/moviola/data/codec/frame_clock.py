"""When the frames of a video that is written piece by piece are shown."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from moviola.core.errors import FormatError
from moviola.core.rates import Rate, nominal_rate
from moviola.core.times import Clock, Times, as_times, mean_rate
from moviola.core.video import Video
from moviola.data.codec.ticks import Bounds


class FrameClock:
    """The times of frames, from a list of all, from the pieces, or from a constant rate.

    Args:
        fps: rate; the mean where it varies.
        times: stamps of all frames; None to look at the first piece.

    Attributes:
        nominal: a rate that files can state.
        known: the stamps that are known so far, None where the rate is constant.
    """

    def __init__(self, fps: Rate, times: Sequence[Rate] | None) -> None:
        self._full_clock: Clock | None = None
        self.times: Times | None = None
        if times is not None:
            self.times = as_times(times, len(times))
            fps = mean_rate(self.times, fps)
            self._full_clock = Clock(len(times), fps, self.times)
        self.nominal = nominal_rate(fps)
        self._count, self._end = 0, Fraction(0)

    def bounds(self, piece: Video, path: Path) -> Bounds:
        """Return when each frame of the next piece begins and the last one ends, None where the rate is constant.

        Raises:
            FormatError: more frames than times, or a piece of variable rate after one of constant rate.
        """
        first, self._count = self._count, self._count + len(piece)
        if self._full_clock is not None:
            if self._count > self._full_clock.count:
                raise FormatError(f"{path}: frame {self._full_clock.count} is given, but only so many times")
            return [self._full_clock.at(i) for i in range(first, self._count + 1)]
        if not first and piece.times is not None:
            self.times = piece.times
        if self.times is None:
            if piece.times is not None:
                raise FormatError(
                    f"{path}: a piece of variable rate follows one of constant rate; give the times of all frames"
                )
            return None
        begin, clock = self._end, piece.clock
        self._end += clock.length
        return [begin + clock.at(i) for i in range(len(piece) + 1)]
