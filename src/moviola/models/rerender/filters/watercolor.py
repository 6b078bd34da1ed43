"""Watercolour: washes of uneven pigment on rough paper, darker along their borders."""

from __future__ import annotations

import numpy as np

from moviola.core.luma import luma
from moviola.models.rerender.filters.common import (
    blur,
    flatten,
    opencv,
    places,
    surface,
    surroundings,
    unit_of,
)
from moviola.models.rerender.filters.settings import WatercolorConfig


def watercolor(frame: np.ndarray, settings: WatercolorConfig) -> np.ndarray:
    """Paint in watercolour: flat washes, and pigment that gathers along their borders and in the valleys of the paper.

    The paper lies fixed in the frame. Where there is no pigment, the white of the paper stays; black stays black.

    Source: Bousseau, Kaplan, Thollot and Sillion 2006, "Interactive watercolor rendering with temporal coherence and
    abstraction", section 3 (wobbling, edge darkening, turbulence, dispersion, paper; the density's equation).

    Args:
        frame: uint8 (H, W, 3). settings: of the painter.

    Returns:
        float32 (H, W, 3), 0 to 255.
    """
    height, width = frame.shape[:2]
    unit = unit_of(frame)
    grain = surface(height, width, max(2.0, 0.8 * unit), "paper") + 0.5 * surface(
        height, width, max(4.0, 2.2 * unit), "tooth"
    )
    pools = surface(height, width, 14 * unit, "pools") + 0.6 * surface(height, width, 5 * unit, "puddles")
    flat = flatten(frame, 2, 45, unit)
    wash = _kuwahara(flat, max(1, round(2 * unit * settings.wash)))
    lost = np.abs(flat - wash).max(axis=2)
    fine = np.clip((blur(lost, unit) - 4) / 8, 0, 1)[..., None]
    wash = wash + fine * (_kuwahara(flat, max(1, round(0.7 * unit * settings.wash))) - wash)
    if settings.paper:
        wash = _wobble(wash, pools, 0.35 * unit * settings.paper)
    lift = wash - surroundings(wash, 20 * unit)
    wash = np.clip(wash + 0.4 * np.maximum(lift, 0), 0, 255)
    grey = luma(wash)
    broad = blur(grey, 1.4 * unit)
    border = np.clip((broad - grey) / 26, 0, 1)  # on the dark side alone: no halo on light paper
    density = settings.edges * 0.85 * border + settings.paper * (0.06 * grain + 0.12 * pools)
    return _thicker(wash, density)


def _thicker(picture: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Return colours under more or less pigment: C - (C - C^2) (d - 1) for C in [0, 1], Bousseau et al., section 3.2.

    Args:
        picture: float32 (H, W, 3), 0 to 255. density: d - 1, float32 (H, W).
    """
    share = np.clip(density, -0.9, 1.6)[..., None]
    colour = picture / 255
    return 255 * np.clip(colour - (colour - colour * colour) * share, 0, 1)


def _wobble(picture: np.ndarray, heights: np.ndarray, size: float) -> np.ndarray:
    """Move colours along the slope of the paper by about `size` px, so that borders are those of a hand."""
    cv2 = opencv()
    dx, dy = (cv2.Sobel(heights, cv2.CV_32F, *order, ksize=3) for order in ((1, 0), (0, 1)))
    scale = np.float32(size / max(float(np.sqrt((dx * dx + dy * dy).mean())), 1e-6))
    x, y = places(*heights.shape)
    return cv2.remap(
        picture, x + scale * dx, y + scale * dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _kuwahara(picture: np.ndarray, radius: int) -> np.ndarray:
    """Return the mean of the most even of the four squares that touch each pixel, mixed softly by their variances.

    Source: Kuwahara et al. 1976; soft weights by inverse variance after Papari, Petkov and Campisi 2007.
    """
    cv2 = opencv()
    side = radius + 1
    grey = luma(picture)
    total, weights = np.zeros_like(picture), np.zeros_like(grey)
    for x in (0, radius):
        for y in (0, radius):
            box = {"anchor": (x, y), "borderType": cv2.BORDER_REPLICATE}
            mean = cv2.blur(grey, (side, side), **box)
            variance = np.maximum(cv2.blur(grey * grey, (side, side), **box) - mean * mean, 0)
            weight = 1 / (1 + variance) ** 2
            total += weight[..., None] * cv2.blur(picture, (side, side), **box)
            weights += weight
    return total / weights[..., None]
