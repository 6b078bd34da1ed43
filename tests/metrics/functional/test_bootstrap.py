"""Bootstrap intervals: where they lie, how often they cover, and that the quick ways equal the slow one."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import ConfigError, InputError
from moviola.metrics.functional.bootstrap import bootstrap_counts, compress, frechet_bootstrap, interval
from moviola.metrics.functional.frechet import frechet_from_features
from moviola.metrics.functional.kernel import kernel_distance_exact
from moviola.metrics.functional.moments import as_clips
from moviola.metrics.measures import FrechetMeasure, InceptionMeasure, KernelMeasure


def gaussians(n, d, rng, shift=1.0, fall=0.7):
    """Two sets (n, d) that differ by a shift and a scale, with a spectrum that falls as features' do."""
    scale = np.arange(1, d + 1) ** -fall
    x, y = rng.normal(size=(n, d)) * scale, rng.normal(size=(n, d)) * scale * 1.3
    y[:, 0] += shift
    return x, y


def test_counts():
    """Each resampling has as many clips, the average clip counts once, and at least two clips are different."""
    counts = bootstrap_counts(30, 2000, np.random.default_rng(0))
    assert counts.shape == (2000, 30) and (counts.sum(axis=1) == 30).all()
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.12)
    assert ((bootstrap_counts(2, 200, np.random.default_rng(0)) > 0).sum(axis=1) == 2).all()
    with pytest.raises(InputError, match="at least 2 clips, not 1"):
        bootstrap_counts(1, 5, np.random.default_rng(0))


def test_the_interval_is_centred():
    """Draws that lie too high move nothing but its width."""
    draws = np.random.default_rng(1).normal(size=4000)
    low, high = interval(10.0, draws, 0.95)
    assert (low, high) == pytest.approx((10 - 1.96, 10 + 1.96), abs=0.15)
    assert interval(10.0, draws + 500, 0.95) == pytest.approx((low, high))
    assert interval(1.0, draws, 0.95, lowest=0.0)[0] == 0
    narrow = interval(10.0, draws, 0.5)
    assert low < narrow[0] < 10 < narrow[1] < high
    for level in (0, 1, 95):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            interval(1.0, draws, level)
    with pytest.raises(ConfigError, match="at least 1 draw"):
        interval(1.0, draws[:0])


@pytest.mark.parametrize(("n", "m", "d"), [(12, 9, 90), (20, 30, 40), (70, 20, 15), (80, 90, 10)])
def test_a_draw_is_the_distance_of_copies(n, m, d):
    """Each draw is the distance of sets in which clips stand several times; clips keep their rows together."""
    rng = np.random.default_rng(d)
    x, y = rng.normal(size=(n, 2, d)), rng.normal(size=(m, 2, d)) + 0.3
    draws = frechet_bootstrap(x, y, 4, np.random.default_rng(5), ddof=0)
    again = np.random.default_rng(5)
    counts = [bootstrap_counts(len(s), 4, again) for s in (x, y)]
    for draw, cx, cy in zip(draws, *counts, strict=True):
        expected = frechet_from_features(np.repeat(x, cx, axis=0), np.repeat(y, cy, axis=0), ddof=0)
        assert draw == pytest.approx(expected, rel=1e-5)


