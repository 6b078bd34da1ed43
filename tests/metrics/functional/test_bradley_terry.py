"""Bradley-Terry scores: the closed form of two items, another optimizer's maximum, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import InputError
from moviola.metrics.functional.bradley_terry import bradley_terry, is_connected, win_probability


def likelihood(scores: np.ndarray, wins: np.ndarray) -> float:
    """The log-likelihood of scores (K,), written out game by game."""
    pairs = [(i, j) for i in range(len(scores)) for j in range(len(scores)) if i != j]
    return sum(wins[i, j] * (scores[i] - np.logaddexp(scores[i], scores[j])) for i, j in pairs)


def counts(k: int, seed: int, most: int = 20) -> np.ndarray:
    """How often each of k items beat each other, every count at least 1, halves where there were ties."""
    generator = np.random.default_rng(seed)
    wins = generator.integers(2, most, (k, k)) / 2
    np.fill_diagonal(wins, 0)
    return wins


@pytest.mark.parametrize(("won", "lost"), [(30, 10), (1, 1), (0.5, 17.5)])
def test_two_items_are_log_odds(won, lost):
    """The difference of two scores is the log of the odds; the prior adds to both counts."""
    one, two = bradley_terry(np.array([[0, won], [lost, 0]]))
    assert one - two == pytest.approx(np.log(won / lost), abs=1e-9)
    assert one + two == pytest.approx(0, abs=1e-9)
    one, two = bradley_terry(np.array([[0, won], [lost, 0]]), prior=0.5)
    assert one - two == pytest.approx(np.log((won + 0.5) / (lost + 0.5)), abs=1e-9)


@pytest.mark.parametrize("k", [3, 5, 8])
def test_another_optimizer_finds_the_same(k):
    """The scores are those at which SciPy's BFGS finds the likelihood's maximum."""
    optimize = pytest.importorskip("scipy.optimize")
    wins = counts(k, seed=k)
    found = optimize.minimize(lambda s: -likelihood(s, wins), np.zeros(k), method="BFGS", tol=1e-9).x
    np.testing.assert_allclose(bradley_terry(wins), found - found.mean(), atol=1e-5)


def test_no_step_makes_it_likelier():
    """Around the scores every direction lowers the likelihood, and all expected wins equal those counted."""
    wins = counts(4, seed=1)
    scores = bradley_terry(wins)
    best = likelihood(scores, wins)
    for direction in np.eye(4)[:3]:
        for step in (-1e-3, 1e-3):
            assert likelihood(scores + step * direction, wins) < best
    expected = (wins + wins.T) * win_probability(scores)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(expected.sum(axis=1), wins.sum(axis=1), rtol=1e-7)


def test_items_that_never_met_are_joined_by_a_third():
    """With games of A against B and B against C alone, both differences are log odds of their own games."""
    wins = np.array([[0, 8.0, 0], [2, 0, 3], [0, 9, 0]])
    a, b, c = bradley_terry(wins)
    assert (a - b, b - c) == (pytest.approx(np.log(4), abs=1e-6), pytest.approx(np.log(3 / 9), abs=1e-6))


def test_experiments_do_not_mix():
    """A batch gives what its members give alone."""
    batch = np.stack([counts(4, seed) for seed in range(6)]).reshape(2, 3, 4, 4)
    alone = [[bradley_terry(wins) for wins in row] for row in batch]
    np.testing.assert_allclose(bradley_terry(batch), alone, atol=1e-8)


def test_where_there_is_no_maximum():
    """An item that won or lost every game, or groups that never met, have no finite score; a prior mends the first."""
    unbeaten = np.array([[0, 4, 2], [0, 0, 3], [0, 1, 0]])
    apart = np.kron(np.eye(2), np.array([[0, 2], [1, 0]]))
    for wins in (unbeaten, apart, np.zeros((2, 2))):
        assert not is_connected(wins)
        with pytest.raises(InputError, match="no finite scores"):
            bradley_terry(wins)
    scores = bradley_terry(unbeaten, prior=0.5)
    assert np.isfinite(scores).all() and scores.argmax() == 0
    with pytest.raises(InputError, match="no finite scores"):
        bradley_terry(apart, prior=0.5)


@pytest.mark.parametrize(
    "wins", [np.zeros((2, 3)), np.zeros((1, 1)), np.array([[0, -1], [1, 0]]), np.array([[0, np.nan], [1, 0]])]
)
def test_what_is_no_count(wins):
    """Another shape, or numbers that count nothing."""
    with pytest.raises(InputError):
        bradley_terry(wins)
