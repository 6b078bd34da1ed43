"""Sketch: pencil lines and hatched shadows on paper with a tooth."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from moviola.core.luma import luma
from moviola.core.seeds import numpy_generator
from moviola.models.rerender.filters.common import as_grey, blur, opencv, places, surface, unit_of
from moviola.models.rerender.filters.settings import SketchConfig


def sketch(frame: np.ndarray, settings: SketchConfig) -> np.ndarray:
    """Draw in pencil: lines where brightness falls below its surroundings, hatching in the shadows.

    Hatching and paper lie fixed in the frame.

    Args:
        frame: uint8 (H, W, 3). settings: of the painter.

    Returns:
        grey float32 (H, W, 3), 0 to 255.
    """
    height, width = frame.shape[:2]
    unit = unit_of(frame)
    grey = luma(frame)
    ratio = (grey + 10) / (blur(grey, 1.5 * unit) + 8)  # the constants keep noise off the paper
    graphite = settings.line * (1 - np.clip(ratio, 0, 1) ** 2.5)
    if settings.shading:
        dark = 1 - blur(grey, unit) / 255
        first, second = _hatching(height, width, unit, 45), _hatching(height, width, unit, 68)
        shade = np.clip(dark - 0.35, 0, 1) * (0.5 + 0.35 * first) + np.clip(dark - 0.62, 0, 1) * (
            0.8 + 0.6 * second
        )
        if settings.grain:
            shade *= 1 + 0.15 * settings.grain * surface(height, width, max(2.0, 0.5 * unit), "tooth")
        graphite = graphite + settings.shading * np.clip(shade, 0, 1) * (1 - graphite)
    if settings.grain:
        graphite = graphite * (
            1 + 0.08 * settings.grain * surface(height, width, max(2.0, 0.5 * unit), "tooth")
        )
    return as_grey(255 * (1 - np.clip(graphite, 0, 1)))


@lru_cache(maxsize=4)
def _hatching(height: int, width: int, unit: float, angle: float) -> np.ndarray:
    """Return pencil strokes side by side, float32 (H, W), of mean 0 and about -1 to 1; not to be written to.

    Args:
        height, width, unit: of the frame, px. angle: of the strokes to the x axis, degrees.
    """
    cv2 = opencv()
    x, y = places(height, width)
    cos, sin = np.float32(np.cos(np.radians(angle))), np.float32(np.sin(np.radians(angle)))
    along, across = (x * cos - y * sin) / (16 * unit), (x * sin + y * cos) / max(2.0, 0.6 * unit)
    along, across = along - along.min(), across - across.min()
    shape = (int(across.max()) + 3, int(along.max()) + 3)
    lattice = numpy_generator(0, "hatching", int(angle)).standard_normal(shape).astype(np.float32)
    strokes = np.tanh(cv2.remap(lattice, along, across, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))
    return strokes - strokes.mean()
