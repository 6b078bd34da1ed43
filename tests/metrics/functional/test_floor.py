"""The real-against-real floor: measured where it can be, carried over from halves where not."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.metrics.functional.floor import carry_over, real_floor
from moviola.metrics.functional.frechet import frechet_from_features
from moviola.metrics.functional.inception import inception_score
from moviola.metrics.functional.kernel import kernel_distance_exact
from moviola.metrics.measures import FrechetMeasure, InceptionMeasure, KernelMeasure

FRECHET = FrechetMeasure()


def test_measured():
    """With clips enough the parts are disjoint and have the numbers asked for."""
    rng = np.random.default_rng(0)
    real = rng.normal(size=(150, 20))
    value, how = real_floor(FRECHET, real, 90, 60, rng)
    typical = [frechet_from_features(rng.normal(size=(90, 20)), rng.normal(size=(60, 20))) for _ in range(40)]
    assert how == "measured"
    assert value == pytest.approx(np.mean(typical), rel=0.15)


@pytest.mark.parametrize("fall", [0.0, 0.5, 1.0], ids=["white", "falling", "steep"])
@pytest.mark.parametrize(("n", "d"), [(40, 60), (100, 400), (300, 20)])
def test_scaled(n, d, fall):
    """Only as many real clips as the score itself has: within a quarter of what fresh clips give on average."""
    rng = np.random.default_rng(n + d)
    scale = np.arange(1, d + 1) ** -fall
    typical = np.mean([frechet_from_features(*(rng.normal(size=(2, n, d)) * scale)) for _ in range(20)])
    found = []
    for _ in range(10):
        value, how = real_floor(FRECHET, rng.normal(size=(n, d)) * scale, n, n, rng)
        assert how == f"scaled from N={n // 2}"
        found.append(value)
    assert np.mean(found) == pytest.approx(typical, rel=0.25)


def test_carrying_over():
    """Exact on c / (n + n0); the plain 1 / n where n0 would be below 0; level where nothing falls."""
    assert carry_over(100 / 13, 10, 100 / 23, 20, 40) == pytest.approx(100 / 43)
    assert carry_over(5.0, 10, 2.0, 20, 40) == pytest.approx(1.0)
    assert carry_over(5.0, 10, 5.5, 20, 40) == 5.5


def test_unequal_numbers():
    """A hundred real and ten generated clips: the floor is that of few clips."""
    rng = np.random.default_rng(1)
    real = rng.normal(size=(100, 8))
    typical = np.mean(
        [frechet_from_features(rng.normal(size=(100, 8)), rng.normal(size=(10, 8))) for _ in range(60)]
    )
    value, how = real_floor(FRECHET, real, 100, 10, rng, splits=20)
    assert how == "scaled from N=50"
    assert value == pytest.approx(typical, rel=0.3)


def test_the_kernel_distance_has_a_floor_around_zero():
    """Unbiased: small beside a real difference, on either side of 0."""
    rng = np.random.default_rng(2)
    real = rng.normal(size=(80, 10))
    apart = kernel_distance_exact(real, real + 0.5)
    for n in (80, 30):
        value, _ = real_floor(KernelMeasure(), real, n, n, rng)
        assert value is not None and abs(value) < 0.2 * apart


def test_the_inception_score_of_real_clips():
    """A score of generated clips alone is set beside that of as many real ones."""
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.ones(5), size=40)
    measure = InceptionMeasure()
    assert real_floor(measure, p, 40, 60, rng) == (pytest.approx(inception_score(p)), "of N=40")
    value, how = real_floor(measure, p, 40, 25, rng)
    assert how == "measured" and value == pytest.approx(inception_score(p), rel=0.2)


@pytest.mark.parametrize("n", [2, 3])
def test_no_floor(n):
    """Halves of a single clip are no sets."""
    rng = np.random.default_rng(4)
    assert real_floor(FRECHET, rng.normal(size=(n, 3)), n, n, rng) == (None, "")


@pytest.mark.parametrize("n", [4, 5, 9])
def test_few_clips(n):
    """The fewest that have halves."""
    rng = np.random.default_rng(5)
    value, how = real_floor(FRECHET, rng.normal(size=(n, 3)), n, n, rng)
    assert value is not None and 0 < value < 20 and how == f"scaled from N={n // 2}"


def test_the_same_seed_the_same_floor():
    """Nothing else is drawn from."""
    real = np.random.default_rng(6).normal(size=(30, 4))
    one, two = (real_floor(FRECHET, real, 30, 30, np.random.default_rng(7)) for _ in range(2))
    assert one == two
