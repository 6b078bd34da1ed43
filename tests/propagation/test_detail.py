"""Detail that is given back: never too much, exactly nothing where none is lost."""

from __future__ import annotations

import cv2
import numpy as np

from moviola.propagation.detail import energy, give_back


def lines(seed: int = 0) -> np.ndarray:
    """Thin dark lines on paper."""
    rng = np.random.default_rng(seed)
    paper = np.full((96, 120, 3), 230, np.uint8)
    for x1, y1, x2, y2 in rng.integers(0, 96, (40, 4)).tolist():
        cv2.line(paper, (x1, y1), (x2, y2), (40, 40, 40), 1, cv2.LINE_AA)
    return paper.astype(np.float32)


def test_energy_is_the_mean_squared_gradient() -> None:
    """A ramp of 3 levels a pixel across and 4 down has 25 everywhere inside."""
    y, x = np.mgrid[:50, :60].astype(np.float32)
    ramp = np.repeat((3 * x + 4 * y)[..., None], 3, 2)
    np.testing.assert_allclose(energy(ramp)[10:-10, 10:-10], 25, rtol=1e-3)


def test_what_lost_nothing_stays() -> None:
    """The same bytes, also where less is wanted."""
    picture = lines()
    np.testing.assert_array_equal(give_back(picture, energy(picture)), picture)
    np.testing.assert_array_equal(give_back(picture, 0.5 * energy(picture)), picture)


def test_a_blur_is_undone() -> None:
    """Of lines moved by half a pixel most of the sharpness and of the likeness comes back."""
    picture = lines()
    soft = cv2.GaussianBlur(picture, (0, 0), 0.6)
    sharp = give_back(soft, energy(picture))
    lost, back = (energy(one).mean() / energy(picture).mean() for one in (soft, sharp))
    assert lost < 0.7 and 0.9 < back < 1.1
    assert ((sharp - picture) ** 2).mean() < 0.9 * ((soft - picture) ** 2).mean()
    assert sharp.min() >= 0 and sharp.max() <= 255
