"""Intervals of longer videos, against sets of frame numbers that are counted out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moviola.data.intervals import ClipStart, cut, ends_left_out, hold_out

lengths = st.lists(st.integers(1, 60), min_size=1, max_size=4)


def frames(place: ClipStart, span: int) -> set[tuple[int, int]]:
    """The frames of a clip, (video, frame)."""
    return {(place.video, place.start + k) for k in range(span)}


def test_cut():
    """Every interval that has enough frames; one clip a video without an interval."""
    assert cut([20, 4, 9], 5) == [(0, 0), (2, 0)]
    assert cut([20, 4, 9], 5, 5) == [(0, 0), (0, 5), (0, 10), (0, 15), (2, 0)]
    assert cut([20, 4, 9], 5, 7) == [(0, 0), (0, 7), (0, 14), (2, 0)]
    assert cut([20, 4, 9], 5, 4) == [(0, 0), (0, 4), (0, 8), (0, 12), (2, 0), (2, 4)]


@given(lengths, st.integers(1, 12), st.integers(1, 15))
def test_clips_lie_inside(lengths, span, interval):
    """Each start that is a multiple of the interval is a clip if, and only if, all its frames are there."""
    expected = [
        (video, start)
        for video, length in enumerate(lengths)
        for start in range(0, 60, interval)
        if set(range(start, start + span)) <= set(range(length))
    ]
    assert cut(lengths, span, interval) == expected


@given(lengths, st.integers(1, 12), st.integers(1, 15))
def test_ends_left_out(lengths, span, interval):
    """The frames that one more clip would have, had the video gone on, and that no clip has."""
    places = cut(lengths, span, interval)
    ends = ends_left_out(places, lengths, span, interval)
    for video in {place.video for place in places}:
        mine = [place for place in places if place.video == video]
        longer = cut([lengths[video] + 200], span, interval)[len(mine)]
        taken = set().union(*(frames(place, span) for place in mine))
        there = {(video, k) for k in range(longer.start, lengths[video])}
        assert ends.get(video, 0) == len(there - taken)
    assert set(ends) <= {place.video for place in places} and 0 not in ends.values()


def test_ends_behind_a_limit():
    """Where the last clips were not asked for, nothing is told of the end."""
    assert ends_left_out(cut([13, 13], 5, 5)[:3], [13, 13], 5, 5) == {0: 3}
    assert ends_left_out(cut([13, 13], 5, 5)[:1], [13, 13], 5, 5) == {}


@given(lengths, st.integers(1, 12), st.integers(1, 15), st.integers(1, 6))
def test_held_out_frames_are_never_trained_on(lengths, span, interval, every):
    """Every n-th clip is held out; what is trained on has no frame of theirs, what is in neither part has one."""
    places = cut(lengths, span, interval)
    trained, held, shared = hold_out(places, every, span)
    assert held == [place for number, place in enumerate(places, 1) if number % every == 0]
    seen = set().union(*(frames(place, span) for place in held))
    assert all(not frames(place, span) & seen for place in trained)
    neither = [place for place in places if place not in trained and place not in held]
    assert all(frames(place, span) & seen for place in neither) and len(neither) == shared
    assert trained == sorted(trained) and not (interval >= span and shared)
