"""Videos of variable rate: every operation against the frame that a viewer would see at each moment."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moviola.core.errors import ConfigError, InputError
from moviola.core.times import Clock
from moviola.core.video import Audio, Video
from moviola.data.clips import sample_indices

TICK = Fraction(1, 100)


def lasting(ticks: list[int], sound: bool = False, start: int = 0) -> Video:
    """Frame i is filled with start + i and lasts ticks[i] hundredths of a second; sample k of the sound: k / 10000."""
    ends = np.cumsum([0, *ticks])
    frames = np.arange(start, start + len(ticks), dtype=np.uint8)[:, None, None, None] * np.ones(
        (4, 6, 3), np.uint8
    )
    samples = (np.arange(int(ends[-1]) * 10, dtype=np.float32) / 10000)[:, None]
    audio = Audio(samples, 1000) if sound else None
    return Video(frames, len(ticks) / (int(ends[-1]) * TICK), audio, [int(t) * TICK for t in ends[:-1]])


def seen(video: Video, ticks: int) -> list[int]:
    """What is shown in the middle of each hundredth of a second."""
    times = [video.clock.at(i) for i in range(len(video) + 1)]
    assert times[-1] == ticks * TICK
    moments = [(k + Fraction(1, 2)) * TICK for k in range(ticks)]
    return [int(video.frames[max(i for i in range(len(video)) if times[i] <= t), 0, 0, 0]) for t in moments]


def expected(ticks: list[int], start: int = 0) -> list[int]:
    return [start + i for i, count in enumerate(ticks) for _ in range(count)]


LASTING = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@given(LASTING)
def test_a_video_lasts_as_long_as_its_frames(ticks):
    video = lasting(ticks)
    assert video.duration == pytest.approx(sum(ticks) / 100)
    assert seen(video, sum(ticks)) == expected(ticks)


@given(LASTING, st.integers(0, 8), st.integers(0, 8))
def test_a_slice_keeps_times_and_sound(ticks, start, stop):
    video = lasting(ticks, sound=True)
    if not range(len(ticks))[start:stop]:
        return
    part = video[start:stop]
    assert seen(part, sum(ticks[start:stop])) == expected(ticks)[sum(ticks[:start]) : sum(ticks[:stop])]
    assert part.audio is not None
    first = 10 * sum(ticks[:start])
    wanted = np.arange(first, first + 10 * sum(ticks[start:stop])) / 10000
    np.testing.assert_allclose(part.audio.samples[:, 0], wanted, atol=1e-6)


@given(LASTING)
def test_backwards_is_the_mirror_image(ticks):
    video = lasting(ticks, sound=True)[::-1]
    assert seen(video, sum(ticks)) == expected(ticks)[::-1]
    assert video.audio is None


def test_a_step_shows_each_frame_until_the_next():
    part = lasting([3, 1, 4, 2, 5])[::2]
    assert seen(part, 15) == [0] * 4 + [2] * 6 + [4] * 5


@given(LASTING, LASTING)
def test_joined_videos_keep_their_times(one, two):
    joined = Video.concat([lasting(one, sound=True), lasting(two, start=50)])
    assert seen(joined, sum(one) + sum(two)) == expected(one) + expected(two, 50)
    assert joined.audio is not None
    assert len(joined.audio.samples) == 10 * (sum(one) + sum(two))


def test_joined_with_a_constant_rate():
    plain = Video(lasting([1, 1, 1], start=50).frames, 50)
    assert seen(Video.concat([lasting([3, 1]), plain]), 10) == [0, 0, 0, 1, 50, 50, 51, 51, 52, 52]
    assert seen(lasting([3, 1]).loop(2), 8) == [0, 0, 0, 1] * 2


def test_pieces_joined_are_the_whole():
    whole = lasting([3, 1, 4, 1, 5, 9, 2, 6])
    again = Video.concat([whole[:3], whole[3:4], whole[4:]])
    assert (again.times, again.fps) == (whole.times, whole.fps)


def test_side_by_side_changes_when_one_of_them_changes():
    both = Video.side_by_side([lasting([4, 4]), lasting([2, 7], start=50)], gap=0)
    assert seen(both, 9) == [0] * 4 + [1] * 5
    right = both.with_frames(both.frames[:, :, 6:])
    assert seen(right, 9) == [50] * 2 + [51] * 7


@given(LASTING, st.integers(1, 200))
def test_resampling_takes_what_is_shown(ticks, fps):
    video = lasting(ticks, sound=True).resample(fps)
    assert video.times is None and video.fps == fps
    assert len(video) == -(-sum(ticks) * fps // 100)
    shown = expected(ticks)
    assert video.frames[:, 0, 0, 0].tolist() == [shown[100 * k // fps] for k in range(len(video))]
    assert video.audio is not None
    assert abs(video.audio.duration - video.duration) <= 1 / 1000


def test_resampling_a_constant_rate():
    video = Video(np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((2, 2, 3), np.uint8), 10)
    assert video.resample(20).frames[:, 0, 0, 0].tolist() == [i // 2 for i in range(20)]
    assert video.resample(5).frames[:, 0, 0, 0].tolist() == [0, 2, 4, 6, 8]


def test_another_rate_drops_the_times():
    assert lasting([3, 1]).with_fps(25).times is None


def test_a_mean_rate_that_ends_too_early_is_that_of_the_times():
    video = Video(np.zeros((3, 2, 2, 3), np.uint8), 25, None, [0, 1, 3])
    assert video.fps == Fraction(2, 3)
    assert video.duration == 4.5


@pytest.mark.parametrize(
    "times", [[0, 1], [0, 1, 1], [0, 2, 1], [1, 2, 3], ["a", 1, 2], [0, 1, float("nan")]]
)
def test_times_that_are_none(times):
    with pytest.raises(InputError, match="time"):
        Video(np.zeros((3, 2, 2, 3), np.uint8), 25, None, times)


def test_oblong_pixels_keep_the_shape_of_the_picture():
    video = Video(np.zeros((2, 96, 160, 3), np.uint8), 25, pixel_aspect="64/45")
    shape = video.width * video.pixel_aspect / video.height
    for other in (video.resize(48, 80), video.resize(64, 64), video.crop(0, 0, 48, 80), video.scale(2)):
        assert other.width * other.pixel_aspect / other.height == shape
    square = video.square_pixels()
    assert (square.height, square.width, square.pixel_aspect) == (96, 228, 1)
    assert "64/45" in repr(video)
    assert Video(video.frames, 25).resize(64, 64).pixel_aspect == 1
    with pytest.raises(ConfigError, match="pixel aspect"):
        Video(video.frames, 25, pixel_aspect=0)
    with pytest.raises(InputError, match="pixel aspect"):
        Video.concat([video, Video(video.frames, 25)])


@example(3, 2, 10, "first", "loop")
@given(
    st.integers(1, 30), st.integers(1, 6), st.sampled_from([5, 10, 24, 30, 60]),
    st.sampled_from(["first", "center"]), st.sampled_from(["loop", "hold"]),
)  # fmt: skip
def test_sampling_by_time_at_a_constant_rate_is_sampling_by_number(count, length, target, policy, short):
    times = Clock(count, Fraction(25)).stamps
    by_number = sample_indices(count, length, policy, 1, 25, target, short=short)
    by_time = sample_indices(count, length, policy, 1, 25, target, short=short, times=times)
    # a loop by number begins again at a whole frame, one by time when the last frame has been shown to its end
    reaches = floor((length - 1) * Fraction(25, target) + Fraction(1, 2))
    if short == "hold" or reaches < count:
        assert by_time.tolist() == by_number.tolist()


def test_sampling_follows_the_times():
    clock = lasting([200, 10, 10, 10, 150]).clock
    taken = sample_indices(5, 38, "first", 1, clock.fps, 10, times=clock.times)
    # frame 1 begins at 2.0 s, 2 at 2.1, 3 at 2.2, 4 at 2.3
    assert taken.tolist() == [0] * 20 + [1, 2, 3] + [4] * 15
    with pytest.raises(InputError, match=r"lasts 3\.8 s"):
        sample_indices(5, 40, "first", 1, clock.fps, 10, times=clock.times)
    held = sample_indices(5, 45, "first", 1, clock.fps, 10, times=clock.times, short="hold")
    assert held.tolist() == [0] * 20 + [1, 2, 3] + [4] * 22
    looped = sample_indices(5, 45, "first", 1, clock.fps, 10, times=clock.times, short="loop")
    assert looped.tolist() == [0] * 20 + [1, 2, 3] + [4] * 15 + [0] * 7
