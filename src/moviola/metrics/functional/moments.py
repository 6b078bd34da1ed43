"""Mean and covariance of features, in one pass, mergeable: the sufficient statistics of a Fréchet distance.

Features are arrays (rows, d), or (clips, rows, d) where a clip has several rows (its frames, say). They may be
memory-mapped and far larger than memory: everything here reads them block by block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from moviola.core.errors import InputError

BLOCK_VALUES = 1 << 21
"""Float64 values in a block: 16 MiB."""


def as_clips(features: np.ndarray, what: str = "features") -> np.ndarray:
    """Return `features` as (clips, rows, d) without copying; an array (clips, d) has one row a clip.

    Args:
        features: (clips, d) or (clips, rows, d).
        what: how an error calls them.

    Raises:
        InputError: another number of axes, or none along an axis.
    """
    if features.ndim == 2:
        features = features[:, None, :]
    if features.ndim != 3 or 0 in features.shape[1:]:
        raise InputError(f"{what} must be (clips, d) or (clips, rows, d), not {features.shape}")
    return features


def check_clips(features: np.ndarray, what: str) -> np.ndarray:
    """Return `features` as (clips, rows, d), refusing what is no distribution.

    Args:
        features: (clips, d) or (clips, rows, d).
        what: how an error calls them: "the real set".

    Raises:
        InputError: fewer than 2 clips, a shape that is none of the two, or a value that is not finite.
    """
    clips = as_clips(features, what)
    if len(clips) < 2:
        raise InputError(f"a distribution needs at least 2 clips; {what} holds {len(clips)}")
    refuse_not_finite(clips, what)
    return clips


def blocks(clips: np.ndarray, counts: np.ndarray | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Walk through features in float64 blocks of whole clips.

    Args:
        clips: (clips, rows, d), any float type.
        counts: how often each clip counts, (clips,), 0 and up; those with 0 are not read. None: once each.

    Yields:
        The rows of some clips, float64 (b, d), and how often each row counts, float64 (b,).
    """
    n, rows, d = clips.shape
    step = max(1, BLOCK_VALUES // (rows * d))
    drawn_rows = None if counts is None else np.flatnonzero(counts)
    for start in range(0, n if drawn_rows is None else len(drawn_rows), step):
        if drawn_rows is None or counts is None:
            part = clips[start : start + step]
            weights = np.ones(len(part))
        else:
            part = clips[drawn_rows[start : start + step]]
            weights = counts[drawn_rows[start : start + step]].astype(np.float64)
        yield np.array(part, dtype=np.float64).reshape(-1, d), np.repeat(weights, rows)


@dataclass
class Moments:
    """How many rows there were, their mean, and the sum of squares around it.

    Any way to cut the rows into parts, in any order, gives the same to about 1e-12: two parts are joined with the
    pairwise update of Chan, Golub and LeVeque (1979), which never subtracts large numbers.

    Attributes:
        n: rows seen.
        mean: float64 (d,).
        m2: sum of (x - mean)(x - mean)^T, float64 (d, d).
    """

    n: float
    mean: np.ndarray
    m2: np.ndarray

    @classmethod
    def empty(cls, d: int) -> Self:
        """Return the moments of no rows of `d` features."""
        return cls(0, np.zeros(d), np.zeros((d, d)))

    @classmethod
    def of(cls, features: np.ndarray, counts: np.ndarray | None = None) -> Self:
        """Return the moments of all rows of `features`.

        Args:
            features: (clips, d) or (clips, rows, d); may be memory-mapped.
            counts: how often each clip counts, (clips,); None: once each.

        Raises:
            InputError: a value that is not finite; the message names the clip.
        """
        clips = as_clips(features)
        moments = cls.empty(clips.shape[-1])
        for block, weights in blocks(clips, counts):
            if not np.isfinite(block).all():
                refuse_not_finite(clips)
            moments._join(block, weights)
        return moments

    def update(self, features: np.ndarray) -> None:
        """Add rows.

        Args:
            features: (rows, d), or (clips, rows, d).

        Raises:
            InputError: another d, or a value that is not finite; nothing was added then.
        """
        clips = as_clips(features)
        if clips.shape[-1] != len(self.mean):
            raise InputError(
                f"features have {clips.shape[-1]} values a row; those before had {len(self.mean)}"
            )
        self.merge(type(self).of(clips))

    def merge(self, other: Moments) -> None:
        """Add the rows that `other` has seen.

        Raises:
            InputError: another d.
        """
        if len(other.mean) != len(self.mean):
            raise InputError(f"moments of {len(other.mean)} features cannot join {len(self.mean)}")
        if other.n == 0:
            return
        total = self.n + other.n
        delta = other.mean - self.mean
        self.m2 += other.m2
        if self.n:
            self.m2 += np.outer(delta, delta) * (self.n * other.n / total)
        self.mean = self.mean + delta * (other.n / total)
        self.n = total

    def covariance(self, ddof: int = 1) -> np.ndarray:
        """Return the covariance, float64 (d, d).

        Args:
            ddof: 1 divides by n - 1, 0 by n.

        Raises:
            InputError: fewer than 2 rows.
        """
        if self.n < 2:
            raise InputError(f"a covariance needs at least 2 rows, not {self.n:g}")
        return self.m2 / (self.n - ddof)

    def to_dict(self) -> dict[str, np.ndarray]:
        """Return plain arrays that `from_dict` reads: "n" (), "mean" (d,), "m2" (d, d)."""
        return {"n": np.asarray(self.n, dtype=np.float64), "mean": self.mean.copy(), "m2": self.m2.copy()}

    @classmethod
    def from_dict(cls, state: Mapping[str, np.ndarray]) -> Self:
        """Read what `to_dict` returned."""
        mean, m2 = (np.array(state[key], dtype=np.float64) for key in ("mean", "m2"))
        return cls(float(state["n"]), mean, m2)

    def _join(self, rows: np.ndarray, weights: np.ndarray) -> None:
        """Add float64 rows (b, d), row i counted weights[i] times; overwrites `rows`."""
        total = weights.sum()
        if not total:
            return
        mean = weights @ rows / total
        rows -= mean
        rows *= np.sqrt(weights)[:, None]
        self.merge(Moments(total, mean, rows.T @ rows))


def refuse_not_finite(features: np.ndarray, what: str = "the set", first: int = 0) -> None:
    """Say which clip has a feature that is NaN or infinite, if any has.

    Args:
        features: (clips, d) or (clips, rows, d).
        what: how the error calls them.
        first: the number of the first of them.

    Raises:
        InputError: one line with the number of the first such clip.
    """
    clips = as_clips(features)
    step = max(1, BLOCK_VALUES // (clips.shape[1] * clips.shape[2]))
    for start in range(0, len(clips), step):
        is_wrong = ~np.isfinite(clips[start : start + step]).all(axis=(1, 2))
        if is_wrong.any():
            index = first + start + int(np.argmax(is_wrong))
            raise InputError(f"clip {index} of {what} has features that are not finite; leave that clip out")
