"""A known change of light is found, also behind something that has moved, and none is seen where there is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from moviola.propagation.exposure import change, lit, match


def scene(seed: int = 0) -> np.ndarray:
    """Soft colour noise between 20 and 150."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.uniform(0, 1, (96, 128, 3)), (0, 0), 3)
    return np.rint(20 + 130 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8)


@pytest.mark.parametrize(("gain", "offset"), [(1.5, 0.0), (0.5, 0.0), (1.0, 25.0), (1.2, -10.0)])
def test_gain_and_offset(gain: float, offset: float) -> None:
    """With a tenth of the picture covered by something else."""
    before = scene()
    after = np.rint(gain * before.astype(float) + offset).clip(0, 255).astype(np.uint8)
    wanted = after.astype(int)
    after = after.copy()
    after[:30, :40] = (250, 10, 120)
    found = lit(before, match(after, before)).astype(int)
    assert np.abs(found - wanted)[35:].max() <= 2


def test_each_channel_has_its_own() -> None:
    """As where the white balance changes."""
    before = scene()
    gains = np.array([1.3, 1.0, 0.7])
    after = np.rint(before * gains).astype(np.uint8)
    assert np.abs(lit(before, match(after, before)).astype(int) - after).max() <= 2


def test_clipped_pixels_do_not_count() -> None:
    """A third of the frame is white, as bright as it can be."""
    before = scene()
    before[:32] = 200
    after = np.rint(1.5 * before.astype(float)).clip(0, 255).astype(np.uint8)
    assert np.abs(lit(before, match(after, before)).astype(int) - after).max() <= 2


def test_no_change_of_light() -> None:
    """Equal frames, noise, a thing that comes into the picture, and another scene: the key is compared as it is."""
    before = scene()
    rng = np.random.default_rng(1)
    noisy = np.rint(before + rng.normal(0, 4, before.shape)).clip(0, 255).astype(np.uint8)
    covered = before.copy()
    covered[20:60, 30:80] = 240
    for frame in (before, noisy, covered):
        assert match(frame, before) is None
    assert lit(before, None) is before and change(before, None) == 0
