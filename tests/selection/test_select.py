"""Key frames from a curve of changes: known answers, and what holds for every curve."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import ConfigError, InputError
from moviola.selection.select import algorithm_1, explicit, uniform, with_budget


def pseudo_code(change, interval, alpha, beta):
    """Algorithm 1 of the source document, line by line, in exact arithmetic on whole numbers."""
    steps = change[1:]
    t = beta * interval * sum(steps) / len(steps)
    total, last, keys = 0, 0, [0]
    for i in range(1, len(change)):
        total += change[i]
        if total > t or i - last >= alpha * interval:
            keys.append(i)
            total, last = 0, i
    return keys


@given(
    st.lists(st.integers(0, 16), min_size=2, max_size=80),
    st.integers(2, 12),
    st.sampled_from([1, 1.25, 1.5, 3]),
    st.sampled_from([0.5, 1, 2]),
)
def test_algorithm_1_is_the_pseudo_code(change, interval, alpha, beta):
    """Same keys as the published lines (the mean made exact by a curve that sums to a multiple of its length)."""
    change[-1] += -sum(change[1:]) % (len(change) - 1)
    assert algorithm_1(change, interval, alpha=alpha, beta=beta) == pseudo_code(change, interval, alpha, beta)


def test_a_still_clip_gets_keys_by_distance_alone():
    """Nothing changes: a key every alpha * interval frames."""
    assert algorithm_1(np.zeros(50), 10, alpha=1.2) == [0, 12, 24, 36, 48]


@pytest.mark.parametrize("value", [1.0, 0.1, 1 / 3, 1e-7])
def test_a_constant_curve_gives_constant_gaps_whatever_the_rounding(value):
    """The sum must exceed interval means, so it does one frame later."""
    assert algorithm_1([value] * 40, 10) == [0, 11, 22, 33]


def test_a_burst_draws_keys():
    """Ten frames that change a hundred times as much get a key every other frame, the still ones one in twenty."""
    change = np.full(100, 0.1)
    change[45:55] = 10.0
    keys = algorithm_1(change, 10, alpha=2)
    assert keys == [0, 20, 40, 46, 48, 50, 52, 54, 74, 94]


@given(
    st.lists(st.integers(0, 16), min_size=1, max_size=40), st.floats(1, 9), st.floats(0.1, 9), st.booleans()
)
def test_an_interval_of_one_leaves_no_frame_out(change, alpha, beta, force_last):
    """Between frames that follow each other there is none, whatever changes."""
    keys = algorithm_1(change, 1, alpha=alpha, beta=beta, force_last=force_last)
    assert keys == list(range(len(change)))


@pytest.mark.parametrize("interval", [19, 20, 21, 500])
def test_an_interval_as_long_as_the_clip(interval):
    """Steps that are alike never sum to more than the interval's share: the first frame is the only key."""
    assert algorithm_1(np.ones(20), interval) == [0]
    assert algorithm_1(np.ones(20), interval, alpha=math.inf) == [0]
    assert algorithm_1(np.ones(20), interval, force_last=True) == [0, 19]
    assert uniform(20, interval) == ([0] if interval >= 20 else [0, 19])


def test_the_longest_gap_is_rounded_up():
    """alpha * interval of 11.000000000000002 is 11."""
    assert algorithm_1(np.zeros(30), 10, alpha=1.1) == [0, 11, 22]
    assert algorithm_1(np.zeros(30), 10, alpha=1.15) == [0, 12, 24]


def test_the_step_over_a_cut_is_a_key_and_no_motion():
    """It stays out of the mean, so that the gaps beside it are those of a clip without it."""
    change = np.ones(40)
    change[17] = 1000.0
    assert algorithm_1(change, 10, cuts=[17]) == [0, 11, 17, 28, 39]
    assert algorithm_1(change, 10)[:2] == [0, 12]  # without: the mean is far too large


