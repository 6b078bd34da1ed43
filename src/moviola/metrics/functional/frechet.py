"""The Fréchet distance between two Gaussians, exact also where the covariances are singular.

    |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1^(1/2) S2 S1^(1/2))^(1/2)

(Dowson and Landau 1982; Heusel et al. 2017 for images, Unterthiner et al. 2018 for video.) With any factors
S1 = A A^T and S2 = B B^T the last trace is the nuclear norm (the sum of the singular values) of A^T B. So no matrix
root is ever taken: a factor is the Cholesky factor, or, where there are fewer rows than features, the centred rows
themselves divided by sqrt(n - ddof), and A^T B is then their cross Gram matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from moviola.core.errors import InputError
from moviola.metrics.functional.moments import Moments, as_clips, blocks, check_clips, refuse_not_finite

EPSILON = float(np.finfo(np.float64).eps)
TRUSTED, ROUGH = 1e-10, 1e-6
"""Relative error of the trace up to which the fast path (eigenvalues of a square) is taken."""


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A mean and a covariance, the latter as a matrix or as a thin factor.

    Attributes:
        mean: float64 (d,).
        covariance: float64 (d, d); None where `factor` stands for it.
        factor: float64 (d, k) with covariance = factor factor^T; None where `covariance` is given.
    """

    mean: np.ndarray
    covariance: np.ndarray | None = None
    factor: np.ndarray | None = None

    @classmethod
    def of(cls, features: np.ndarray, ddof: int = 1, counts: np.ndarray | None = None) -> Self:
        """Fit to rows: as a factor where there are no more rows than features, as a covariance otherwise.

        Args:
            features: (clips, d) or (clips, rows, d); may be memory-mapped.
            ddof: 1 divides the covariance by n - 1, 0 by n.
            counts: how often each clip counts, (clips,); None: once each.

        Raises:
            InputError: a value that is not finite.
        """
        clips = as_clips(features)
        clip_count = len(clips) if counts is None else int(np.count_nonzero(counts))
        if clip_count * clips.shape[1] > clips.shape[2]:
            return cls.of_moments(Moments.of(clips, counts), ddof)
        parts = list(blocks(clips, counts))
        rows, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
        if not np.isfinite(rows).all():
            refuse_not_finite(clips)
        total = weights.sum()
        mean = weights @ rows / total
        rows -= mean
        rows *= np.sqrt(weights / max(total - ddof, 1))[:, None]
        return cls(mean, factor=rows.T)

    @classmethod
    def of_moments(cls, moments: Moments, ddof: int = 1) -> Self:
        """Take over mean and covariance of `moments`."""
        return cls(moments.mean, covariance=moments.covariance(ddof))

    @property
    def trace(self) -> float:
        """The trace of the covariance, at least 0."""
        if self.factor is not None:
            return float(np.sum(self.factor * self.factor))
        return float(np.trace(self._matrix()))

    def thin(self) -> np.ndarray:
        """Return a factor of the covariance, float64 (d, k): its columns are scaled eigenvectors.

        Eigenvalues that rounding alone may have made (below 4 d eps times the largest) are left out.
        """
        if self.factor is not None:
            return self.factor
        values, vectors = np.linalg.eigh(self._matrix())
        is_significant = values > 4 * len(values) * EPSILON * max(values[-1], 0.0)
        return vectors[:, is_significant] * np.sqrt(values[is_significant])

    def _matrix(self) -> np.ndarray:
        if self.covariance is None:
            raise ValueError("a Gaussian needs a covariance or a factor")
        return self.covariance

    def overlap(self, other: Gaussian, rough: bool = False) -> float:
        """Return tr (S1^(1/2) S2 S1^(1/2))^(1/2) of two covariances, at least 0.

        Args:
            other: the second.
            rough: six digits are enough, which is quicker where there are few rows.
        """
        if rough or self.factor is None or other.factor is None:
            fast = _root_sum(_square(self, other), ROUGH if rough else TRUSTED)
            if fast is not None:
                return fast
        return nuclear_norm(self.thin().T @ other.thin())

    def distance(self, other: Gaussian, rough: bool = False) -> float:
        """Return the Fréchet distance, at least 0, in squared units of the features (`rough` as in `overlap`)."""
        delta = self.mean - other.mean
        # |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1^(1/2) S2 S1^(1/2))^(1/2)
        value = float(delta @ delta) + self.trace + other.trace - 2 * self.overlap(other, rough)
        return max(value, 0.0)

    def effective_rank(self) -> float:
        """Return (tr S^(1/2))^2 / tr S: d for white features, less the faster the spectrum falls, 0 for none."""
        if self.factor is not None:
            roots = np.linalg.svd(self.factor, compute_uv=False)
        else:
            roots = np.sqrt(np.linalg.eigvalsh(self._matrix()).clip(0))
        total = float(roots @ roots)
        return float(roots.sum()) ** 2 / total if total else 0.0


