"""Mean gradient energy against loops and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import InputError
from moviola.metrics.functional.sharpness import gradient_energy


def test_flat_is_zero():
    """No gradient anywhere."""
    assert gradient_energy(np.full((3, 5, 7, 3), 93, np.uint8)) == 0


def test_a_ramp():
    """Grey that rises by 4 a column and 3 a row has 16 + 9 everywhere, whatever its size."""
    y, x = np.mgrid[:12, :20]
    ramp = np.repeat((4 * x + 3 * y)[None, ..., None], 3, axis=-1).astype(np.uint8)
    assert gradient_energy(np.repeat(ramp, 2, axis=0)) == pytest.approx(25, rel=1e-5)


def test_against_loops():
    """Pixel by pixel, luma by BT.601."""
    frames = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), np.uint8)
    luma = frames.astype(float) @ [0.299, 0.587, 0.114]
    terms = [
        (luma[t, y, x + 1] - luma[t, y, x]) ** 2 + (luma[t, y + 1, x] - luma[t, y, x]) ** 2
        for t in range(2)
        for y in range(3)
        for x in range(4)
    ]
    assert gradient_energy(frames) == pytest.approx(np.mean(terms), rel=1e-5)


def test_blur_lowers_it():
    """A mean over 2x2 pixels of noise leaves less."""
    frames = np.random.default_rng(1).integers(0, 256, (1, 32, 32, 3), np.uint8)
    smooth = (
        frames[:, :-1, :-1].astype(int) + frames[:, 1:, :-1] + frames[:, :-1, 1:] + frames[:, 1:, 1:]
    ) // 4
    assert gradient_energy(smooth.astype(np.uint8)) < 0.5 * gradient_energy(frames)


@pytest.mark.parametrize("shape", [(0, 4, 4, 3), (2, 1, 4, 3), (2, 4, 1, 3)])
def test_too_small(shape):
    """Nothing to take a difference of."""
    with pytest.raises(InputError, match="2x2"):
        gradient_energy(np.zeros(shape, np.uint8))
