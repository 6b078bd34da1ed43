"""A frame's own paint where no key shows what the frame shows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from moviola.propagation.propagate import PropagationConfig, fill, missing, propagate

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
    np.testing.assert_allclose(missing(flat + 20, flat, still(flat, flat)), 400, rtol=1e-6)
    stripes = np.zeros_like(flat)
    stripes[:, ::2] = 200
    side = (
        5  # of the square, at 80 px: every row of it has three of one kind and two of the other, 200 / 5 left
    )
    found = missing(stripes, np.roll(stripes, 1, 1), still(flat, flat))
    np.testing.assert_allclose(found[:, 3:-3], (200 / side) ** 2, rtol=1e-4)


def test_the_share_of_own_paint() -> None:
    """0 at half of the limit, a half at the limit, all at one and a half of it."""
    painted, frame = np.zeros((9, 9, 3), np.uint8), np.full((9, 9, 3), 55, np.uint8)
    for missed, wanted in ((100, 0), (200, 100), (300, 200), (5000, 200)):
        found = fill(painted, frame, np.full((9, 9), float(missed)), invert, 200.0)
        assert (found == wanted).all()
