"""The figure at infinitely many clips: nearer the truth than the plain one, or none."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.metrics.functional.infinity import extrapolate, subset_counts
from moviola.metrics.functional.moments import as_clips
from moviola.metrics.measures import FrechetMeasure, InceptionMeasure, KernelMeasure


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.5, 1.4)], ids=["equal", "different"])
def test_nearer_the_truth(shift, scale):
    """Gaussians of 30 features: the bias at 120 clips is taken off."""
    rng = np.random.default_rng(0)
    true = 30 * (shift**2 + (scale - 1) ** 2)
    plain, found = [], []
    measure = FrechetMeasure()
    for _ in range(6):
        x, y = rng.normal(size=(120, 30)), scale * rng.normal(size=(120, 30)) + shift
        extrapolation = extrapolate(measure, x, y, rng)
        assert extrapolation is not None
        plain.append(measure.score(x, y))
        found.append(extrapolation.value)
        assert extrapolation.values[-1] == pytest.approx(plain[-1], rel=1e-12)
        assert extrapolation.sizes[0] == 60 and extrapolation.residual < 0.2 * plain[-1]
    assert max(abs(np.array(found) - true)) < min(abs(np.array(plain) - true))
    assert abs(np.mean(found) - true) < 0.3 * (np.mean(plain) - true)


def test_sets_of_different_numbers():
    """Both shrink in proportion."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(400, 12)), rng.normal(size=(60, 12))
    extrapolation = extrapolate(FrechetMeasure(), x, y, rng)
    assert extrapolation is not None
    assert extrapolation.sizes[0] == 30 and extrapolation.sizes[-1] == 60
    assert abs(extrapolation.value) < 0.4 * extrapolation.values[-1]


@pytest.mark.parametrize(("n", "d"), [(100, 400), (30, 4)], ids=["few-for-the-features", "few"])
def test_none_with_too_few_clips(n, d):
    """No figure is better than a wrong one."""
    rng = np.random.default_rng(2)
    assert extrapolate(FrechetMeasure(), *rng.normal(size=(2, n, d)), rng) is None


def test_a_falling_spectrum_needs_fewer_clips():
    """400 features of which few are strong: 100 clips are enough."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 100, 400)) * np.arange(1, 401) ** -1.0
    extrapolation = extrapolate(FrechetMeasure(), x, y, rng)
    assert extrapolation is not None and abs(extrapolation.value) < 0.5 * extrapolation.values[-1]


def test_an_unbiased_figure_stays():
    """The kernel distance is its own extrapolation."""
    rng = np.random.default_rng(4)
    x, y = (as_clips(s) for s in rng.normal(size=(2, 10, 5)))
    measure = KernelMeasure()
    extrapolation = extrapolate(measure, x, y, rng)
    assert extrapolation is not None
    assert (extrapolation.value, extrapolation.residual) == (measure.score(x, y), 0)


def test_the_inception_score():
    """The score of few clips is too low; the extrapolation looks at generated clips alone."""
    rng = np.random.default_rng(5)
    measure = InceptionMeasure()
    alpha, nothing = np.full(8, 0.3), np.zeros((0, 1, 8))
    true = measure.score(nothing, as_clips(rng.dirichlet(alpha, size=200_000)))
    gains = []
    for _ in range(200):
        extrapolation = extrapolate(measure, nothing, as_clips(rng.dirichlet(alpha, size=40)), rng, repeats=1)
        assert extrapolation is not None
        gains.append((extrapolation.value - true, extrapolation.values[-1] - true))
    ours, plain = np.mean(gains, axis=0)
    assert plain < 0
    assert abs(ours) < 0.4 * abs(plain)


def test_subsets_have_their_size():
    """Without replacement."""
    counts = subset_counts(10, 4, np.random.default_rng(6))
    assert counts.sum() == 4 and set(counts) == {0, 1}
