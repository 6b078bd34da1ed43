"""Where a clip joins itself."""

from __future__ import annotations

import numpy as np

from moviola.data.loops import find_loop


def pendulum(count: int, period: int, noise: int = 0) -> np.ndarray:
    """A bright bar that swings with a period, uint8 (T, 16, 32, 3)."""
    frames = np.zeros((count, 16, 32, 3), np.uint8)
    rng = np.random.default_rng(0)
    for t in range(count):
        at = 16 + 12 * np.sin(2 * np.pi * t / period)
        frames[t] = (255 * np.exp(-((np.arange(32) - at) ** 2) / 8))[None, :, None].astype(np.uint8)
    return (frames.astype(int) + rng.integers(0, noise + 1, frames.shape)).clip(0, 255).astype(np.uint8)


def test_whole_periods():
    """A swing is cut to whole periods, as many as there are: half a period would join it going the wrong way."""
    start, stop = find_loop(pendulum(50, 12), least=8)
    assert (stop - start) % 12 == 0
    assert stop - start == 48


def test_with_noise():
    """Noise does not hide the period."""
    start, stop = find_loop(pendulum(40, 12, noise=20), least=8)
    assert (stop - start) % 12 == 0


def test_direction_counts():
    """The middle is passed twice a period; the place alone would allow half of it."""
    start, stop = find_loop(pendulum(14, 12), least=4)
    assert stop - start == 12


def test_too_short():
    """Too short for a joint: the whole clip."""
    assert find_loop(pendulum(9, 12), least=8) == (0, 9)
