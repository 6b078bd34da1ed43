"""Cuts are found; bursts of motion, flashes and fades of light are none."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import ConfigError, InputError
from moviola.data import codec
from moviola.selection.shots import NEAR, CutFinder, cuts, relit, shots


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


def test_a_flat_wall_that_brightens_is_no_cut():
    """One level a frame, through every level there is; up and down, and in one colour."""
    for color in ((1, 1, 1), (-1, -1, -1), (1, 0, 0)):
        frames = [np.full((48, 64, 3), 128, np.int64) + np.multiply(color, t - 60) for t in range(120)]
        assert cuts([frame.astype(np.uint8) for frame in frames]) == []


def face(height: int = 96, width: int = 128) -> np.ndarray:
    """A soft oval before a soft wall, in levels of 20 to 215, float64 (H, W, 3)."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    oval = np.exp(-3 * (2 * x**2 + y**2) ** 2)[..., None]
    return (
        40 + 20 * x[..., None] + oval * np.array([150.0, 110.0, 90.0]) + 15 * np.sin(9 * y)[..., None] * oval
    )


@pytest.mark.parametrize("length", [6, 12, 25, 50])
@pytest.mark.parametrize("end", [0, 255])
def test_a_face_that_fades_is_no_cut(length, end):
    """To black and to white, and back, in any number of frames."""
    fade = [(face() + (end - face()) * i / length).round().astype(np.uint8) for i in range(length + 1)]
    assert cuts(fade) == [] == cuts(fade[::-1])


@pytest.mark.parametrize("gain", [0.5, 0.6, 0.75, 1.15])
def test_light_that_is_switched_is_no_cut(gain):
    """From one frame to the next, over a moving view; a cut in that very frame is one."""
    frames = pan(1, list(range(0, 32, 2)))
    dim = [np.rint(frame * 0.85).astype(np.uint8) for frame in frames]
    lit = [np.rint(frame * gain).clip(0, 255).astype(np.uint8) for frame in dim]
    assert cuts([*dim[:8], *lit[8:]]) == []
    other = [np.rint(frame * gain * 0.85).astype(np.uint8) for frame in pan(2, list(range(0, 32, 2)))]
    assert cuts([*dim[:8], *other[8:]]) == [8]


def test_a_cut_is_known_as_soon_as_it_can_be():
    """Two frames after it, and it stays one."""
    finder, found = CutFinder(), []
    for t, frame in enumerate([*pan(1, [0] * 6), *pan(2, [0] * 6)]):
        finder.see(frame)
        found.append([at for at in range(t + 1) if at + NEAR <= t and finder.is_cut(at)])
    assert found == [[]] * 8 + [[6]] * 4 and finder.cuts() == [6]


def test_relit_undoes_a_gain_and_an_offset():
    """As long as nothing is cut off; larger ones it leaves."""
    frame = scene(1).astype(np.float64)
    dark = frame * np.array([0.5, 0.75, 0.6]) + np.array([20.0, 10.0, 60.0])
    np.testing.assert_allclose(relit(frame, dark), dark)
    assert relit(frame, frame * 0.1).std() > 3 * (frame * 0.1).std()


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


def test_real_clips_in_other_light(shared):
    """Half and three quarters of the light, and a third more, from one frame to the next: no cut; the cut stays one."""
    for name in ("dog.mp4", "woman-running.mp4", "person-portrait-540x960-25fps.mp4"):
        clip = codec.read(shared / "media/video" / name, start=0, stop=16, size=(96, 128)).frames
        for gain in (0.5, 0.75, 1.3):
            lit = np.rint(clip[8:] * gain).clip(0, 255).astype(np.uint8)
            assert cuts([*clip[:8], *lit]) == []
    nasa = codec.read(shared / "media/video/nasa-13013.mp4", start=190, stop=214, size=(96, 128)).frames
    assert cuts([*nasa[:12], *np.rint(nasa[12:] * 0.75).astype(np.uint8)]) == [12]


def test_real_clips_joined(shared):
    """Fast sport, a runner, and a clip with a cut of its own: exactly the joints and that cut."""
    clips = [
        codec.read(shared / "media/video" / name, start=start, stop=start + 24, size=(96, 128)).frames
        for name, start in (("boxer-fast-motion.mp4", 4), ("woman-running.mp4", 0), ("nasa-13013.mp4", 190))
    ]
    assert cuts(frame for clip in clips for frame in clip) == [24, 48, 48 + 12]
