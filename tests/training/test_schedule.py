"""Schedules against their closed forms."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import ConfigError
from moviola.training.schedule import Schedule

KINDS = st.sampled_from(["constant", "linear", "cosine"])


@given(kind=KINDS, warmup=st.integers(0, 50), floor=st.floats(0, 1), steps=st.integers(1, 200))
def test_shape(kind, warmup, floor, steps):
    """A straight rise to 1, then the shape down to the floor, which is met at the last step."""
    schedule = Schedule(kind=kind, warmup=warmup, floor=floor)
    factors = [schedule.factor(s, steps) for s in range(steps)]
    for s, factor in enumerate(factors):
        if s < warmup:
            expected = (s + 1) / warmup
        else:
            t = (s - warmup) / max(1, steps - warmup)
            drop = {"constant": 0, "linear": t, "cosine": math.sin(math.pi * t / 2) ** 2}[kind]
            expected = 1 - (1 - floor) * drop
        assert factor == pytest.approx(expected, abs=1e-12)
    falling = factors[warmup:]
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(falling))
    if kind != "constant" and steps > warmup:
        assert schedule.factor(steps, steps) == pytest.approx(floor)


def test_cosine_half_way():
    """Half way down at half time."""
    assert Schedule(kind="cosine").factor(50, 100) == pytest.approx(0.5)
    assert Schedule(kind="cosine", warmup=20, floor=0.2).factor(60, 100) == pytest.approx(0.6)


@given(every=st.integers(1, 40), warmup=st.integers(0, 30))
def test_halving_is_exact(every, warmup):
    """After k times `every` steps the factor is 2^-k, to the bit; a warmup takes its part of the first ones."""
    schedule = Schedule(kind="halving", every=every, warmup=warmup)
    factor = 1.0
    for step in range(4 * every):
        if step and step % every == 0:
            factor /= 2
        if step >= warmup:
            assert schedule.factor(step, 4 * every) == factor


def test_ranges():
    """A floor above 1 or an unknown kind is refused."""
    for bad in ({"floor": 2}, {"kind": "step"}, {"warmup": -1}, {"every": 0}):
        with pytest.raises(ConfigError):
            Schedule.make(bad)
