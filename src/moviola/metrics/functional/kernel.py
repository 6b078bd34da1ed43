"""The kernel distance: an unbiased estimate of the squared maximum mean discrepancy with a polynomial kernel.

    MMD^2 = mean of k(x, x') over different x, x'  +  mean of k(y, y')  -  2 mean of k(x, y),
    k(x, y) = (x . y / d + 1)^3

(Gretton et al. 2012, equation 3; Binkowski et al. 2018 for images.) It is 0 on average between equal distributions at
any number of clips, and may be negative. Where a clip has several rows, the kernel of two clips is the mean over their
pairs of rows, and no row is ever compared with one of its own clip.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from moviola.core.errors import InputError
from moviola.metrics.functional.frechet import check_same_size
from moviola.metrics.functional.moments import as_clips, check_clips

TILE_ROWS = 1024
"""Rows along each side of the pieces in which kernel matrices are made: 8 MiB of float64."""


@dataclass(frozen=True)
class Kernel:
    """A polynomial kernel, (gamma x.y + coef)^degree.

    Attributes:
        degree: 1 and up.
        gamma: None stands for 1 / d.
        coef: what is added.
    """

    degree: int = 3
    gamma: float | None = None
    coef: float = 1.0

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the kernel of every clip of `x` with every clip of `y`, float64 (N, M).

        Args:
            x: (N, rows, d) of any float type.
            y: (M, rows, d).
        """
        (n, rows, d), (m, others, _) = x.shape, y.shape
        gamma = 1.0 / d if self.gamma is None else self.gamma
        left = np.asarray(x, dtype=np.float64).reshape(-1, d)
        right = np.asarray(y, dtype=np.float64).reshape(-1, d)
        # (gamma x . y + coef)^degree for all rows: (N rows, d) and (M rows, d) -> (N rows, M rows)
        base = gamma * (left @ right.T) + self.coef
        power = base.copy()
        for _ in range(self.degree - 1):
            power *= base
        if rows == others == 1:
            return power
        return power.reshape(n, rows, m, others).mean(axis=(1, 3))


POLYNOMIAL = Kernel()


@dataclass(frozen=True)
class KernelSums:
    """Sums of the kernel over pairs of clips: what the distance is made of, and what shards add up.

    The pairs of two sets cut into shards are the pairs inside each shard (`of`) and those across every two (`across`);
    added up in any order they give the same to rounding.

    Attributes:
        real: sum over ordered pairs of different real clips.
        real_pairs: how many those are.
        fake: the same of generated clips.
        fake_pairs: their number.
        cross: sum over pairs of a real and a generated clip.
        cross_pairs: their number.
    """

    real: float = 0.0
    real_pairs: int = 0
    fake: float = 0.0
    fake_pairs: int = 0
    cross: float = 0.0
    cross_pairs: int = 0

    @classmethod
    def of(cls, real: np.ndarray, fake: np.ndarray, kernel: Kernel = POLYNOMIAL) -> Self:
        """Return the sums of all pairs within one shard: `real` (N, rows, d) and `fake` (M, rows, d), 0 and up each."""
        real, fake = as_clips(real), as_clips(fake)
        n, m = len(real), len(fake)
        within = [_pair_sum(s, s, kernel) - _own_sum(s, kernel) for s in (real, fake)]
        return cls(within[0], n * (n - 1), within[1], m * (m - 1), _pair_sum(real, fake, kernel), n * m)

    @classmethod
    def across(
        cls,
        one: tuple[np.ndarray, np.ndarray],
        two: tuple[np.ndarray, np.ndarray],
        kernel: Kernel = POLYNOMIAL,
    ) -> Self:
        """Return the sums of the pairs between two different shards, each (real, fake)."""
        (x1, y1), (x2, y2) = ([as_clips(s) for s in shard] for shard in (one, two))
        cross = _pair_sum(x1, y2, kernel) + _pair_sum(x2, y1, kernel)
        return cls(
            2 * _pair_sum(x1, x2, kernel),
            2 * len(x1) * len(x2),
            2 * _pair_sum(y1, y2, kernel),
            2 * len(y1) * len(y2),
            cross,
            len(x1) * len(y2) + len(x2) * len(y1),
        )

    def __add__(self, other: KernelSums) -> KernelSums:
        return KernelSums(
            self.real + other.real,
            self.real_pairs + other.real_pairs,
            self.fake + other.fake,
            self.fake_pairs + other.fake_pairs,
            self.cross + other.cross,
            self.cross_pairs + other.cross_pairs,
        )

    def distance(self) -> float:
        """Return the unbiased MMD^2.

        Raises:
            InputError: a set of fewer than 2 clips.
        """
        if not (self.real_pairs and self.fake_pairs):
            raise InputError("a distribution needs at least 2 clips on each side")
        return self.real / self.real_pairs + self.fake / self.fake_pairs - 2 * self.cross / self.cross_pairs


def kernel_distance_exact(real: np.ndarray, fake: np.ndarray, kernel: Kernel = POLYNOMIAL) -> float:
    """Return the unbiased MMD^2 over all pairs of clips.

    Args:
        real: (N, d) or (N, rows, d); may be memory-mapped.
        fake: (M, d) or (M, rows, d).
        kernel: which.

    Raises:
        InputError: fewer than 2 clips, features of different sizes, or a value that is not finite.
    """
    real, fake = _checked(real, fake)
    value = KernelSums.of(real, fake, kernel).distance()
    _check_value(value)
    return value


