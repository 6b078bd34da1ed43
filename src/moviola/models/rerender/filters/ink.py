"""Ink: black lines and masses on white paper, two tones and nothing between."""

from __future__ import annotations

import numpy as np

from moviola.core.luma import luma
from moviola.models.rerender.filters.common import (
    as_grey,
    blur,
    directions,
    opencv,
    smooth_along,
    surroundings,
    unit_of,
)
from moviola.models.rerender.filters.settings import InkConfig


def ink(frame: np.ndarray, settings: InkConfig) -> np.ndarray:
    """Draw in ink: lines along edges and solid masses, black on white; only the rim of a shape, a pixel wide, is grey.

    Source: Winnemoeller, Kyprianidis and Olsen 2012, "XDoG: An eXtended difference-of-Gaussians compendium", equations
    5 to 7, smoothed along the edges as in section 2.6; specks are wiped off (ours).

    Args:
        frame: uint8 (H, W, 3). settings: of the painter.

    Returns:
        grey float32 (H, W, 3), 0 to 255.
    """
    unit = unit_of(frame)
    grey = luma(frame)
    way = directions(blur(grey, 0.5 * unit), 1.5 * unit)
    fine, wide = blur(grey, 0.36 * unit * settings.line), blur(grey, 0.6 * unit * settings.line)
    edges = smooth_along(fine - wide, way, 1.3 * unit)
    tone = smooth_along(fine, way, 0.8 * unit)
    ground = np.maximum(0.46 * float(np.median(grey)) + 0.2 * surroundings(grey, 16 * unit) - 5, 28)
    response = tone - settings.black * ground + 20 * settings.detail * np.minimum(edges + 0.55, 0)
    mask = _clean(response > 0, 3 * unit**2)
    return as_grey(255 * _rims(response, mask))


def _clean(white: np.ndarray, area: float) -> np.ndarray:
    """Wipe off black and white specks of fewer than `area` px, bool (H, W)."""
    cv2 = opencv()
    for turned in (False, True):
        shapes = (white ^ turned).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(shapes, connectivity=4)
        small = stats[:, cv2.CC_STAT_AREA] < area
        small[0] = False
        white = white ^ small[labels] if count > 1 else white
    return white


def _rims(response: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Return the share of white, with the border where the response is 0 placed to a part of a pixel."""
    cv2 = opencv()
    dx, dy = (cv2.Sobel(response, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1)))
    slope = np.sqrt(dx * dx + dy * dy) + np.float32(1e-3)
    soft = np.clip(0.5 + response / slope, 0, 1)
    whole = white.astype(np.uint8)
    square = np.ones((3, 3), np.uint8)
    border = cv2.dilate(whole, square) > cv2.erode(whole, square)
    return np.where(border & (white == (response > 0)), soft, white)
