"""Windows hold the exact steps."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moviola.core.errors import ConfigError
from moviola.models.rerender.diffusion.windows import empty_notes, steps


@pytest.mark.parametrize(
    ("window", "n", "expected"),
    [
        ((0.0, 1.0), 4, [0, 1, 2, 3]),
        ((0.0, 0.1), 20, [0, 1]),
        ((0.0, 0.1), 15, [0, 1]),
        ((0.0, 0.1), 5, [0]),
        ((0.5, 0.8), 10, [5, 6, 7]),
        ((0.8, 1.0), 10, [8, 9]),
        ((0.3, 0.3), 10, []),
        ((1.0, 1.0), 10, []),
        ((0.95, 0.99), 10, []),
        ((0.0, 1.0), 0, []),
        (None, 10, []),
    ],
)
def test_exact_steps(window, n, expected):
    assert list(steps(window, n)) == expected


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_steps_follow_their_definition(first, second, n):
    """Step i belongs to the window when start <= i / n < end, counted without rounding."""
    low, high = sorted((first, second))
    exact = [i for i in range(n) if Fraction(low, 100) <= Fraction(i, n) < Fraction(high, 100)]
    assert list(steps((low / 100, high / 100), n)) == exact


@given(st.integers(0, 20), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_neighbours_part_the_steps(cut, n):
    before, after = steps((0.0, cut / 20), n), steps((cut / 20, 1.0), n)
    assert [*before, *after] == list(range(n))


@pytest.mark.parametrize("window", [(0.5, 0.2), (-0.1, 0.5), (0.0, 1.2)])
def test_bad_windows(window):
    with pytest.raises(ConfigError, match="start <= end"):
        steps(window, 10)


def test_only_set_and_empty_windows_are_noted():
    notes = empty_notes({"shape": (0.95, 0.99), "pixel": (0.0, 0.5), "color": None}, 10)
    assert len(notes) == 1
    assert notes[0].startswith("shape: no step") and "10 steps" in notes[0]