def test_compressing_changes_no_distance():
    """Few rows of many features, turned into the space they span."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(5, 2, 200)) + 9, rng.normal(size=(7, 2, 200)) + 9.5
    small = compress(x, y)
    assert [s.shape for s in small] == [(5, 2, 24), (7, 2, 24)]
    assert frechet_from_features(*small) == pytest.approx(frechet_from_features(x, y), rel=1e-10)
    assert compress(x[:, :, :40], y[:, :, :40])[0].shape == (5, 2, 40)


def coverage(measure, make, runs, draws, known, rng):
    """How often the interval holds `known`."""
    hits = 0
    for _ in range(runs):
        real, fake = (as_clips(s) for s in make())
        value = measure.score(real, fake)
        low, high = interval(value, measure.resample(real, fake, draws, rng), 0.95)
        hits += low <= known <= high
    return hits / runs


@pytest.mark.parametrize(("n", "d"), [(40, 100), (40, 40), (150, 8)], ids=["fewer", "equal", "more"])
def test_coverage_of_the_frechet_distance(n, d):
    """The 95 % interval holds what other clips give on average at the same number: in 85 to 100 % of 60 cases."""
    rng = np.random.default_rng(n + d)
    typical = np.mean([frechet_from_features(*gaussians(n, d, rng)) for _ in range(400)])
    covered = coverage(FrechetMeasure(), lambda: gaussians(n, d, rng), 60, 60, typical, rng)
    assert 0.85 <= covered <= 1


def test_plain_percentiles_would_not_do():
    """All draws above the figure itself: the reason for the centred interval."""
    rng = np.random.default_rng(3)
    x, y = gaussians(40, 100, rng, fall=0)
    draws = frechet_bootstrap(x, y, 50, rng)
    assert draws.min() > frechet_from_features(x, y)


def test_coverage_of_the_kernel_distance():
    """The same of MMD^2, whose figure at any number is that at infinitely many."""
    rng = np.random.default_rng(4)
    typical = np.mean([kernel_distance_exact(*gaussians(50, 10, rng)) for _ in range(600)])
    covered = coverage(KernelMeasure(), lambda: gaussians(50, 10, rng), 60, 80, typical, rng)
    assert 0.85 <= covered <= 1


def test_coverage_of_the_inception_score():
    """The same of the inception score."""
    rng = np.random.default_rng(5)
    alpha = np.array([0.2, 0.5, 0.3, 0.4, 0.1])

    def make():
        return np.zeros((2, 1)), rng.dirichlet(alpha, size=60)

    measure = InceptionMeasure()
    typical = np.mean([measure.score(*(as_clips(s) for s in make())) for _ in range(400)])
    assert 0.85 <= coverage(measure, make, 60, 100, typical, rng) <= 1


def test_the_kernel_draws_are_not_lifted():
    """Pairs of copies are left out, so the draws lie around the figure."""
    rng = np.random.default_rng(6)
    x, y = (as_clips(s) for s in gaussians(40, 10, rng))
    measure = KernelMeasure()
    draws = measure.resample(x, y, 600, rng)
    assert draws.mean() == pytest.approx(measure.score(x, y), abs=4 * draws.std() / np.sqrt(600))


def test_the_linear_draws_have_the_same_spread():
    """Where exact draws are too much work and rows are many: the first-order draws, on the same counts."""
    rng = np.random.default_rng(7)
    x, y = gaussians(1500, 12, rng)
    exact = frechet_bootstrap(x, y, 100, np.random.default_rng(8))
    linear = frechet_bootstrap(x, y, 100, np.random.default_rng(8), work=0)
    assert linear.std() == pytest.approx(exact.std(), rel=0.1)
    assert np.corrcoef(exact, linear)[0, 1] > 0.98
    assert linear.mean() == pytest.approx(frechet_from_features(x, y), abs=3 * linear.std() / 10)
    # two rows for every feature are enough for the right coverage
    rng = np.random.default_rng(10)
    typical = np.mean([frechet_from_features(*gaussians(60, 30, rng)) for _ in range(400)])
    hits = 0
    for _ in range(60):
        x, y = gaussians(60, 30, rng)
        low, high = interval(frechet_from_features(x, y), frechet_bootstrap(x, y, 200, rng, work=0))
        hits += low <= typical <= high
    assert hits >= 0.85 * 60
    # with few rows the exact draws are made whatever the work
    few = gaussians(20, 12, rng)
    one, two = (frechet_bootstrap(*few, 5, np.random.default_rng(9), work=w) for w in (0, 1e12))
    np.testing.assert_array_equal(one, two)
