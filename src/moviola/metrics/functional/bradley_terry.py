"""Strengths from comparisons in pairs: the model of Bradley and Terry (1952), fitted as Hunter (2004) does.

Where p_i > 0 is the strength of item i, it beats item j with probability

    P(i beats j) = p_i / (p_i + p_j).

A score here is log p_i, shifted so that the mean over items is 0: two items whose scores differ by d win against each
other in the ratio e^d to 1.
"""

from __future__ import annotations

import numpy as np

from moviola.core.errors import InputError

_TOLERANCE = 1e-10
_MOST_STEPS = 20_000


def bradley_terry(wins: np.ndarray, prior: float = 0.0) -> np.ndarray:
    """Return the scores of greatest likelihood, by the MM algorithm (Hunter 2004, equation 3).

    Args:
        wins: (..., K, K), K at least 2; [i, j] counts how often item i beat item j, a tie as half a win for both. The
            leading axes are experiments of their own.
        prior: wins added both ways between any two items that met in any experiment, at least 0. A half is, for two
            items, the correction of Haldane (1956) and Anscombe (1956) of log odds, and keeps every score finite.

    Returns:
        float64 (..., K), natural logarithms with mean 0.

    Raises:
        InputError: another shape or counts below 0; or there is no maximum, as the items fall in two groups of which
            one never beat the other (Ford 1957).
    """
    wins = np.array(wins, dtype=np.float64)
    if wins.ndim < 2 or wins.shape[-1] != wins.shape[-2] or wins.shape[-1] < 2:
        raise InputError(f"wins are counted in a square of at least 2 by 2, not {wins.shape}")
    if not (np.isfinite(wins).all() and (wins >= 0).all()):
        raise InputError("wins are counts of at least 0")
    count = wins.shape[-1]
    wins[..., np.arange(count), np.arange(count)] = 0
    flat = wins.reshape(-1, count, count)
    met = (flat + flat.swapaxes(1, 2)).sum(axis=0) > 0
    flat = flat + prior * met
    if not is_connected(flat).all():
        raise InputError("there are no finite scores: some items never beat any of the others; use a prior")
    return _maximize(flat).reshape(wins.shape[:-1])


def is_connected(wins: np.ndarray) -> np.ndarray:
    """Return whether a chain of wins leads from every item to every other: bool (...) of wins (..., K, K)."""
    reach = (wins > 0) | np.eye(wins.shape[-1], dtype=bool)
    for _ in range(max(1, (wins.shape[-1] - 1).bit_length())):
        reach = reach @ reach
    return np.asarray(reach.all(axis=(-2, -1)))


def win_probability(scores: np.ndarray) -> np.ndarray:
    """Return the probability that item i beats item j, (..., K, K), of scores (..., K)."""
    return 1 / (1 + np.exp(scores[..., None, :] - scores[..., :, None]))


def _maximize(wins: np.ndarray) -> np.ndarray:
    """Hunter 2004, equation 3: p_i <- W_i / sum_j N_ij / (p_i + p_j), of wins (B, K, K)."""
    total, games = wins.sum(axis=2), wins + wins.swapaxes(1, 2)
    strength = np.ones_like(total)
    for _ in range(_MOST_STEPS):
        shares = games / (strength[:, :, None] + strength[:, None, :])
        better = total / shares.sum(axis=2)
        better /= np.exp(np.log(better).mean(axis=1, keepdims=True))
        moved = np.abs(np.log(better) - np.log(strength)).max()
        strength = better
        if moved < _TOLERANCE:
            break
    return np.log(strength)
