"""The influence of a clip on the Fréchet distance against finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.metrics.functional.frechet import Gaussian
from moviola.metrics.functional.influence import frechet_influence


@pytest.mark.parametrize("side", [0, 1])
def test_against_finite_differences(side):
    """A clip that counts a little more changes the distance by its influence, in both sets; clips of two rows."""
    rng = np.random.default_rng(0)
    sets = [rng.normal(size=(60, 2, 4)) @ rng.normal(size=(4, 4)), rng.normal(size=(50, 2, 4)) + 0.5]
    influence = frechet_influence(*sets, ddof=0)
    n = len(sets[side])
    assert influence[side].shape == (n,) and abs(influence[side].mean()) < 1e-10
    plain = [Gaussian.of(s, ddof=0) for s in sets]
    for clip in (0, 7, 31):
        counts = np.ones(n) * (1 - 1e-5)
        counts[clip] += 1e-5 * n
        moved = list(plain)
        moved[side] = Gaussian.of(sets[side], 0, counts)
        change = (moved[0].distance(moved[1]) - plain[0].distance(plain[1])) / 1e-5
        assert change == pytest.approx(influence[side][clip], rel=2e-3, abs=2e-3)


def test_features_that_never_change():
    """A constant feature makes the covariance singular and changes no influence."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(40, 3)), rng.normal(size=(50, 3)) * 1.5
    wide = [np.concatenate([s, np.ones((len(s), 2))], axis=1) for s in (x, y)]
    for narrow, broad in zip(frechet_influence(x, y), frechet_influence(*wide), strict=True):
        np.testing.assert_allclose(broad, narrow, rtol=1e-8, atol=1e-10)