def kernel_distance(
    real: np.ndarray,
    fake: np.ndarray,
    subsets: int = 100,
    subset_size: int = 1000,
    generator: np.random.Generator | None = None,
    kernel: Kernel = POLYNOMIAL,
) -> float:
    """Return the mean of the unbiased MMD^2 over random subsets, as KID and KVD are published.

    Args:
        real: (N, d) or (N, rows, d); may be memory-mapped.
        fake: (M, d) or (M, rows, d).
        subsets: how many; 1 and up.
        subset_size: clips of each set in a subset, 2 and up; a set that is not larger is taken whole. Where neither is
            larger, the figure is the exact one over all pairs.
        generator: draws the subsets, without replacement; None: one with seed 0.
        kernel: which.

    Raises:
        InputError: as `kernel_distance_exact`.
    """
    real, fake = _checked(real, fake)
    n, m = len(real), len(fake)
    if n <= subset_size and m <= subset_size:
        return kernel_distance_exact(real, fake, kernel)
    generator = np.random.default_rng(0) if generator is None else generator
    sizes = min(n, subset_size), min(m, subset_size)
    if max(n, m) ** 2 > subsets * subset_size**2:
        values = [
            kernel_distance_exact(
                real[_subset(n, sizes[0], generator)], fake[_subset(m, sizes[1], generator)], kernel
            )
            for _ in range(subsets)
        ]
        return float(np.mean(values))
    weights = np.zeros((subsets, n)), np.zeros((subsets, m))
    for row in range(subsets):
        for part, total, size in zip(weights, (n, m), sizes, strict=True):
            part[row, _subset(total, size, generator)] = 1
    return float(kernel_distance_counted(real, fake, *weights, kernel).mean())


def kernel_distance_counted(
    real: np.ndarray,
    fake: np.ndarray,
    real_counts: np.ndarray,
    fake_counts: np.ndarray,
    kernel: Kernel = POLYNOMIAL,
) -> np.ndarray:
    """Return the unbiased MMD^2 of many resamplings of the clips in one pass over the pairs.

    A pair of copies of one clip is left out, so that resampling with replacement adds no bias.

    Args:
        real: (N, rows, d).
        fake: (M, rows, d).
        real_counts: how often each clip counts in each resampling, (S, N), 0 and up.
        fake_counts: (S, M).
        kernel: which.

    Returns:
        float64 (S,).

    Raises:
        InputError: as `kernel_distance_exact`, or a resampling of fewer than 2 different clips.
    """
    real, fake = _checked(real, fake)
    wr, wf = (np.asarray(w, dtype=np.float64) for w in (real_counts, fake_counts))
    if min((wr > 0).sum(axis=1).min(), (wf > 0).sum(axis=1).min()) < 2:
        raise InputError("a resampling holds fewer than 2 different clips; the sets are too small for it")
    within = []
    for clips, weights in ((real, wr), (fake, wf)):
        same = (weights**2) @ _own(clips, kernel)
        pairs = weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)
        within.append((_weighted(clips, clips, weights, weights, kernel) - same) / pairs)
    cross = _weighted(real, fake, wr, wf, kernel) / (wr.sum(axis=1) * wf.sum(axis=1))
    values = within[0] + within[1] - 2 * cross
    _check_value(float(values.sum()))
    return values


def _checked(real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    real, fake = check_clips(real, "the real set"), check_clips(fake, "the generated set")
    check_same_size(real, fake)
    return real, fake


def _check_value(value: float) -> None:
    if not np.isfinite(value):
        raise InputError(
            "the kernel of these features is beyond the range of numbers; scale the features down"
        )


def _subset(n: int, size: int, generator: np.random.Generator) -> np.ndarray:
    """`size` of `n` indices, in order (a memory-mapped array is then read forwards); all of them draw nothing."""
    return np.arange(n) if size == n else np.sort(generator.permutation(n)[:size])


def _slices(clips: np.ndarray) -> Iterator[slice]:
    step = max(1, TILE_ROWS // clips.shape[1])
    return (slice(start, start + step) for start in range(0, len(clips), step))


def _pair_sum(x: np.ndarray, y: np.ndarray, kernel: Kernel) -> float:
    return float(sum(kernel(x[i], y[j]).sum() for i in _slices(x) for j in _slices(y)))


def _own(clips: np.ndarray, kernel: Kernel) -> np.ndarray:
    """The kernel of every clip with itself, float64 (N,)."""
    return np.array([kernel(clips[i : i + 1], clips[i : i + 1])[0, 0] for i in range(len(clips))])


def _own_sum(clips: np.ndarray, kernel: Kernel) -> float:
    return float(_own(clips, kernel).sum())


def _weighted(x: np.ndarray, y: np.ndarray, wx: np.ndarray, wy: np.ndarray, kernel: Kernel) -> np.ndarray:
    """Sum over i, j of wx[s, i] wy[s, j] k(x_i, y_j) for every s, float64 (S,)."""
    total = np.zeros(len(wx))
    for i in _slices(x):
        for j in _slices(y):
            total += np.einsum("si,si->s", wx[:, i] @ kernel(x[i], y[j]), wy[:, j])
    return total
