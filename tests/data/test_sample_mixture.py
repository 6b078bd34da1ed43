"""Several data sets in one run."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import ConfigError
from moviola.data.sample_mixture import SampleMixture


class One:
    """Always the same sample."""

    def __init__(self, value):
        self.value = value

    def sample(self, rng):
        return {"x": np.array(self.value)}


def shares(mixed, draws=4000):
    rng = np.random.default_rng(0)
    found = [int(mixed.sample(rng)["x"]) for _ in range(draws)]
    return [found.count(i) / draws for i in range(3)]


def test_proportions():
    """As asked, within what chance allows; a share of 0 is never drawn."""
    sets = [One(0), One(1), One(2)]
    assert shares(SampleMixture(sets)) == pytest.approx([1 / 3] * 3, abs=0.03)
    assert shares(SampleMixture(sets, [3, 0, 1])) == pytest.approx([0.75, 0, 0.25], abs=0.03)


@pytest.mark.parametrize("given", [[1], [1, -1], [0, 0]])
def test_bad_shares(given):
    """Too few, below 0, all 0."""
    with pytest.raises(ConfigError, match="2 data sets need as many shares"):
        SampleMixture([One(0), One(1)], given)
