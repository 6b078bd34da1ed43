"""The distance to the nearest real clip against a plain search."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from moviola.core.errors import InputError
from moviola.metrics.functional import nearest as module
from moviola.metrics.functional.nearest import nearest_distance


@pytest.mark.parametrize("block", [1 << 21, 100])
def test_against_a_search(monkeypatch, block):
    """SciPy's standardised distances, divided by sqrt(d); clips of several rows stand for their mean."""
    monkeypatch.setattr(module, "BLOCK_VALUES", block)
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(30, 3, 6)) * np.arange(1, 7) + 50, rng.normal(size=(12, 3, 6)) + 48
    x, y = real.mean(axis=1), fake.mean(axis=1)
    expected = cdist(y, x, "seuclidean", V=x.var(axis=0)).min(axis=1) / np.sqrt(6)
    np.testing.assert_allclose(nearest_distance(real, fake), expected, rtol=1e-10)


def test_copies_and_strangers():
    """A copy is at 0 exactly; unrelated clips of many features at about sqrt(2); one that stands out is the worst."""
    rng = np.random.default_rng(1)
    real = rng.normal(size=(20, 2000)) + 1e4
    fake = np.concatenate([real[3:4], rng.normal(size=(4, 2000)) + 1e4, real[:1] + 9])
    found = nearest_distance(real, fake)
    assert found[0] == 0
    np.testing.assert_allclose(found[1:5], np.sqrt(2), rtol=0.1)
    assert np.argmax(found) == 5 and found[5] == pytest.approx(9, rel=0.1)


def test_a_copy_among_near_doubles():
    """Real clips that differ by less than the ranking can tell: every copy is at 0 exactly."""
    rng = np.random.default_rng(2)
    one = rng.normal(size=200) + 1e3
    real = np.stack([one + step * 1e-9 for step in range(6)] + [rng.normal(size=200) + 1e3 for _ in range(5)])
    assert nearest_distance(real, real[:6]).tolist() == [0] * 6


def test_features_that_never_change_in_the_real_set():
    """They count by the usual deviation, and a single real clip will do."""
    real = np.array([[0.0, 5.0], [2.0, 5.0]])
    assert nearest_distance(real, np.array([[2.0, 6.0]])) == pytest.approx(np.sqrt(0.5))
    assert nearest_distance(real[:1], np.array([[3.0, 9.0]])) == pytest.approx(np.sqrt((9 + 16) / 2))


def test_bad_input():
    """Nothing to compare with, other sizes, no numbers."""
    x = np.ones((3, 2))
    assert nearest_distance(x, x[:0]).shape == (0,)
    with pytest.raises(InputError, match="real set is empty"):
        nearest_distance(x[:0], x)
    with pytest.raises(InputError, match="2 values a row, generated ones 1"):
        nearest_distance(x, x[:, :1])
    with pytest.raises(InputError, match="clip 0 of the generated set"):
        nearest_distance(x, x * np.nan)
