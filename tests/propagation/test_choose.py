"""The choice between two keys, against its formula pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import ConfigError
from moviola.propagation.choose import choose, key_weights, share, smooth


@given(interval=st.integers(2, 12), seed=st.integers(0, 999), data=st.data())
def test_the_rule(interval, seed, data):
    i = data.draw(st.integers(0, interval - 1))
    e1, e2 = np.random.default_rng(seed).random((2, 6, 7), dtype=np.float32)
    w1 = i / (interval - 1)
    found, soft = choose(e1, e2, i, interval), share(e1, e2, i, interval, power=1, floor=0)
    for y in range(6):
        for x in range(7):
            assert found[y, x] == (w1 * e1[y, x] < (1 - w1) * e2[y, x])
            a, b = (1 - w1) * e2[y, x], w1 * e1[y, x]
            assert soft[y, x] == pytest.approx(a / (a + b), abs=1e-5)


def test_weights():
    assert [key_weights(i, 5)[0] for i in range(5)] == [0, 0.25, 0.5, 0.75, 1]
    assert key_weights(0, 1) == (0, 1)
    for i in (-1, 5):
        with pytest.raises(ConfigError, match="interval of 5"):
            key_weights(i, 5)


def test_equal_errors():
    """Without a difference the nearer key is chosen, and shares are the cross-fade."""
    for error in (np.zeros((2, 3)), np.full((2, 3), 50.0)):
        assert [choose(error, error, i, 4).all() for i in range(4)] == [True, True, False, False]
        assert [float(share(error, error, i, 5)[0, 0]) for i in range(5)] == [1, 0.75, 0.5, 0.25, 0]


def test_high_powers_are_the_better_key():
    e1, e2 = np.array([[0.0, 9.0, 1e9]]), np.array([[9.0, 0.0, 1.0]])
    found = share(e1, e2, 3, 7, power=200)
    assert np.allclose(found, [[1, 0, 0]], atol=1e-4) and np.isfinite(found).all()


def test_smoothing():
    """A speck goes, an edge becomes a ramp around a half, an even mask stays exact."""
    mask = np.zeros((30, 40), bool)
    mask[:, 20:] = True
    mask[15, 5] = True
    soft = smooth(mask)
    assert soft[15, 5] < 1e-3 and soft.dtype == np.float32
    assert (np.diff(soft[10]) >= -1e-6).all()
    assert soft[10, 19] + soft[10, 20] == pytest.approx(1, abs=1e-3)
    for value in (False, True):
        assert (smooth(np.full((9, 9), value)) == float(value)).all()
    assert (smooth(mask, sigma=0, clean=1) == mask).all()


def test_what_is_refused():
    e = np.zeros((2, 3))
    with pytest.raises(ConfigError, match="one shape"):
        choose(e, e.T, 0, 2)
    with pytest.raises(ConfigError, match="power"):
        share(e, e, 0, 2, power=0)
    with pytest.raises(ConfigError, match="odd"):
        smooth(e > 0, clean=4)
