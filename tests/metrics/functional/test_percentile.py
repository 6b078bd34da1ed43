"""Expanded percentiles: their quantiles against another library, how often they cover, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import ConfigError
from moviola.metrics.functional.percentile import expanded_percentiles, t_quantile


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 30, 200])
@pytest.mark.parametrize("p", [0.9, 0.95, 0.975, 0.99])
def test_quantiles_of_t(freedom, p):
    """As SciPy's: exactly for 1 and 2 degrees of freedom, to 1 % for 3, to 0.2 % from 4 on."""
    stats = pytest.importorskip("scipy.stats")
    rough = 1e-9 if freedom < 3 else 0.01 if freedom == 3 else 0.002
    assert t_quantile(p, freedom) == pytest.approx(stats.t.ppf(p, freedom), rel=rough)


@pytest.mark.parametrize("n", [5, 8, 20])
def test_coverage_of_a_mean(n):
    """Of 600 samples of n normal values about 95 % of the intervals hold the mean; plain percentiles hold fewer."""
    generator = np.random.default_rng(n)
    held = {None: 0, n: 0}
    for _ in range(600):
        values = generator.normal(size=n)
        draws = values[generator.integers(0, n, (400, n))].mean(axis=1)
        for samples in held:
            low, high = expanded_percentiles(draws, samples)
            held[samples] += bool(low <= 0 <= high)
    assert 0.90 < held[n] / 600 <= 0.99
    assert held[n] > held[None]


def test_columns_and_gaps():
    """Each column by itself; draws without a figure do not count, and a column of them has no interval."""
    draws = np.random.default_rng(0).normal([0, 10, 0], size=(500, 3))
    draws[::2, 1] = np.nan
    draws[:, 2] = np.nan
    low, high = expanded_percentiles(draws, None)
    assert low[0] == pytest.approx(np.quantile(draws[:, 0], 0.025)) and 8 < low[1] < 10 < high[1] < 12
    assert np.isnan(low[2]) and np.isnan(high[2])


def test_out_of_range():
    """A level or a number of samples that gives no interval."""
    for draws, n, level in ((np.ones(3), 1, 0.95), (np.ones(0), 4, 0.95), (np.ones(3), 4, 1.0)):
        with pytest.raises(ConfigError):
            expanded_percentiles(draws, n, level)
