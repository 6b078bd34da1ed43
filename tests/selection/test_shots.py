"""Cuts are found; bursts of motion, flashes and fades of light are none."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import ConfigError, InputError
from moviola.data import codec
from moviola.selection.shots import CutFinder, cuts, shots


def scene(seed: int, height: int = 96, width: int = 480) -> np.ndarray:
    """A wide picture of large coloured blocks, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (height // 24, width // 24, 3), np.uint8)
    return blocks.repeat(24, axis=0).repeat(24, axis=1)


def pan(seed: int, starts: list[int], width: int = 128) -> list[np.ndarray]:
    """Views of a scene from those columns."""
    picture = scene(seed)
    return [picture[:, x : x + width] for x in starts]


def test_cuts_between_scenes():
    """Three scenes with a moving camera: the first frames of the second and the third."""
    frames = [*pan(1, [0, 2, 4, 6, 8]), *pan(2, [9, 8, 7, 6]), *pan(3, [0, 9, 18, 27, 36, 45])]
    assert cuts(frames) == [5, 9]


@pytest.mark.parametrize(("length", "speed"), [(1, 12), (2, 12), (2, 30), (3, 30), (5, 30), (3, 60), (4, 60)])
def test_a_burst_of_motion_is_no_cut(length, speed):
    """Still, then a tenth to half the width of the view per frame, then still."""
    moving = [speed * (i + 1) for i in range(length)]
    frames = pan(1, [0] * 8 + moving + [moving[-1]] * 8)
    assert cuts(frames) == []


def test_a_flash_is_no_cut():
    """One white frame, and one of another scene."""
    still = pan(1, [0] * 13)
    for flash in (np.full_like(still[0], 255), pan(2, [0])[0]):
        frames = list(still)
        frames[6] = flash
        assert cuts(frames) == []


def test_slow_light_is_no_cut():
    """A fade to dark over forty frames."""
    picture = pan(1, [0])[0]
    assert cuts([(picture * (1 - i / 44)).astype(np.uint8) for i in range(40)]) == []


def test_a_cut_near_the_ends():
    """After the first frame, and before the last."""
    a, b, c = (pan(seed, [0])[0] for seed in (1, 2, 3))
    assert cuts([a, b, b, b, b, b, c]) == [1, 6]


def test_few_frames():
    """One frame, none, and the finder used piece by piece."""
    assert cuts(pan(1, [0])) == [] == cuts([])
    finder = CutFinder()
    for frame in (*pan(1, [0] * 4), *pan(2, [0] * 4)):
        finder.see(frame)
    assert finder.cuts() == [4]


def test_from_a_curve():
    """What stands out above the threshold; a plateau does not."""
    curve = np.array([0, 0.1, 0.1, 0.9, 0.1, 0.1, 0.8, 0.8, 0.1, 0.1, 0.4])
    assert cuts(curve, threshold=0.3) == [3, 10]
    assert cuts(curve, threshold=0.5) == [3]


def test_shots():
    """Spans from cut to cut."""
    assert shots(10, [7, 4]) == [(0, 4), (4, 7), (7, 10)]
    assert shots(3, []) == [(0, 3)]


def test_bad_input():
    """A threshold out of range; frames of two sizes."""
    with pytest.raises(ConfigError, match="threshold of cuts is 0"):
        cuts([], threshold=0)
    with pytest.raises(InputError, match="frame 1 is 5x4"):
        cuts([np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)])


def test_real_clips_joined(shared):
    """Fast sport, a runner, and a clip with a cut of its own: exactly the joints and that cut."""
    clips = [
        codec.read(shared / "media/video" / name, start=start, stop=start + 24, size=(96, 128)).frames
        for name, start in (("boxer-fast-motion.mp4", 4), ("woman-running.mp4", 0), ("nasa-13013.mp4", 190))
    ]
    assert cuts(frame for clip in clips for frame in clip) == [24, 48, 48 + 12]
