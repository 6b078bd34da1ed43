"""The Fréchet distance against closed forms, SciPy's matrix root and exact arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import InputError
from moviola.metrics.functional.frechet import (
    Gaussian,
    frechet_distance,
    frechet_from_features,
    frechet_from_moments,
    nuclear_norm,
)
from moviola.metrics.functional.moments import Moments


def scipy_distance(x, y, ddof=1):
    """The textbook: sqrtm of the product of the covariances."""
    s1, s2 = np.cov(x.T, ddof=ddof), np.cov(y.T, ddof=ddof)
    root = scipy.linalg.sqrtm(s1 @ s2)
    delta = x.mean(axis=0) - y.mean(axis=0)
    return delta @ delta + np.trace(s1) + np.trace(s2) - 2 * np.trace(root).real


def rotation(d, rng):
    """A random orthogonal matrix."""
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


def exactly(mean, covariance, n, rng):
    """`n` rows with exactly this mean and covariance (ddof=1); n > d."""
    d = len(mean)
    x = rng.normal(size=(n, d))
    x -= x.mean(axis=0)
    x = np.linalg.qr(x)[0] * np.sqrt(n - 1)
    return x @ np.linalg.cholesky(covariance).T + mean


def test_one_dimension():
    """(m1 - m2)^2 + (s1 - s2)^2."""
    got = frechet_distance(np.array([1.0]), np.array([[4.0]]), np.array([3.0]), np.array([[9.0]]))
    assert got == pytest.approx(4 + 1, rel=1e-12)


@given(st.integers(1, 12), st.integers(0, 10**6))
def test_covariances_that_commute(d, seed):
    """Same axes: the squares of the differences of means and of standard deviations."""
    rng = np.random.default_rng(seed)
    axes, a, b = rotation(d, rng), rng.uniform(0.1, 3, d), rng.uniform(0.1, 3, d)
    m1, m2 = rng.normal(size=(2, d))
    expected = np.sum((m1 - m2) ** 2) + np.sum((a - b) ** 2)
    got = frechet_distance(m1, (axes * a**2) @ axes.T, m2, (axes * b**2) @ axes.T)
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_rows_with_a_closed_form():
    """Rows made to have exactly given moments."""
    rng = np.random.default_rng(0)
    axes, a, b = rotation(6, rng), rng.uniform(0.5, 2, 6), rng.uniform(0.5, 2, 6)
    x = exactly(np.zeros(6), (axes * a**2) @ axes.T, 40, rng)
    y = exactly(np.full(6, 0.5), (axes * b**2) @ axes.T, 30, rng)
    assert frechet_from_features(x, y) == pytest.approx(6 * 0.25 + np.sum((a - b) ** 2), rel=1e-9)


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_many_rows_against_scipy(ddof, scale):
    """To 1e-9 of sqrtm where covariances are regular."""
    rng = np.random.default_rng(1)
    x = scale * rng.normal(size=(300, 40)) @ rng.normal(size=(40, 40)) + 5
    y = scale * rng.normal(size=(250, 40)) @ rng.normal(size=(40, 40))
    assert frechet_from_features(x, y, ddof) == pytest.approx(scipy_distance(x, y, ddof), rel=1e-9)
    moments = Moments.of(x), Moments.of(y)
    assert frechet_from_moments(*moments, ddof) == pytest.approx(scipy_distance(x, y, ddof), rel=1e-9)


@pytest.mark.parametrize(("n", "m", "d"), [(12, 9, 30), (12, 60, 30), (60, 12, 30), (30, 31, 30), (2, 2, 30)])
def test_fewer_rows_than_features(n, m, d):
    """Singular covariances: the cross Gram matrix of the centred rows has the answer to full precision."""
    rng = np.random.default_rng(n + m)
    x, y = rng.normal(size=(n, d)) + 3, 1.5 * rng.normal(size=(m, d)) + 3.1
    a, b = (x - x.mean(axis=0)) / np.sqrt(n - 1), (y - y.mean(axis=0)) / np.sqrt(m - 1)
    nuclear = scipy.linalg.svdvals(a @ b.T).sum()
    expected = np.sum((x.mean(axis=0) - y.mean(axis=0)) ** 2) + np.sum(a * a) + np.sum(b * b) - 2 * nuclear
    assert frechet_from_features(x, y) == pytest.approx(expected, rel=1e-11)
    # a matrix root of singular covariances keeps half the digits
    assert frechet_from_features(x, y) == pytest.approx(scipy_distance(x + 0j, y + 0j).real, rel=1e-4)


def test_features_that_repeat_each_other():
    """Columns copied k times: k times the distance of the columns themselves, though every covariance is singular."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(200, 10)), 0.7 * rng.normal(size=(150, 10)) + 0.2
    once = frechet_from_features(x, y)
    assert frechet_from_features(np.tile(x, 3), np.tile(y, 3)) == pytest.approx(3 * once, rel=1e-7)
    wide = [np.concatenate([s, np.full((len(s), 20), 4.0)], axis=1) for s in (x, y)]
    assert frechet_from_features(*wide) == pytest.approx(once, rel=1e-9)


