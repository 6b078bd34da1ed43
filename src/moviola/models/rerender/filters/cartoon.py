"""Cartoon: few shades and dark outlines."""

from __future__ import annotations

import numpy as np

from moviola.core.luma import luma
from moviola.models.rerender.filters.common import blur, directions, flatten, saturate, smooth_along, unit_of
from moviola.models.rerender.filters.settings import CartoonConfig


def cartoon(frame: np.ndarray, settings: CartoonConfig) -> np.ndarray:
    """Paint as a cartoon: few shades with soft steps, and dark outlines.

    Source: Winnemoeller, Olsen and Gooch 2006, "Real-Time Video Abstraction", sections 3.2 to 3.4 (soft luminance
    steps, difference-of-Gaussians edges); the edges smoothed along themselves as in Kang, Lee and Chui 2007.

    Args:
        frame: uint8 (H, W, 3). settings: of the painter.

    Returns:
        float32 (H, W, 3), 0 to 255.
    """
    unit = unit_of(frame)
    flat = saturate(flatten(frame, 4, 40, unit), settings.colour)
    grey = luma(flat)
    step = 255 / settings.shades
    nearest = np.rint(grey / step) * step
    shade = nearest + 0.5 * step * np.tanh((grey - nearest) / step * 5)
    flat = flat * (np.maximum(shade, 1) / np.maximum(grey, 1))[..., None]
    return flat * _lines(luma(frame), unit, settings.line)[..., None] if settings.line else flat


def _lines(grey: np.ndarray, unit: float, strength: float) -> np.ndarray:
    """Return 1 off the edges and towards 0 on the dark side of them, float32 (H, W)."""
    way = directions(grey, 1.5 * unit)
    fine, wide = blur(grey, 0.42 * unit), blur(grey, 0.75 * unit)
    edges = smooth_along((fine + 16) / (wide + 16), way, 1.6 * unit)
    return 1 - np.clip(strength * (0.985 - edges) * 22, 0, 1)
