"""Masks carried along the motion: a square on a texture that both move, by known steps."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import ConfigError
from moviola.core.video import Video
from moviola.propagation.carry_mask import carry_mask
from moviola.propagation.flow import estimator

pytest.importorskip("cv2")


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray]:
    """A textured square that moves by 2 px a frame over another texture, uint8 (7, 60, 90, 3), and where it is."""
    rng = np.random.default_rng(0)
    ground, figure = (
        Video(rng.integers(0, 256, (1, *size, 3), dtype=np.uint8), 10).resize(*full).frames[0]
        for size, full in (((10, 15), (60, 90)), ((6, 6), (26, 26)))
    )
    frames, masks = np.repeat(ground[None], 7, 0), np.zeros((7, 60, 90), np.uint8)
    for t in range(7):
        frames[t, 16:42, 20 + 2 * t : 46 + 2 * t] = figure
        masks[t, 16:42, 20 + 2 * t : 46 + 2 * t] = 255
    return frames, masks


def iou(one: np.ndarray, two: np.ndarray) -> float:
    a, b = one > 127, two > 127
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("ends", [(True, True), (True, False), (False, True)])
def test_a_square_is_followed(scene, ends):
    """From one side or both; given masks come back as they were.

    From one side alone, ground that comes into view beside the square is in part taken for it.
    """
    frames, masks = scene
    first, last = (mask if there else None for mask, there in zip((masks[0], masks[-1]), ends, strict=True))
    found = list(carry_mask(frames, first, last, estimator()))
    assert len(found) == 7 and all(mask.dtype == np.uint8 for mask in found)
    still = [iou(masks[0 if ends[0] else -1], mask) for mask in masks]
    for t in range(7):
        assert iou(found[t], masks[t]) > (0.9 if all(ends) else 0.6)
        assert iou(found[t], masks[t]) >= still[t]
    for t, there in zip((0, -1), ends, strict=True):
        assert not there or np.array_equal(found[t], masks[t])


def test_one_frame(scene):
    frames, masks = scene
    for first, last in ((masks[0], None), (None, masks[0]), (masks[0], masks[0])):
        (found,) = carry_mask(frames[:1], first, last, estimator())
        np.testing.assert_array_equal(found, masks[0])
    with pytest.raises(ConfigError, match="from the first or the last"):
        list(carry_mask(frames, None, None, estimator()))
