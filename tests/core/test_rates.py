"""Frame rates as exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import ConfigError
from moviola.core.rates import as_rate


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (25, Fraction(25)),
        (25.0, Fraction(25)),
        (np.int64(30), Fraction(30)),
        (np.float32(12.5), Fraction(25, 2)),
        ("24000/1001", Fraction(24000, 1001)),
        (23.976, Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (0.5, Fraction(1, 2)),
        (Fraction(17, 3), Fraction(17, 3)),
    ],
)
def test_what_people_write(given, wanted):
    assert as_rate(given) == wanted


@given(st.fractions(min_value=Fraction(1, 1000), max_value=1000, max_denominator=10**6))
def test_fractions_stay_exact(rate):
    assert as_rate(rate) == rate
    assert as_rate(f"{rate.numerator}/{rate.denominator}") == rate


@pytest.mark.parametrize(
    "bad",
    [
        0,
        -1,
        1_000_001,
        float("nan"),
        float("inf"),
        "fast",
        "1/0",
        Fraction(2**33, 2**32 + 1),
        "",
        None,
        True,
        [25],
    ],
)
def test_no_rate(bad):
    with pytest.raises(ConfigError, match="frame rate"):
        as_rate(bad)