def nuclear_norm(matrix: np.ndarray) -> float:
    """Return the sum of the singular values of a matrix (n, m)."""
    return float(np.linalg.svd(matrix, compute_uv=False).sum()) if matrix.size else 0.0


def _square(one: Gaussian, two: Gaussian) -> np.ndarray | None:
    """A symmetric matrix whose eigenvalues are the squares of the singular values; None where Cholesky fails."""
    if one.factor is not None and two.factor is not None:
        # G = A^T B (k1, k2): G G^T and G^T G have its squared singular values; the smaller one is taken
        gram = one.factor.T @ two.factor
        return gram @ gram.T if len(gram) <= gram.shape[1] else gram.T @ gram
    if one.factor is None:
        one, two = two, one
    factor = one.factor
    if factor is None:
        try:
            factor = np.linalg.cholesky(one._matrix())
        except np.linalg.LinAlgError:
            return None
    # A^T S2 A (k, k) = (A^T B)(A^T B)^T
    return factor.T @ two._matrix() @ factor


def _root_sum(square: np.ndarray | None, trusted: float) -> float | None:
    """The sum of the roots of the eigenvalues; None where their squares have lost more digits than `trusted`.

    An eigenvalue carries an error of eps times the largest one, so its root one of that over twice the root.
    """
    if square is None:
        return None
    values = np.linalg.eigvalsh(square)
    noise = EPSILON * max(values[-1], 0.0)
    if not noise:
        return None
    roots = np.sqrt(values.clip(noise))
    total = float(roots.sum())
    return total if noise * float((1 / roots).sum()) <= trusted * total else None


def frechet_distance(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    """Return the Fréchet distance of two Gaussians.

    Args:
        mean1: (d,).
        cov1: (d, d), symmetric, no eigenvalue below 0.
        mean2: (d,).
        cov2: (d, d).

    Returns:
        The distance, at least 0. Singular covariances are fine, but a matrix holds no more than half the digits of
        what is nearly singular; `frechet_from_features` has them all.

    Raises:
        InputError: shapes that do not fit, or values that are not finite.
    """
    arrays = [np.asarray(a, dtype=np.float64) for a in (mean1, cov1, mean2, cov2)]
    d = arrays[0].size
    if [a.shape for a in arrays] != [(d,), (d, d), (d,), (d, d)]:
        raise InputError(f"means (d,) and covariances (d, d) expected, not {[a.shape for a in arrays]}")
    if not all(np.isfinite(a).all() for a in arrays):
        raise InputError("a mean or a covariance holds values that are not finite")
    return Gaussian(arrays[0], arrays[1]).distance(Gaussian(arrays[2], arrays[3]))


def frechet_from_moments(real: Moments, fake: Moments, ddof: int = 1) -> float:
    """Return the Fréchet distance of what two `Moments` have seen (`ddof` as in `Moments.covariance`)."""
    return Gaussian.of_moments(real, ddof).distance(Gaussian.of_moments(fake, ddof))


def frechet_from_features(real: np.ndarray, fake: np.ndarray, ddof: int = 1) -> float:
    """Return the Fréchet distance of two sets of features.

    Args:
        real: (N, d) or (N, rows, d); may be memory-mapped.
        fake: (M, d) or (M, rows, d).
        ddof: 1 divides the covariances by n - 1 (NumPy's and TensorFlow-GAN's), 0 by n (the StyleGAN family).

    Returns:
        The distance, at least 0.

    Raises:
        InputError: fewer than 2 clips, features of different sizes, or a value that is not finite.
    """
    real, fake = check_clips(real, "the real set"), check_clips(fake, "the generated set")
    check_same_size(real, fake)
    return Gaussian.of(real, ddof).distance(Gaussian.of(fake, ddof))


def check_same_size(real: np.ndarray, fake: np.ndarray) -> None:
    """Refuse two sets whose features have different sizes.

    Raises:
        InputError: one line with both sizes.
    """
    if real.shape[-1] != fake.shape[-1]:
        raise InputError(f"real features have {real.shape[-1]} values a row, generated ones {fake.shape[-1]}")
