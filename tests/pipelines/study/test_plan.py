"""Who meets whom: sides balanced exactly, every meeting once, catch pairs spread, all of it by the seed alone."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.pipelines.study.plan import balance_sides, draw_meetings, draw_pairs


def shared(methods: int, clips: int) -> dict[tuple[int, int], list[str]]:
    """Every two methods share all clips."""
    names = [f"{n:03}" for n in range(clips)]
    return {(i, j): names for i in range(methods) for j in range(i + 1, methods)}


def plain(meeting) -> None:
    """No caption."""
    return None


@given(st.integers(2, 5), st.integers(1, 13), st.integers(0, 5), st.integers(0, 1000))
def test_sides_are_balanced(methods, clips, catch, seed):
    """Of n meetings of two methods each is left in n / 2, exactly where n is even; on each clip they meet once."""
    pairs = draw_pairs(shared(methods, clips), plain, catch=catch, seed=seed)
    real = [pair for pair in pairs if pair.damaged is None]
    left = Counter((pair.left, pair.right) for pair in real)
    for one, two in shared(methods, clips):
        assert left[one, two] + left[two, one] == clips
        assert abs(left[one, two] - left[two, one]) == clips % 2
    met = Counter((frozenset((pair.left, pair.right)), pair.clip) for pair in real)
    assert set(met.values()) == {1}
    caught = [pair.damaged for pair in pairs if pair.damaged is not None]
    assert len(caught) == catch and abs(caught.count("left") - caught.count("right")) == catch % 2
    assert pairs[0].damaged is None


@given(st.integers(3, 5), st.integers(1, 40), st.integers(0, 1000))
def test_odd_ones_even_out(methods, limit, seed):
    """A part of the meetings is spread evenly over the methods, and the lefts of a method over all its meetings."""
    meetings = draw_meetings(shared(methods, 9), limit, seed)
    counts = Counter((m.left, m.right) for m in meetings)
    whole = [counts[two] for two in shared(methods, 9)]
    assert max(whole) - min(whole) <= 1 and sum(whole) == min(limit, 9 * len(whole))
    turned = balance_sides(meetings, seed)
    for method in range(methods):
        lead = sum((m.left == method) - (m.right == method) for m in turned)
        assert abs(lead) <= methods - 1


def test_the_seed_decides():
    """The same seed gives the same study, others give other orders, sides and clips."""
    pairs = [draw_pairs(shared(3, 6), plain, limit=9, catch=2, seed=seed) for seed in (0, 0, 1, 2)]
    assert pairs[0] == pairs[1]
    assert len({tuple((p.clip, p.left, p.right) for p in some) for some in pairs}) == 3


def test_order_is_no_pattern():
    """Over many seeds every meeting is first about equally often, and a clip is as often left as right."""
    firsts, lefts = Counter(), 0
    for seed in range(400):
        pairs = draw_pairs(shared(2, 5), plain, catch=0, seed=seed)
        firsts[pairs[0].clip] += 1
        lefts += next(pair.left for pair in pairs if pair.clip == "002")
    assert set(firsts) == {f"{n:03}" for n in range(5)} and min(firsts.values()) > 50
    assert 150 < lefts < 250


@pytest.mark.parametrize("catch", [1, 3, 7])
def test_catches_are_spread(catch):
    """No two stand in one stretch of the study, and they show clips of every method in turn."""
    pairs = draw_pairs(shared(3, 10), plain, catch=catch, seed=5)
    places = [n for n, pair in enumerate(pairs) if pair.damaged is not None]
    assert all(pair.left == pair.right for pair in pairs if pair.damaged is not None)
    gaps = [b - a for a, b in pairwise(places)]
    assert all(gap <= 2 * 30 // catch + 2 for gap in gaps)
    methods = Counter(pair.left for pair in pairs if pair.damaged is not None)
    assert max(methods.values()) - min(methods[n] for n in range(3)) <= 1
