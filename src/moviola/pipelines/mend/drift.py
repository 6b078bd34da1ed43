"""Drift: slow change of mean, contrast and sharpness against the first second of a shot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from moviola.pipelines.mend import tone
from moviola.pipelines.mend.anchors import Sample

_SIGMA, _REACH = 4.0, 12  # samples: what is faster is not drift
_SHORTEST = 4  # samples of a shot in which drift can be told
_FASTEST = 6.0  # levels from sample to sample: what is faster is a light that is faded, no drift
MEAN, CONTRAST, SHARPNESS = 12.0, 0.15, 0.4
"""Levels, and natural logarithms, from which on a slow change is drift."""

Curve = Callable[[int], np.ndarray]


@dataclass(frozen=True, eq=False)
class Drift:
    """Slow change of a clip, at its samples.

    Attributes:
        frames: numbers of the samples, int (S,). chains: int (S,), samples of different numbers are not compared.
        gain, offset: (S, 3): level l became gain (l - 128) + 128 + offset.
        mean: change of the mean, levels, (S, 3). sharpness: natural logarithm, (S,), what the gain explains left out.
    """

    frames: np.ndarray
    chains: np.ndarray
    gain: np.ndarray
    offset: np.ndarray
    mean: np.ndarray
    sharpness: np.ndarray

    @property
    def most(self) -> tuple[float, float, float]:
        """The largest change of mean (levels), contrast and sharpness (natural logarithms)."""
        if not len(self.frames):
            return 0.0, 0.0, 0.0
        return tuple(float(np.abs(x).max()) for x in (self.mean, np.log(self.gain), self.sharpness))  # type: ignore[return-value]

    def _at(self, t: int, values: np.ndarray) -> np.ndarray:
        """Return values at frame t, between the samples of its own shot."""
        after = int(np.searchsorted(self.frames, t, "right"))
        low = max(after - 1, 0)
        high = after if after < len(self.frames) and self.chains[after] == self.chains[low] else low
        span = self.frames[high] - self.frames[low]
        share = (t - self.frames[low]) / span if span else 0.0
        return values[low] + share * (values[high] - values[low])

    def curve(self, t: int) -> np.ndarray:
        """Return the displacement that takes the change off frame t, (3, K)."""
        gain, offset = self._at(t, self.gain), self._at(t, self.offset)
        return (tone.LEVELS - 128 - offset[:, None]) / gain[:, None] + 128 - tone.LEVELS

    def blur(self, t: int) -> float:
        """Return the natural logarithm by which the squared gradient of frame t has changed."""
        return float(self._at(t, self.sharpness))


def drift_of(samples: Sequence[Sample], correction: Curve | None) -> Drift:
    """Follow the samples back to the first of their shots and smooth what changed.

    Args:
        samples: of the first pass.
        correction: what is done to the levels of a frame before its drift is taken off, (3, K); None for nothing.
    """
    total, chains = _followed(samples, correction)
    mass = np.array([s.mass for s in samples], np.float64).reshape(-1, 3, tone.KNOTS)
    gain, offset = tone.affine_of(total, mass)
    mean = tone.mean_shift(total, mass)
    log_gain = np.log(gain.clip(0.3, 3))
    sharp = np.zeros(len(samples))
    for i, sample in enumerate(samples):
        sharp[i] = sample.sharpness + (sharp[sample.base] if sample.base != i else 0.0)
    sharp -= 2 * log_gain.mean(1)
    smooth = [_slow(values, chains) for values in (log_gain, offset, mean, sharp[:, None])]
    faded = _faded(smooth[2], chains)
    smooth = [np.where(faded[:, None], 0, values) for values in smooth]
    return Drift(
        np.array([s.frame for s in samples], np.int64),
        chains,
        np.exp(smooth[0]),
        smooth[1],
        smooth[2],
        smooth[3][:, 0],
    )


def _followed(samples: Sequence[Sample], correction: Curve | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the change from the first sample of a chain to each, (S, 3, K), and the chains' numbers, (S,)."""
    total = np.zeros((len(samples), 3, tone.KNOTS))
    raw = np.zeros_like(total)
    chains, first = np.zeros(len(samples), np.int64), 0
    for i, sample in enumerate(samples):
        chains[i] = chains[i - 1] + (sample.base == i) if i else 0
        if sample.base == i:
            first = i
        else:
            raw[i] = tone.then(raw[sample.base], tone.step_curve(sample.transfer))
        total[i] = raw[i]
        if correction is not None:
            begin = tone.inverse(correction(samples[first].frame))
            total[i] = tone.then(tone.then(begin, raw[i]), correction(sample.frame))
    return total, chains


def _faded(mean: np.ndarray, chains: np.ndarray) -> np.ndarray:
    """Return which samples are of a chain whose mean changes faster than drift does, bool (S,)."""
    fast = np.abs(np.diff(mean, axis=0, prepend=mean[:1])).max(1, initial=0.0) > _FASTEST
    return np.isin(chains, chains[fast & (np.diff(chains, prepend=chains[:1]) == 0)])


def _slow(values: np.ndarray, chains: np.ndarray) -> np.ndarray:
    """Return values (S, C) smoothed in every chain, less where it begins; 0 in short ones."""
    weights = tone.line_weights(chains, _SIGMA, _REACH, 0.02)
    out = np.zeros_like(values)
    for i in range(len(values)):
        near = np.arange(i - _REACH, i + _REACH + 1)
        inside = (near >= 0) & (near < len(values))
        out[i] = (weights[i, inside, None] * values[near[inside]]).sum(0)
    for chain in np.unique(chains):
        own = chains == chain
        out[own] -= out[own][0]
        if own.sum() < _SHORTEST:
            out[own] = 0
    return out
