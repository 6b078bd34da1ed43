"""How much each clip pulls on a Fréchet distance: its derivative with respect to the clip's weight.

With the linear map that carries the one Gaussian onto the other,

    T = S1^(-1/2) (S1^(1/2) S2 S1^(1/2))^(1/2) S1^(-1/2),

a row x of the first set has the influence

    2 (m1 - m2) . a  +  |a|^2  -  a^T T a,     a = x - m1,

less its mean over the set. (The derivative of the Bures distance with respect to S1 is I - T; Bhatia, Jain and Lim
2019.) Resampling to first order needs one such pass instead of one distance for every draw.
"""

from __future__ import annotations

import numpy as np

from moviola.metrics.functional.frechet import EPSILON
from moviola.metrics.functional.moments import Moments, as_clips, blocks


def frechet_influence(real: np.ndarray, fake: np.ndarray, ddof: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return the influence of every clip on the Fréchet distance of two sets.

    Args:
        real: (N, d) or (N, rows, d), several rows for every feature; may be memory-mapped.
        fake: (M, d) or (M, rows, d).
        ddof: as in `frechet_from_features`.

    Returns:
        float64 (N,) and (M,), each with mean 0. Where clip i counts c_i times, sum c_i = N, the distance changes by
        about sum(c_i influence_i) / N.

    Raises:
        InputError: a value that is not finite.
    """
    real, fake = as_clips(real), as_clips(fake)
    one, two = Moments.of(real), Moments.of(fake)
    first, second = one.covariance(ddof), two.covariance(ddof)
    shift = one.mean - two.mean
    return (
        _pull(real, one.mean, 2 * shift, _transport(first, second)),
        _pull(fake, two.mean, -2 * shift, _transport(second, first)),
    )


def _transport(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The symmetric T with T source T = target, on the span of `source`."""
    values, vectors = np.linalg.eigh(source)
    is_significant = values > 4 * len(values) * EPSILON * max(values[-1], 0.0)
    roots, vectors = np.sqrt(values[is_significant]), vectors[:, is_significant]
    # S1^(1/2) = V D^(1/2) V^T; in the eigenbasis V (d, k) forth is V D^(1/2), back is V D^(-1/2)
    forth, back = vectors * roots, vectors / roots
    values, inner_vectors = np.linalg.eigh(forth.T @ target @ forth)
    # T = V D^(-1/2) (D^(1/2) V^T S2 V D^(1/2))^(1/2) D^(-1/2) V^T, (d, d)
    half = back @ inner_vectors
    return (half * np.sqrt(values.clip(0))) @ half.T


def _pull(clips: np.ndarray, mean: np.ndarray, slope: np.ndarray, transport: np.ndarray) -> np.ndarray:
    """The mean influence of the rows of each clip, less the mean over clips."""
    rows = clips.shape[1]
    pulls = []
    for block, _ in blocks(clips):
        block -= mean
        # 2 (m1 - m2) . a + |a|^2 - a^T T a of each centred row a (d,)
        rise = block @ slope + np.einsum("nd,nd->n", block, block - block @ transport)
        pulls.append(rise.reshape(-1, rows).mean(axis=1))
    pull = np.concatenate(pulls)
    return pull - pull.mean()
