"""A frame's own paint where no key shows what the frame shows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from moviola.propagation.flow import warp
from moviola.propagation.own import Own, fill, follow_light, hurry, missing
from moviola.propagation.propagate import PropagationConfig, propagate

WARP = PropagationConfig(method="warp")


def invert(frame: np.ndarray) -> np.ndarray:
    """A painter whose paint is known in every frame."""
    return 255 - frame


def still(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """No motion anywhere."""
    return np.zeros((*first.shape[:2], 2), np.float32)


@pytest.fixture
def flashed() -> np.ndarray:
    """Five frames of a soft ground; a bright square is in the third alone."""
    rng = np.random.default_rng(0)
    ground = cv2.GaussianBlur(rng.uniform(40, 120, (64, 96, 3)), (0, 0), 3).astype(np.uint8)
    frames = np.stack([ground] * 5)
    frames[2, 20:44, 30:60] = (240, 200, 60)
    return frames


@pytest.mark.parametrize("last", [True, False])
def test_what_no_key_shows_is_painted_from_the_frame(flashed: np.ndarray, last: bool) -> None:
    """Between two keys and behind the last one; without a painter of single frames it stays unseen."""
    painted_b = invert(flashed[-1]) if last else None
    without = list(propagate(flashed, invert(flashed[0]), painted_b, WARP, flow=still))
    filled = list(propagate(flashed, invert(flashed[0]), painted_b, WARP, flow=still, own=invert))
    assert np.abs(without[2][22:42, 32:58].astype(int) - invert(flashed[0])[22:42, 32:58]).max() <= 2
    np.testing.assert_array_equal(filled[2][26:38, 36:54], invert(flashed[2])[26:38, 36:54])
    np.testing.assert_array_equal(filled[2][:, 75:], without[2][:, 75:])
    for i in (0, 1, 3, 4):
        np.testing.assert_array_equal(filled[i], without[i])


def test_where_all_is_seen_no_frame_is_painted(flashed: np.ndarray) -> None:
    """The painter is not called."""

    def never(frame: np.ndarray) -> np.ndarray:
        raise AssertionError("painted")

    frames = flashed[[0, 1, 3, 4]]
    made = list(propagate(frames, invert(frames[0]), invert(frames[-1]), WARP, flow=still, own=never))
    assert len(made) == 4


def test_missing_is_the_square_of_a_step_and_blind_to_fine_detail() -> None:
    """20 levels brighter is 400; stripes one pixel beside their place, differences of 200, are next to nothing."""
    flat = np.full((80, 120, 3), 100, np.uint8)
    np.testing.assert_allclose(missing(flat + 20, flat), 400, rtol=1e-6)
    stripes = np.zeros_like(flat)
    stripes[:, ::2] = 200
    side = (
        5  # of the square, at 80 px: every row of it has three of one kind and two of the other, 200 / 5 left
    )
    found = missing(stripes, np.roll(stripes, 1, 1))
    np.testing.assert_allclose(found[:, 3:-3], (200 / side) ** 2, rtol=1e-4)


@pytest.mark.parametrize("there", [True, False])
def test_a_thin_thing_is_missing_at_its_own_size(there: bool) -> None:
    """A line of 3 px, half brighter and half darker than the ground, which a signed average cancels; also one gone."""
    ground = np.full((240, 320, 3), 120, np.uint8)
    limb = ground.copy()
    limb[100:101, 40:280], limb[102:103, 40:280] = 220, 20
    found = missing(limb, ground) if there else missing(ground, limb)
    assert found[100:103, 50:270].min() > 1200 and found[:90].max() == 0
    assert missing(np.roll(limb, 1, 0), limb)[98:105, 50:270].max() < found[101, 150] / 2


def test_the_share_of_own_paint() -> None:
    """0 at half of the limit, a half at the limit, all at one and a half of it."""
    frame = np.full((9, 9, 3), 55, np.uint8)
    painted, detail = np.zeros((9, 9, 3), np.float32), np.full((9, 9), 8, np.float32)
    for missed, wanted in ((100, 0), (200, 100), (300, 200), (5000, 200)):
        found, sharp = fill(painted, detail, Own(frame, invert), np.full((9, 9), float(missed)), 200.0)
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
        np.testing.assert_allclose(sharp, 8 * (1 - wanted / 200), atol=1e-4)


def test_fast_is_what_moves_beside_the_scene() -> None:
    """A camera that pans, zooms and turns is not fast; a square that moves by 1/30 of the picture is."""
    y, x = np.mgrid[:240, :320].astype(np.float32)
    camera = np.stack([6 + 0.02 * x - 0.01 * y, -3 + 0.01 * x + 0.02 * y], -1)
    assert hurry(camera).max() == 0
    moved = camera.copy()
    moved[100:150, 200:260, 0] += 24
    found = hurry(moved)
    assert found[100:150, 200:260].min() == 1 and found[:95].max() == 0 and found[:, :190].max() == 0


def test_the_tone_follows_the_light() -> None:
    """In full where it has changed by 3 levels, not at all at 1; the detail of the paint stays."""
    frame = np.full((48, 64, 3), 100, np.uint8)
    own = Own(frame, invert)
    painted = np.full((48, 64, 3), 105, np.float32)
    painted[:, ::2] += 10
    for light, tone in ((1.0, 110), (2.0, 132.5), (3.0, 155)):
        found = follow_light(painted, own, light)
        assert abs(found.mean() - tone) < 0.1
        np.testing.assert_allclose(found[:, 31] - found[:, 30], -10, atol=0.2)


@pytest.mark.parametrize("method", ["warp", "patch"])
def test_a_thin_fast_limb_is_in_every_frame(method: str) -> None:
    """A stick of 4 px swings over textured ground, 12 px a frame; it is where it is in the plain frames.

    Elsewhere at most an eighth of it is left, in levels: it differs from the ground by 130 to 140.
    """
    rng = np.random.default_rng(0)
    ground = cv2.GaussianBlur(rng.uniform(60, 130, (96, 160, 3)), (0, 0), 2).astype(np.uint8)
    frames = np.stack([ground] * 9)
    for i in range(9):
        frames[i, 20:76, 20 + 12 * i : 24 + 12 * i] = (235, 225, 210)
    config = PropagationConfig.make({"method": method})
    made = np.stack(list(propagate(frames, invert(frames[0]), invert(frames[-1]), config, own=invert)))
    for i in range(9):
        off = np.abs(made[i].astype(int) - invert(frames[i])).mean(-1)
        assert off[24:72, 20 + 12 * i : 24 + 12 * i].mean() < 10
        others = [slice(20 + 12 * j, 24 + 12 * j) for j in range(9) if j != i]
        assert max(off[24:72, place].mean() for place in others) < 18


def test_a_ramp_of_light_has_no_steps() -> None:
    """A still scene, from half to one and a half of its light over 40 frames, keys every 10."""
    rng = np.random.default_rng(0)
    ground = cv2.GaussianBlur(rng.uniform(20, 140, (64, 96, 3)), (0, 0), 3)
    frames = np.stack([np.rint(ground * gain).astype(np.uint8) for gain in np.linspace(0.5, 1.5, 41)])
    out = [frames[0]]
    for start in range(0, 40, 10):
        piece = frames[start : start + 11]
        out += list(propagate(piece, invert(piece[0]), invert(piece[-1]), WARP, flow=still, own=invert))[1:]
    gap = np.stack(out)[1:].astype(float) - invert(frames[1:])
    assert np.abs(np.diff(gap.mean((2, 3)), axis=0)).max() < 2 and np.abs(gap).max() < 8


def test_no_breathing_between_keys() -> None:
    """A texture that moves by parts of a pixel is as sharp between keys as painted frame by frame."""
    from moviola.metrics.functional.sharpness import gradient_energy

    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.uniform(0, 255, (96, 200, 3)), (0, 0), 1.0).astype(np.float32)
    pan = np.tile(np.array([1.3, 0], np.float32), (96, 200, 1))
    frames = np.stack(
        [np.rint(warp(wide, i * pan, "lanczos")).clip(0, 255).astype(np.uint8) for i in range(9)]
    )
    frames = frames[:, :, :160]
    made = list(propagate(frames, invert(frames[0]), invert(frames[-1]), WARP))
    for i in range(1, 8):
        assert gradient_energy(made[i][None]) > 0.9 * gradient_energy(frames[i][None])
