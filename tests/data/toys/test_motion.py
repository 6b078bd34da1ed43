"""The motions against their closed forms, and the truth against what is really drawn."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moviola.data.toys.motion import MOTIONS, PHRASES, PeriodicMotion


@given(
    name=st.sampled_from(MOTIONS),
    period=st.integers(2, 40),
    travel=st.floats(0, 30),
    phase=st.floats(0, 1),
)
@settings(max_examples=60)
def test_motion_stays_within_its_reach_and_centres_on_its_anchor(name, period, travel, phase):
    motion = PeriodicMotion(name, period, travel, phase)
    offsets, (across, along) = motion.offsets(), motion.reach()
    assert offsets.shape == (period, 2)
    assert np.abs(offsets[:, 0]).max() <= across + 1e-9
    assert np.abs(offsets[:, 1]).max() <= along + 1e-9
    np.testing.assert_allclose(offsets.mean(axis=0), 0, atol=1e-9)


def test_a_motion_begins_as_it_is_said():
    left, up = PeriodicMotion("left-right", 8, 10).offsets(), PeriodicMotion("up-down", 8, 10).offsets()
    np.testing.assert_allclose(left[[0, 2, 6]], [[0, 0], [-10, 0], [10, 0]], atol=1e-12)
    np.testing.assert_allclose(up[[0, 2, 6]], [[0, 0], [0, -10], [0, 10]], atol=1e-12)


@pytest.mark.parametrize(("name", "sign"), [("orbit-clockwise", 1), ("orbit-counter-clockwise", -1)])
def test_an_orbit_is_a_circle_in_the_right_direction(name, sign):
    at = PeriodicMotion(name, 12, 7).offsets()
    np.testing.assert_allclose(np.hypot(*at.T), 7)
    np.testing.assert_allclose(at[0], [0, -7], atol=1e-12)
    # with y down, the cross product of successive positions is positive when one turns clockwise on the screen
    cross = at[:, 0] * np.roll(at[:, 1], -1) - at[:, 1] * np.roll(at[:, 0], -1)
    np.testing.assert_allclose(cross, sign * 49 * np.sin(2 * pi / 12))


def test_only_spins_turn():
    for name in MOTIONS:
        angles = PeriodicMotion(name, 8, 5).angles()
        wanted = {"spin-clockwise": 1, "spin-counter-clockwise": -1}.get(name, 0) * 2 * pi * np.arange(8) / 8
        np.testing.assert_allclose(angles, wanted)
    assert PeriodicMotion("spin-clockwise", 8, 5).reach() == (0, 0)


def test_every_motion_has_words_of_its_own():
    assert set(PHRASES) == set(MOTIONS)
    assert len(set(PHRASES.values())) == len(MOTIONS)
