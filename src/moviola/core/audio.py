"""Sound beside a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from moviola.core.errors import InputError


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound.

    Args:
        samples: float32 (N, channels), -1 to 1.
        rate: samples per second (Hz), at least 1.

    Raises:
        InputError: another shape or type, or a rate below 1.
    """

    samples: np.ndarray
    rate: int

    def __post_init__(self) -> None:
        samples = np.asarray(self.samples)
        if samples.dtype != np.float32 or samples.ndim != 2 or samples.shape[1] < 1:
            raise InputError(f"audio is float32 (samples, channels), got {samples.dtype} {samples.shape}")
        if self.rate < 1:
            raise InputError(f"an audio rate is at least 1 Hz, got {self.rate}")
        object.__setattr__(self, "samples", samples)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.samples.shape[1]

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate

    def cut(self, start: Fraction, stop: Fraction) -> Audio:
        """Return the sound from `start` to `stop` (seconds from the beginning), silence where there is none."""
        first, last = round(start * self.rate), round(stop * self.rate)
        out = np.zeros((max(last - first, 0), self.channels), np.float32)
        held = self.samples[max(first, 0) : max(last, 0)]
        offset = max(-first, 0)
        out[offset : offset + len(held)] = held
        return Audio(out, self.rate)


def join_audio(sounds: Sequence[tuple[Audio | None, Fraction]]) -> Audio | None:
    """Join sounds in time, silence where there is none.

    Args:
        sounds: each with the seconds that it is to last.

    Returns:
        the sound, or None where none of them is one.

    Raises:
        InputError: rates or numbers of channels that differ.
    """
    first = next((sound for sound, _ in sounds if sound), None)
    if first is None:
        return None
    if any(s and (s.rate, s.channels) != (first.rate, first.channels) for s, _ in sounds):
        raise InputError("videos to be joined in time need sound of one rate and number of channels")
    silence = Audio(np.zeros((0, first.channels), np.float32), first.rate)
    parts, begin = [], Fraction(0)
    for sound, seconds in sounds:
        end = begin + seconds
        # cut on the joined time line, so that rounding to samples never adds up
        length = Fraction(round(end * first.rate) - round(begin * first.rate), first.rate)
        parts.append((sound or silence).cut(Fraction(0), length).samples)
        begin = end
    return Audio(np.concatenate(parts), first.rate)
