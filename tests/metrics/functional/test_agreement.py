"""Alpha against its author's worked example, tau against another library, and both where they say nothing."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import InputError
from moviola.metrics.functional.agreement import kendall_tau, krippendorff_alpha

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", the example of 4 observers, 12 units, any metric and
# missing data; its results, to three digits: nominal 0.743, ordinal 0.815, interval 0.849
PUBLISHED = """
    1 2 3 3 2 1 4 1 2 . . .
    1 2 3 3 2 2 4 1 2 5 . 3
    . 3 3 3 2 3 4 2 2 5 1 .
    1 2 3 3 2 4 4 1 2 5 1 .
"""


def table(text: str) -> np.ndarray:
    """Rows of numbers, a dot for what is missing."""
    rows = [line.split() for line in text.strip().splitlines()]
    return np.array([[float(cell) if cell != "." else np.nan for cell in row] for row in rows])


@pytest.mark.parametrize(("level", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_published_example(level, value):
    """To the three digits that are published; the order of raters, and of units, is nothing to it."""
    ratings = table(PUBLISHED)
    assert krippendorff_alpha(ratings, level) == pytest.approx(value, abs=5e-4)
    mixed = ratings[::-1, np.random.default_rng(0).permutation(12)]
    assert krippendorff_alpha(mixed, level) == pytest.approx(value, abs=5e-4)


def test_ends_of_alpha():
    """1 where all agree, near 0 for chance, below 0 for raters who contradict each other."""
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 3, 400).astype(float)
    assert krippendorff_alpha(np.stack([truth] * 3), "ordinal") == pytest.approx(1)
    chance = generator.integers(0, 3, (4, 400)).astype(float)
    assert abs(krippendorff_alpha(chance, "nominal")) < 0.06
    against = np.stack([np.tile([0.0, 1.0], 20), np.tile([1.0, 0.0], 20)])
    assert krippendorff_alpha(against, "nominal") < -0.9


@pytest.mark.parametrize("text", [". . .\n1 2 1", "1 1 1\n1 1 1", "1 . .\n. 2 3"])
def test_where_alpha_says_nothing(text):
    """One rater, one value alone, or no unit with two ratings."""
    assert np.isnan(krippendorff_alpha(table(text), "ordinal"))
    with pytest.raises(InputError, match="a table of raters"):
        krippendorff_alpha(np.zeros(3))


def test_tau():
    """As SciPy's, ties included; NaN where there is no order."""
    stats = pytest.importorskip("scipy.stats")
    generator = np.random.default_rng(5)
    for _ in range(20):
        one, two = generator.integers(0, 5, (2, 7)).astype(float)
        assert kendall_tau(one, two) == pytest.approx(stats.kendalltau(one, two).statistic, abs=1e-12)
    assert kendall_tau(np.array([1.0, 2, 3]), np.array([10.0, 20, 30])) == 1
    assert np.isnan(kendall_tau(np.ones(3), np.arange(3.0)))
    with pytest.raises(InputError, match="one length"):
        kendall_tau(np.zeros(2), np.zeros(3))