def test_a_steep_spectrum():
    """Variances over twelve decades, as real features have: the fast path steps aside and nothing is lost."""
    rng = np.random.default_rng(3)
    scales = np.logspace(0, -6, 25)
    x = rng.normal(size=(80, 25)) * scales
    y = rng.normal(size=(90, 25)) * scales[::-1]
    one, two = (np.linalg.qr(s - s.mean(axis=0), mode="r") / np.sqrt(len(s) - 1) for s in (x, y))
    traces = np.sum(one**2) + np.sum(two**2)
    expected = np.sum((x.mean(axis=0) - y.mean(axis=0)) ** 2) + traces
    expected -= 2 * scipy.linalg.svdvals(one @ two.T).sum()
    assert frechet_from_features(x, y) == pytest.approx(expected, abs=1e-9 * traces)


def test_equal_sets_are_at_zero():
    """The same rows, or the same Gaussian: 0 to rounding, and never below."""
    x = np.random.default_rng(4).normal(size=(50, 8)) + 100
    assert 0 <= frechet_from_features(x, x[::-1]) < 1e-10
    assert 0 <= frechet_from_features(x[:5], x[4::-1]) < 1e-10
    assert frechet_from_features(np.ones((3, 4)), np.ones((5, 4))) == 0
    assert frechet_from_features(np.ones((3, 4)), np.full((9, 4), 3.0)) == pytest.approx(16, rel=1e-12)


@given(st.integers(0, 10**6))
def test_it_is_a_squared_metric(seed):
    """Symmetric; the root obeys the triangle inequality; no rotation or shift changes it."""
    rng = np.random.default_rng(seed)
    x, y, z = (rng.uniform(0.5, 2) * rng.normal(size=(n, 6)) + rng.normal(size=6) for n in (5, 20, 9))
    xy, yz, xz = (frechet_from_features(a, b) for a, b in ((x, y), (y, z), (x, z)))
    assert xy == pytest.approx(frechet_from_features(y, x), rel=1e-9)
    assert np.sqrt(xz) <= np.sqrt(xy) + np.sqrt(yz) + 1e-9
    turn, shift = rotation(6, rng), rng.normal(size=6)
    assert frechet_from_features(x @ turn + shift, y @ turn + shift) == pytest.approx(xy, rel=1e-8)


def test_equal_gaussians_of_400_features():
    """Known: two equal 400-d Gaussians score about 302 at 256 clips and 39.8 at 2048; a bare number means nothing."""
    rng = np.random.default_rng(5)
    few = [frechet_from_features(*rng.normal(size=(2, 256, 400))) for _ in range(2)]
    assert np.mean(few) == pytest.approx(302, rel=0.02)
    assert frechet_from_features(*rng.normal(size=(2, 2048, 400))) == pytest.approx(39.8, rel=0.02)


def test_rough_distances_have_six_digits():
    """The quick form that resampling uses."""
    rng = np.random.default_rng(6)
    for n, m in ((20, 30), (20, 90), (90, 90)):
        one, two = Gaussian.of(rng.normal(size=(n, 50))), Gaussian.of(1.2 * rng.normal(size=(m, 50)))
        assert one.distance(two, rough=True) == pytest.approx(one.distance(two), rel=1e-6)


def test_effective_rank():
    """d for equal strengths; one for a single direction; the same from rows and from a matrix."""
    rng = np.random.default_rng(7)
    assert Gaussian(np.zeros(9), np.eye(9)).effective_rank() == pytest.approx(9)
    assert Gaussian.of(np.outer(rng.normal(size=30), np.ones(9))).effective_rank() == pytest.approx(
        1, abs=1e-6
    )
    rows = rng.normal(size=(6, 9))
    matrix = Gaussian(rows.mean(axis=0), np.cov(rows.T))
    assert Gaussian.of(rows).effective_rank() == pytest.approx(matrix.effective_rank(), rel=1e-6)
    assert Gaussian.of(np.ones((3, 2))).effective_rank() == 0
    assert nuclear_norm(np.zeros((0, 3))) == 0


def test_frames_are_rows():
    """(clips, rows, d) is the distance of all rows."""
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(7, 4, 5)), rng.normal(size=(9, 4, 5)) + 1
    expected = scipy_distance(x.reshape(-1, 5), y.reshape(-1, 5))
    assert frechet_from_features(x, y) == pytest.approx(expected, rel=1e-9)


def test_bad_input_is_one_line():
    """One clip, other sizes, values that are no numbers."""
    x = np.random.default_rng(9).normal(size=(5, 3))
    bad = x.copy()
    bad[4, 0] = np.nan
    cases = [
        ((x[:1], x), "needs at least 2 clips; the real set holds 1"),
        ((x, x[:1]), "needs at least 2 clips; the generated set holds 1"),
        ((x, x[:, :2]), "3 values a row, generated ones 2"),
        ((x, bad), "clip 4 .* not finite"),
        ((bad[:, :1].repeat(9, axis=1), x.repeat(3, axis=1)), "clip 4 .* not finite"),
    ]
    for sets, message in cases:
        with pytest.raises(InputError, match=message) as error:
            frechet_from_features(*sets)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="expected"):
        frechet_distance(np.zeros(3), np.eye(2), np.zeros(3), np.eye(3))
    with pytest.raises(InputError, match="not finite"):
        frechet_distance(np.zeros(2), np.full((2, 2), np.nan), np.zeros(2), np.eye(2))
