"""When each frame of a video of variable rate is shown: ascending stamps in seconds, the first of them 0.

Frame i is shown from stamp i to stamp i+1, the last one until frames / mean rate; so the mean rate says how long a
video is, whether its rate is constant or not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from moviola.core.errors import InputError
from moviola.core.rates import Rate, as_rate, nominal_rate

Times = tuple[Fraction, ...]
_FINEST = 10**9  # floats are taken as whole nanoseconds where no simpler fraction is meant


def as_times(times: Iterable[Rate], count: int) -> Times:
    """Return stamps as exact fractions.

    Args:
        times: seconds, ascending, the first 0; fractions, numbers or text such as "1/30".
        count: how many there have to be.

    Raises:
        InputError: another number of them, no numbers, not ascending, or not from 0.
    """
    try:
        stamps = tuple(map(_exact, times))
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        raise InputError("the times of frames are numbers of seconds") from None
    if len(stamps) != count:
        raise InputError(f"{count} frames need {count} times, got {len(stamps)}")
    if stamps[0] != 0:
        raise InputError(f"the times of frames count from the first, so they begin with 0, got {stamps[0]}")
    wrong = next((i for i, (one, two) in enumerate(pairwise(stamps)) if two <= one), None)
    if wrong is not None:
        raise InputError(
            f"the times of frames ascend; frame {wrong} is at {float(stamps[wrong]):g} s, "
            f"frame {wrong + 1} at {float(stamps[wrong + 1]):g} s"
        )
    return stamps


def _exact(time: Rate) -> Fraction:
    return Fraction(time).limit_denominator(_FINEST) if isinstance(time, float) else Fraction(time)


def mean_rate(times: Times, fps: Rate) -> Fraction:
    """Return the rate at which frames / rate is where the last frame ends.

    Args:
        times: stamps. fps: the mean rate as it is stated. Where that would end the video before its last frame begins,
            the last frame is shown for the mean time between frames.

    Raises:
        ConfigError: a rate that is none.
    """
    rate = fps if isinstance(fps, Fraction) and fps > 0 else as_rate(fps)
    if len(times) / rate > times[-1]:
        return rate
    return (len(times) - 1) / times[-1]


def constant_times(count: int, fps: Fraction) -> Times:
    """Return the stamps of `count` frames at a constant rate."""
    return tuple(i / fps for i in range(count))


def shown_at(
    times: Sequence[Fraction], instants: Iterable[Fraction], early: Fraction = Fraction(0)
) -> list[int]:
    """Return the frame shown at each instant: the last whose stamp is not later, the first before all.

    Args:
        times: stamps, s. instants: s.
        early: seconds by which a frame counts as shown before its stamp.
    """
    return [max(0, bisect_right(times, instant + early) - 1) for instant in instants]


def note_on_rate(name: str, count: int) -> str:
    """Return what to tell a person where frames of variable rate go to what counts frames, not seconds."""
    return f"{name} has a variable rate; its {count} frames are taken as they come, and each keeps its time"


@dataclass(frozen=True)
class Clock:
    """When each of some frames is shown.

    Args:
        count: frames, at least 1.
        fps: rate; the mean where it varies, so that count / fps is the length.
        times: stamps; None for a constant rate.
    """

    count: int
    fps: Fraction
    times: Times | None = None

    def at(self, index: int) -> Fraction:
        """Return when frame `index` begins, in seconds; that of frame `count` is when the last one ends."""
        return self.times[index] if self.times is not None and index < self.count else index / self.fps

    @property
    def length(self) -> Fraction:
        """Seconds until the last frame ends."""
        return self.count / self.fps

    @property
    def stamps(self) -> Times:
        """When each frame begins, also where the rate is constant."""
        return constant_times(self.count, self.fps) if self.times is None else self.times

    def pick(self, indices: Sequence[int]) -> Clock:
        """Return the clock of frames by number (at least one): their own times where they ascend, else the mean rate.

        Each is shown until the next of them, the last as long as it is in the whole.
        """
        ascend = all(one < two for one, two in pairwise(indices))
        if self.times is None or not ascend:
            return Clock(len(indices), nominal_rate(self.fps))
        begin = self.times[indices[0]]
        seconds = self.at(indices[-1] + 1) - begin
        return Clock(len(indices), len(indices) / seconds, tuple(self.times[i] - begin for i in indices))

    def part(self, chosen: range) -> Clock:
        """Return the clock of some of the frames (at least one), each of them shown until the next of them.

        A negative step plays backwards.
        """
        step = chosen.step
        if self.times is None:
            return Clock(len(chosen), self.fps / abs(step))
        if step > 0:
            begin = self.at(chosen[0])
            times = tuple(self.at(i) - begin for i in chosen)
            seconds = self.at(min(chosen[-1] + step, self.count)) - begin
        else:  # a frame begins where it ended
            end = self.at(chosen[0] + 1)
            times = tuple(end - self.at(i + 1) for i in chosen)
            seconds = end - self.at(max(chosen[-1] + step + 1, 0))
        return Clock(len(chosen), len(chosen) / seconds, times)
