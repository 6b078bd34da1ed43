"""The kernel distance against plain loops, closed forms and its own parts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from moviola.core.errors import InputError
from moviola.metrics.functional import kernel as module
from moviola.metrics.functional.kernel import (
    Kernel,
    KernelSums,
    kernel_distance,
    kernel_distance_counted,
    kernel_distance_exact,
)


def by_loops(x, y):
    """The estimator as it is written, one pair at a time."""

    def k(a, b):
        return (float(a @ b) / len(a) + 1) ** 3

    def mean(pairs):
        return float(np.mean([k(a, b) for a, b in pairs]))

    return (
        mean(itertools.permutations(x, 2))
        + mean(itertools.permutations(y, 2))
        - 2 * mean(itertools.product(x, y))
    )


def sets(n=17, m=11, d=6, seed=0):
    """Two different sets."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d)) * 1.2 + 0.3


@pytest.mark.parametrize("tile", [1024, 4])
def test_against_loops(monkeypatch, tile):
    """All pairs, in tiles of any size."""
    monkeypatch.setattr(module, "TILE_ROWS", tile)
    x, y = sets()
    assert kernel_distance_exact(x, y) == pytest.approx(by_loops(x, y), rel=1e-10)


def test_unbiased():
    """Zero on average between equal distributions, at 5 clips as at 40."""
    rng = np.random.default_rng(1)
    for n, runs in ((5, 400), (40, 150)):
        values = [kernel_distance_exact(*rng.normal(size=(2, n, 8))) for _ in range(runs)]
        assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(runs)
        assert min(values) < 0


def test_the_value_it_estimates():
    """Shifted Gaussians under the linear kernel: MMD^2 = gamma |m1 - m2|^2."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2000, 5)), rng.normal(size=(2000, 5)) + 0.7
    got = kernel_distance_exact(x, y, Kernel(degree=1, gamma=0.5, coef=0))
    assert got == pytest.approx(0.5 * 5 * 0.49, rel=0.1)


def test_a_kernel_of_other_shape():
    """Degree, gamma and coefficient do what they say."""
    x, y = sets(3, 2)
    np.testing.assert_allclose(
        Kernel(degree=2, gamma=0.3, coef=2.0)(x[:, None], y[:, None]), (0.3 * x @ y.T + 2) ** 2, rtol=1e-12
    )


def test_clips_of_several_rows():
    """The kernel of two clips is the mean over their rows, and a clip is never compared with itself."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(5, 3, 4)), rng.normal(size=(4, 2, 4)) + 0.5

    def k(a, b):
        return float(np.mean((a @ b.T / 4 + 1) ** 3))

    expected = (
        np.mean([k(a, b) for a, b in itertools.permutations(x, 2)])
        + np.mean([k(a, b) for a, b in itertools.permutations(y, 2)])
        - 2 * np.mean([k(a, b) for a, b in itertools.product(x, y)])
    )
    assert kernel_distance_exact(x, y) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("shards", [1, 2, 7])
def test_shards_add_up(shards):
    """Sums within shards and across every two of them are the sums of all, to 1e-9, in any order."""
    x, y = sets(23, 15)
    parts = list(zip(np.array_split(x, shards), np.array_split(y, shards), strict=True))
    tiles = [KernelSums.of(*part) for part in parts]
    tiles += [KernelSums.across(a, b) for a, b in itertools.combinations(parts, 2)]
    total = sum(reversed(tiles), KernelSums())
    assert (total.real_pairs, total.fake_pairs, total.cross_pairs) == (23 * 22, 15 * 14, 23 * 15)
    assert total.distance() == pytest.approx(kernel_distance_exact(x, y), rel=1e-9)


def test_subsets():
    """The mean over random subsets, the same by both ways of computing it, and near the figure of all pairs."""
    x, y = sets(60, 50, 5, seed=4)
    whole = kernel_distance_exact(x, y)
    one = kernel_distance(x, y, subsets=40, subset_size=20, generator=np.random.default_rng(7))
    again = np.random.default_rng(7)
    picks = [[np.sort(again.permutation(n)[:20]) for n in (60, 50)] for _ in range(40)]
    assert one == pytest.approx(np.mean([by_loops(x[i], y[j]) for i, j in picks]), rel=1e-9)
    assert one == pytest.approx(whole, rel=0.3) and one != whole
    # few small subsets of many clips are computed one by one: 60^2 > 2 * 20^2
    few = kernel_distance(x, y, subsets=2, subset_size=20, generator=np.random.default_rng(7))
    assert few == pytest.approx(np.mean([by_loops(x[i], y[j]) for i, j in picks[:2]]), rel=1e-9)


def test_small_sets_are_taken_whole():
    """Where no set is larger than a subset nothing is drawn."""
    x, y = sets()
    assert kernel_distance(x, y, subset_size=17) == kernel_distance_exact(x, y)
    mixed = kernel_distance(x, y, subsets=3, subset_size=12)
    again = np.random.default_rng(0)
    picks = [np.sort(again.permutation(17)[:12]) for _ in range(3)]
    assert mixed == pytest.approx(np.mean([by_loops(x[i], y) for i in picks]), rel=1e-9)


def test_counts():
    """Counts of 0 and 1 are subsets; copies of a clip are not compared with each other."""
    x, y = (s[:, None] for s in sets(6, 5))
    cx, cy = np.array([[1, 1, 0, 1, 0, 1], [2, 0, 1, 1, 1, 1]]), np.array([[1, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
    got = kernel_distance_counted(x, y, cx, cy)
    assert got[0] == pytest.approx(kernel_distance_exact(x[cx[0] > 0], y[cy[0] > 0]), rel=1e-10)
    kernel = Kernel()
    inner = kernel(x, x) * np.outer(cx[1], cx[1])
    pairs = np.outer(cx[1], cx[1])
    np.fill_diagonal(inner, 0)
    np.fill_diagonal(pairs, 0)
    cross = (cx[1] @ kernel(x, y)).sum() / 30
    ours = inner.sum() / pairs.sum() + KernelSums.of(y, y).real / 20 - 2 * cross
    assert got[1] == pytest.approx(ours, rel=1e-10)


def test_bad_input_is_one_line():
    """One clip, other sizes, no numbers, numbers beyond range."""
    x, y = sets()
    bad = y.copy()
    bad[3, 2] = np.inf
    for pair, message in (
        ((x[:1], y), "at least 2 clips; the real set holds 1"),
        ((x, y[:, :3]), "6 values a row"),
        ((x, bad), "clip 3 of the generated set .* not finite"),
        ((x * 1e160, y), "beyond the range"),
    ):
        with np.errstate(all="ignore"), pytest.raises(InputError, match=message) as error:
            kernel_distance_exact(*pair)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="fewer than 2 different"):
        kernel_distance_counted(x[:3, None], y[:2, None], np.array([[3, 0, 0]]), np.array([[1, 1]]))
    with pytest.raises(InputError, match="at least 2 clips"):
        KernelSums.of(x[:1], y).distance()
