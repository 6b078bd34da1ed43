"""Painters that need no weights: sketch, watercolor, oil, cartoon and ink, from filters on one frame.

Sizes of brushes and lines go with the shorter side of the frame, so that a clip and its enlargement look alike. A
painter knows one frame only: on video, paint key frames and let `moviola.propagation` carry the paint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from moviola.core.errors import ConfigError, UnknownNameError
from moviola.core.luma import luma
from moviola.core.optional import require


@dataclass(frozen=True)
class Filter:
    """A painter.

    Attributes:
        says: a line for people.
        paint: from a frame uint8 (H, W, 3) to one painted at full strength, float32 (H, W, 3), 0 to 255.
    """

    says: str
    paint: Callable[[np.ndarray], np.ndarray]


def paint(frame: np.ndarray, name: str, strength: float = 1.0) -> np.ndarray:
    """Paint one frame.

    Args:
        frame: uint8 (H, W, 3) RGB, any size.
        name: "sketch", "watercolor", "oil", "cartoon" or "ink": the keys of `FILTERS`.
        strength: share of the paint, 0 (the frame itself) to 1.

    Returns:
        uint8 (H, W, 3); the same for the same input.

    Raises:
        UnknownNameError: another name. ConfigError: a strength out of range, or what is no frame. InputError: OpenCV is
            missing.
    """
    if name not in FILTERS:
        raise UnknownNameError.of("painter", name, FILTERS)
    if not 0 <= strength <= 1:
        raise ConfigError(f"strength is from 0 to 1, not {strength}")
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        raise ConfigError(f"a frame to paint is uint8 (H, W, 3), not {frame.dtype} {frame.shape}")
    painted = FILTERS[name].paint(np.ascontiguousarray(frame)).astype(np.float32)
    mixed = frame + np.float32(strength) * (painted - frame)
    return np.rint(mixed).clip(0, 255).astype(np.uint8)


def sketch(frame: np.ndarray) -> np.ndarray:
    """Draw in pencil: brightness divided by its own surroundings, so that only local contrast is left.

    Args:
        frame: uint8 (H, W, 3).

    Returns:
        grey float32 (H, W, 3), 0 to 255; white where the frame is smooth.
    """
    grey = luma(frame)
    around = _blur(grey, _unit(frame) * 1.5)
    ratio = (grey + 10) / (around + 8)  # the constants keep noise off the paper
    line = np.clip(ratio, 0, 1) ** 2.5
    return _grey(255 * line)


def watercolor(frame: np.ndarray) -> np.ndarray:
    """Paint in watercolour: light flat washes, and pigment that gathers along their borders.

    Args:
        frame: uint8 (H, W, 3).

    Returns:
        float32 (H, W, 3), 0 to 255.
    """
    unit = _unit(frame)
    wash = _kuwahara(_flatten(frame, 3, 45, unit), max(1, round(1.2 * unit)))
    wash = _saturate(255 - (255 - wash) * 0.85, 1.25)
    grey = luma(wash)
    border = np.clip((_blur(grey, 1.5 * unit) - grey) / 30, 0, 1)  # on the dark side: no halo on light paper
    return wash * (1 - 0.4 * border[..., None])


def oil(frame: np.ndarray) -> np.ndarray:
    """Paint in oil: each pixel takes the mean colour of the most frequent brightness around it.

    Brightness is sorted into 12 overlapping bins of linear weight, so that a small change of the frame is a small
    change of the counts; the bins' colours are mixed by the 8th power of their counts.

    Source: the mode filter known as "oil paint" (Holzmann 1988, "Beyond Photography"), with soft bins (ours).

    Args:
        frame: uint8 (H, W, 3).

    Returns:
        float32 (H, W, 3), 0 to 255.
    """
    cv2 = _opencv()
    bins, side = 12, 2 * max(1, round(2 * _unit(frame))) + 1
    colours = frame.astype(np.float32)
    level = luma(frame) * ((bins - 1) / 255)
    total, weights = np.zeros_like(colours), np.full(level.shape, 1e-12, np.float32)
    for number in range(bins):
        near = np.clip(1 - np.abs(level - number), 0, None)
        count = cv2.blur(near, (side, side), borderType=cv2.BORDER_REPLICATE)
        colour = cv2.blur(near[..., None] * colours, (side, side), borderType=cv2.BORDER_REPLICATE)
        votes = count**8
        total += (votes / np.maximum(count, 1e-6))[..., None] * colour
        weights += votes
    return total / weights[..., None]


def cartoon(frame: np.ndarray) -> np.ndarray:
    """Paint as a cartoon: few shades with soft steps, and dark outlines.

    Source: Winnemoeller, Olsen and Gooch 2006, "Real-Time Video Abstraction", sections 3.2 to 3.4 (soft luminance
    steps, difference-of-Gaussians edges).

    Args:
        frame: uint8 (H, W, 3).

    Returns:
        float32 (H, W, 3), 0 to 255.
    """
    flat = _saturate(_flatten(frame, 4, 40, _unit(frame)), 1.35)
    grey = luma(flat)
    step = 255 / 7
    nearest = np.rint(grey / step) * step
    shade = nearest + 0.5 * step * np.tanh((grey - nearest) / step * 4)
    flat = flat * (np.maximum(shade, 1) / np.maximum(grey, 1))[..., None]
    return flat * _lines(frame, 0.6 * _unit(frame), threshold=0.985, sharpness=25.0)[..., None]


def ink(frame: np.ndarray) -> np.ndarray:
    """Draw in ink: black lines and masses on white paper, by the extended difference of Gaussians.

    Source: Winnemoeller, Kyprianidis and Olsen 2012, "XDoG: An eXtended difference-of-Gaussians compendium", equations
    5 to 7.

    Args:
        frame: uint8 (H, W, 3).

    Returns:
        grey float32 (H, W, 3), 0 to 255.
    """
    unit, sharpen = _unit(frame), 12.0
    grey = luma(_flatten(frame, 2, 25, unit)) / 255
    narrow, wide = _blur(grey, 0.5 * unit), _blur(grey, 0.8 * unit)
    response = (1 + sharpen) * narrow - sharpen * wide
    threshold = 0.55 * float(np.median(grey)) + 0.12
    tone = np.where(response >= threshold, 1, 1 + np.tanh(8.0 * (response - threshold)))
    return _grey(255 * np.clip(tone, 0, 1).astype(np.float32))


def _lines(frame: np.ndarray, sigma: float, threshold: float, sharpness: float) -> np.ndarray:
    """Return 1 off the edges of a frame and towards 0 on the dark side of them, float32 (H, W)."""
    grey = luma(frame) + 16
    ratio = _blur(grey, sigma) / _blur(grey, 1.6 * sigma)
    return 1 + np.tanh(np.minimum(sharpness * (ratio - threshold), 0))


def _unit(frame: np.ndarray) -> float:
    """Return the size of a fine brush, px: 1/160 of the shorter side, at least 1."""
    return max(1.0, min(frame.shape[:2]) / 160)


def _flatten(frame: np.ndarray, passes: int, levels: float, unit: float) -> np.ndarray:
    """Smooth within regions and not across their borders: repeated small bilateral filters, float32 (H, W, 3)."""
    cv2 = _opencv()
    flat = frame
    for _ in range(passes):
        flat = cv2.bilateralFilter(flat, 7, levels, 2 * unit)
    return flat.astype(np.float32)


def _kuwahara(picture: np.ndarray, radius: int) -> np.ndarray:
    """Return the mean of the most even of the four squares that touch each pixel, mixed softly by their variances.

    Source: Kuwahara et al. 1976; soft weights by inverse variance after Papari, Petkov and Campisi 2007.
    """
    cv2 = _opencv()
    side = radius + 1
    grey = luma(picture)
    total, weights = np.zeros_like(picture), np.zeros_like(grey)
    for x in (0, radius):
        for y in (0, radius):
            box: dict[str, Any] = {"anchor": (x, y), "borderType": cv2.BORDER_REPLICATE}
            mean = cv2.blur(grey, (side, side), **box)
            variance = np.maximum(cv2.blur(grey * grey, (side, side), **box) - mean * mean, 0)
            weight = 1 / (1 + variance) ** 2
            total += weight[..., None] * cv2.blur(picture, (side, side), **box)
            weights += weight
    return total / weights[..., None]


def _saturate(picture: np.ndarray, factor: float) -> np.ndarray:
    """Move colours away from grey of the same brightness, float32 (H, W, 3), 0 to 255."""
    grey = luma(picture)[..., None]
    return np.clip(grey + factor * (picture - grey), 0, 255)


def _blur(values: np.ndarray, sigma: float) -> np.ndarray:
    cv2 = _opencv()
    return cv2.GaussianBlur(values.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def _grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None].astype(np.float32), 3, axis=2)


def _opencv() -> Any:
    return require("cv2", "a filter painter")


FILTERS: dict[str, Filter] = {
    "sketch": Filter("pencil on white paper", sketch),
    "watercolor": Filter("light washes with darker borders", watercolor),
    "oil": Filter("flat strokes of the most frequent tone", oil),
    "cartoon": Filter("few shades and dark outlines", cartoon),
    "ink": Filter("black ink on white paper", ink),
}
"""The painters by name."""
