"""Temporal sampling: range, order, length, step and reproducibility hold for any clip."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moviola.core.errors import ConfigError, InputError, UnknownNameError
from moviola.data.clips import POLICIES, frame_step, sample_indices, span

WINDOWS = ("random", "first", "center")
few = settings(max_examples=60, deadline=None)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@few
@given(
    n=st.integers(1, 400),
    length=st.integers(1, 64),
    policy=st.sampled_from(POLICIES),
    seed=st.integers(0, 99),
)
def test_indices_are_in_range_in_order_and_reproducible(n: int, length: int, policy: str, seed: int) -> None:
    if n < length:
        with pytest.raises(InputError, match=rf"{n} frames.*{length} frames"):
            sample_indices(n, length, policy, generator=seeded(seed))
        return
    got = sample_indices(n, length, policy, generator=seeded(seed))
    assert got.shape == (length,) and got.dtype == np.int64
    assert got.min() >= 0 and got.max() < n
    assert (np.diff(got) >= 1).all()
    np.testing.assert_array_equal(got, sample_indices(n, length, policy, generator=seeded(seed)))


@few
@given(
    n=st.integers(40, 400),
    length=st.integers(2, 8),
    stride=st.integers(1, 5),
    policy=st.sampled_from(WINDOWS),
)
def test_stride_is_exact_and_the_window_sits_where_the_policy_says(
    n: int, length: int, stride: int, policy: str
) -> None:
    got = sample_indices(n, length, policy, stride=stride, generator=seeded(n))
    assert (np.diff(got) == stride).all()
    before, after = int(got[0]), n - 1 - int(got[-1])
    if policy == "first":
        assert before == 0
    if policy == "center":
        assert 0 <= after - before <= 1


@few
@given(fps=st.sampled_from(["25", "30", "30000/1001", "15"]), target=st.sampled_from([5, 8, 12.5, 24, 60]))
def test_target_rate_keeps_the_moments_within_half_a_frame(fps: str, target: float) -> None:
    got = sample_indices(300, 20, "first", fps=fps, target_fps=target)
    wanted = np.arange(20) / target * float(Fraction(fps))
    assert np.abs(got - wanted).max() <= 0.5 + 1e-9


@few
@given(n=st.integers(2, 300), length=st.integers(2, 30))
def test_uniform_reaches_both_ends_in_nearly_equal_steps(n: int, length: int) -> None:
    if n < length:
        return
    got = sample_indices(n, length, "uniform")
    assert got[0] == 0 and got[-1] == n - 1
    assert np.ptp(np.diff(got)) <= 1
    assert np.abs(got - np.linspace(0, n - 1, length)).max() <= 0.5 + 1e-9


def test_random_reaches_every_start_and_no_other() -> None:
    generator = seeded(0)
    starts = {int(sample_indices(10, 7, "random", generator=generator)[0]) for _ in range(200)}
    assert starts == {0, 1, 2, 3}


@pytest.mark.parametrize("policy", POLICIES)
def test_short_clips_loop_or_hold_when_told_to(policy: str) -> None:
    loop = sample_indices(3, 8, policy, short="loop", generator=seeded(1))
    hold = sample_indices(3, 8, policy, short="hold", generator=seeded(1))
    assert loop.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert hold.tolist() == [0, 1, 2, 2, 2, 2, 2, 2]


def test_a_window_longer_than_the_clip_names_what_it_reaches_over() -> None:
    with pytest.raises(InputError, match="holds 20 frames, 16 frames at this step reach over 31"):
        sample_indices(20, 16, "first", stride=2)


def test_steps_and_spans() -> None:
    assert frame_step(3) == 3
    assert frame_step(1, "30000/1001", 15) == Fraction(2000, 1001)
    assert span(16, Fraction(1)) == 16 and span(16, Fraction(2)) == 31 and span(1, Fraction(9)) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"stride": 0}, "stride must be at least 1"),
        ({"target_fps": 8}, "needs the rate of the clip"),
        ({"fps": 25, "target_fps": 0}, "a frame rate is a number above 0.* 0"),
        ({"fps": "x", "target_fps": 8}, "a frame rate is a number"),
        ({"fps": float("nan"), "target_fps": 8}, "a frame rate is a number"),
        ({"policy": "uniform", "stride": 2}, "takes no stride"),
    ],
)
def test_settings_out_of_range_are_named(arguments: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        sample_indices(100, 8, **{"policy": "first", **arguments})


def test_bad_lengths_and_names() -> None:
    with pytest.raises(ConfigError, match="at least 1 frame, not 0"):
        sample_indices(10, 0)
    with pytest.raises(InputError, match="0 frames"):
        sample_indices(0, 1)
    with pytest.raises(UnknownNameError, match="did you mean center"):
        sample_indices(10, 2, "centre")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="short clips 'x'"):
        sample_indices(10, 2, short="x")  # type: ignore[arg-type]