def test_force_last_and_min_gap():
    """The last frame; no key sooner than asked."""
    assert algorithm_1(np.zeros(50), 10, force_last=True)[-2:] == [48, 49]
    change = np.zeros(30)
    change[[5, 6, 7]] = 10
    assert algorithm_1(change, 3, min_gap=1, alpha=9) == [0, 5, 6, 7]
    assert algorithm_1(change, 3, min_gap=2, alpha=9) == [0, 5, 7]


curves = st.lists(st.one_of(st.just(0.0), st.floats(0, 9), st.just(1.0)), min_size=1, max_size=60)


@given(curves, st.integers(1, 12), st.floats(1, 3), st.integers(1, 12), st.booleans(), st.data())
def test_algorithm_1_keeps_its_promises(change, interval, alpha, min_gap, force_last, data):
    """0 and every cut in; ascending; gaps within bounds."""
    n = len(change)
    cuts = data.draw(st.sets(st.integers(0, n - 1), max_size=3))
    min_gap = min(min_gap, interval)
    keys = algorithm_1(change, interval, alpha=alpha, min_gap=min_gap, force_last=force_last, cuts=cuts)
    assert keys[0] == 0 and cuts <= set(keys) and keys[-1] < n
    assert not force_last or keys[-1] == n - 1
    gaps = np.diff([*keys, n])
    assert gaps.min() >= 1 and gaps.max() <= math.ceil(alpha * interval)
    free = {*cuts, n, *([n - 1] if force_last else [])}
    assert all(b - a >= min_gap or b in free for a, b in zip(keys, [*keys[1:], n], strict=True))


@given(curves, st.integers(1, 5), st.booleans(), st.data())
def test_a_budget_is_met_exactly(change, min_gap, force_last, data):
    """Any number of keys that gaps, cuts and the last frame allow, and nothing else."""
    n = len(change)
    cuts = data.draw(st.sets(st.integers(1, n - 1), max_size=3)) if n > 1 else set()
    count = data.draw(st.integers(1, n))
    try:
        keys = with_budget(change, count, min_gap=min_gap, force_last=force_last, cuts=cuts)
    except ConfigError as error:
        forced = {0, *cuts, *([n - 1] if force_last else [])}
        assert count < len(forced) or min_gap > 1, error
        return
    assert len(keys) == count and keys == sorted(set(keys)) and keys[0] == 0 and cuts <= set(keys)
    assert not force_last or keys[-1] == n - 1
    free = {*cuts, *([n - 1] if force_last else [])}
    assert all(b - a >= min_gap or b in free for a, b in pairwise(keys))


@given(st.integers(2, 60), st.data())
def test_equal_steps_share_a_budget_evenly(n, data):
    """A constant curve: gaps differ by one at most, and what is left behind the last key is no longer."""
    count = data.draw(st.integers(2, n))
    keys = with_budget(np.ones(n), count, max_gap=n)
    gaps = np.diff(keys)
    assert len(keys) == count and gaps.max() - gaps.min() <= 1 and n - keys[-1] <= gaps.max()


def test_half_a_gap_is_left_behind_the_last_key():
    """Its frames have a key on one side only, so they are twice as far from one."""
    assert with_budget(np.ones(950), 10) == list(range(0, 950, 100))


def test_a_budget_goes_where_the_change_is():
    """Equal change between keys: half of the change in a tenth of the frames draws half of the keys."""
    change = np.r_[np.full(90, 1.0), np.full(10, 9.0)]
    keys = with_budget(change, 20, max_gap=100, power=1)
    assert abs(sum(key >= 89 for key in keys) - 10) <= 1
    # to the power 1/2: 30 of 120
    keys = with_budget(change, 20, max_gap=100)
    assert abs(sum(key >= 89 for key in keys) - 5) <= 1


def test_a_budget_with_a_longest_gap():
    """No gap above it; too few keys for it are refused."""
    change = np.zeros(100)
    change[90:] = 1
    assert np.diff([*with_budget(change, 12, max_gap=15), 100]).max() <= 15
    with pytest.raises(ConfigError, match=r"3 keys are asked for; .* allow 7 to 100 of 100 frames"):
        with_budget(change, 3, max_gap=15)


