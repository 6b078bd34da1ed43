"""Painters that need no weights: sketch, watercolor, oil, cartoon and ink, from filters on one frame.

Sizes of brushes and lines go with the shorter side of the frame, so that a clip and its enlargement look alike. Paper,
hatching and the places of strokes are drawn once from a fixed seed and lie fixed in the frame. A painter knows one
frame only: on video, paint key frames and let `moviola.propagation` carry the paint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from moviola.core.config import Config
from moviola.core.errors import ConfigError, check_name
from moviola.models.rerender.filters.cartoon import cartoon
from moviola.models.rerender.filters.ink import ink
from moviola.models.rerender.filters.oil import oil
from moviola.models.rerender.filters.settings import (
    CartoonConfig,
    InkConfig,
    OilConfig,
    SketchConfig,
    WatercolorConfig,
)
from moviola.models.rerender.filters.sketch import sketch
from moviola.models.rerender.filters.watercolor import watercolor


@dataclass(frozen=True)
class Filter:
    """A painter.

    Attributes:
        says: a line for people.
        paint: from a frame uint8 (H, W, 3) and settings to a frame painted at full strength, float32 (H, W, 3), 0 to
            255.
        settings: class of its settings.
    """

    says: str
    paint: Callable[[np.ndarray, Any], np.ndarray]
    settings: type[Config]


FILTERS: dict[str, Filter] = {
    "sketch": Filter("pencil lines and hatched shadows on white paper", sketch, SketchConfig),
    "watercolor": Filter(
        "washes of uneven pigment on rough paper, darker along their borders", watercolor, WatercolorConfig
    ),
    "oil": Filter("brush strokes along the picture's structure, with relief", oil, OilConfig),
    "cartoon": Filter("few shades and dark outlines", cartoon, CartoonConfig),
    "ink": Filter("black lines and masses on white paper", ink, InkConfig),
}
"""The painters by name."""


def paint(frame: np.ndarray, name: str, strength: float = 1.0, settings: Config | None = None) -> np.ndarray:
    """Paint one frame.

    Args:
        frame: uint8 (H, W, 3) RGB, any size.
        name: "sketch", "watercolor", "oil", "cartoon" or "ink": the keys of `FILTERS`.
        strength: share of the paint, 0 (the frame itself) to 1.
        settings: of this painter, `FILTERS[name].settings`; None for the usual ones.

    Returns:
        uint8 (H, W, 3); the same for the same input.

    Raises:
        UnknownNameError: another name. ConfigError: a strength out of range, settings of another painter, or what is no
            frame. InputError: OpenCV is missing.
    """
    check_name("painter", name, FILTERS)
    kind = FILTERS[name].settings
    settings = kind() if settings is None else settings
    if not isinstance(settings, kind):
        raise ConfigError(f"the painter {name} takes {kind.__name__}, not {type(settings).__name__}")
    if not 0 <= strength <= 1:
        raise ConfigError(f"strength is from 0 to 1, not {strength}")
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        raise ConfigError(f"a frame to paint is uint8 (H, W, 3), not {frame.dtype} {frame.shape}")
    painted = FILTERS[name].paint(np.ascontiguousarray(frame), settings).astype(np.float32)
    mixed = frame + np.float32(strength) * (painted - frame)
    return np.rint(mixed).clip(0, 255).astype(np.uint8)