def test_a_long_curve_is_no_matter():
    """15,000 frames with many equal steps: exactly K."""
    change = np.tile([0.0, 0.0, 1.0, 1.0, 1.0], 3000)
    assert len(with_budget(change, 7001)) == 7001


@given(st.integers(1, 80), st.data())
def test_uniform_by_count_is_as_even_as_whole_frames_allow(n, data):
    """Exactly so many, and gaps that differ by one at most, the tail included."""
    count = data.draw(st.integers(1, n))
    keys = uniform(n, count=count)
    gaps = np.diff([*keys, n])
    assert len(keys) == count and keys[0] == 0 and gaps.max() - gaps.min() <= 1


def test_uniform():
    """By interval and by count, with the last frame and without."""
    assert uniform(25, 10) == [0, 10, 20]
    assert uniform(25, 10, force_last=True) == [0, 10, 20, 24]
    assert uniform(21, 10, force_last=True) == [0, 10, 20]
    assert uniform(25, count=3, force_last=True) == [0, 12, 24]
    assert uniform(1, count=1, force_last=True) == [0]


def test_explicit():
    """Sorted, once each, 0 added, the end counted from behind."""
    assert explicit([20, 10, 10, -1], 30) == [0, 10, 20, 29]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: algorithm_1([0, 1], 10, alpha=0.9), "alpha is 0.9; it must be at least 1"),
        (lambda: algorithm_1([0, 1], 0), "the interval is 0; it must be at least 1 frame"),
        (lambda: algorithm_1([0, 1], float("nan")), "the interval is nan"),
        (lambda: algorithm_1([0, 1], 10, beta=0), "beta is 0; it must be above 0"),
        (lambda: algorithm_1([0, 1], 10, min_gap=13), "min_gap is 13; it must be 1 to 12"),
        (lambda: algorithm_1([0, 1], 1, alpha=3, min_gap=2), "min_gap is 2; it must be 1 to 1"),
        (lambda: algorithm_1([0, 1], 10, cuts=[2]), "a cut at frame 2 is not in the video; it has 2 frames"),
        (lambda: algorithm_1([0, 1], 10, cuts=[-1]), "a cut at frame -1"),
        (lambda: with_budget([0, 1], 3), "3 key frames are asked for; the video has 2 frames"),
        (lambda: with_budget([0, 1], 0), "0 key frames are asked for"),
        (lambda: with_budget(np.ones(9), 1, cuts=[4]), "allow 2 to 9 of 9 frames"),
        (lambda: with_budget(np.ones(9), 2, max_gap=1, min_gap=2), "max_gap is 1; it must be at least 2"),
        (lambda: with_budget(np.ones(9), 2, min_gap=0), "min_gap is 0"),
        (lambda: with_budget([0, 1], 1, power=0), "power is 0; it must be above 0"),
        (lambda: uniform(9, 0), "the interval is 0"),
        (lambda: uniform(9), "give either an interval or a count"),
        (lambda: uniform(9, 3, count=3), "give either an interval or a count"),
        (lambda: uniform(9, count=10), "10 key frames are asked for"),
        (lambda: uniform(9, count=1, force_last=True), "the first and the last frame are 2 keys"),
        (lambda: explicit([9], 9), "key frame 9 is not in the video; it has 9 frames, 0 to 8"),
        (lambda: explicit([], 9), "no key frame is named"),
    ],
)
def test_settings_out_of_range(call, says):
    """One line that says what would be right."""
    with pytest.raises(ConfigError, match=says.replace(".", r"\.")) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("curve", [[], [[0.0]], [0, -1.0], [0, np.nan]])
def test_no_curve(curve):
    """Empty, of another shape, negative, not a number."""
    with pytest.raises(InputError):
        algorithm_1(curve, 10)
