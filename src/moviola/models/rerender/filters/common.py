"""What filter painters share: brush sizes, blurs, the direction of structure, and the fixed grain of a surface."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from moviola.core.luma import luma
from moviola.core.optional import require
from moviola.core.seeds import numpy_generator


class Directions(NamedTuple):
    """Which way structure runs at every pixel, float32 (H, W) each.

    Attributes:
        x, y: unit vector along edges, px; its sign means nothing.
        strength: 0 where no direction is better than another, 1 where there is one alone.
    """

    x: np.ndarray
    y: np.ndarray
    strength: np.ndarray


def opencv() -> Any:
    """Return OpenCV; raises InputError where it is missing."""
    return require("cv2", "a filter painter")


def unit_of(frame: np.ndarray) -> float:
    """Return the size of a fine brush, px: 1/160 of the shorter side, at least 1."""
    return max(1.0, min(frame.shape[:2]) / 160)


def blur(values: np.ndarray, sigma: float) -> np.ndarray:
    """Return values (H, W) or (H, W, C) under a Gaussian of `sigma` px, float32."""
    cv2 = opencv()
    return cv2.GaussianBlur(
        values.astype(np.float32, copy=False), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE
    )


def surroundings(values: np.ndarray, sigma: float) -> np.ndarray:
    """Return `blur` for a large `sigma`, made from a smaller picture, which costs next to nothing."""
    cv2 = opencv()
    height, width = values.shape[:2]
    factor = max(1.0, sigma / 4)
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    reduced = blur(cv2.resize(values, small, interpolation=cv2.INTER_AREA), sigma / factor)
    return cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR)


def flatten(frame: np.ndarray, passes: int, levels: float, unit: float) -> np.ndarray:
    """Smooth within regions and not across their borders: repeated small bilateral filters, float32, same shape."""
    cv2 = opencv()
    flat = frame
    for _ in range(passes):
        flat = cv2.bilateralFilter(flat, 7, levels, 2 * unit)
    return flat.astype(np.float32)


def saturate(picture: np.ndarray, factor: float) -> np.ndarray:
    """Move colours away from grey of the same brightness, float32 (H, W, 3), 0 to 255."""
    grey = luma(picture)[..., None]
    return np.clip(grey + np.float32(factor) * (picture - grey), 0, 255)


def as_grey(values: np.ndarray) -> np.ndarray:
    """Return brightness (H, W) as a grey picture, float32 (H, W, 3)."""
    return np.repeat(values[..., None].astype(np.float32), 3, axis=2)


def directions(
    grey: np.ndarray, sigma: float, bias: np.ndarray | None = None, noise: float = 4.0
) -> Directions:
    """Return which way structure runs: the minor eigenvector of the smoothed structure tensor.

    Source: Kyprianidis, Kang and Doellner 2009, "Image and Video Abstraction by Anisotropic Kuwahara Filtering",
    section 3.1. The bias (ours) gives flat places a direction that noise does not turn.

    Args:
        grey: brightness, float32 (H, W), 0 to 255.
        sigma: of the smoothing, px.
        bias: angle where there is no structure, radians, float32 (H, W); None for along x.
        noise: levels of contrast that are no structure.
    """
    cv2 = opencv()
    dx, dy = (
        cv2.Scharr(grey, cv2.CV_32F, *order, scale=1 / 32, borderType=cv2.BORDER_REPLICATE)
        for order in ((1, 0), (0, 1))
    )
    # twice the angle of the gradient as a vector (E - G, 2 F), which opposite gradients share
    along, across = blur(dx * dx - dy * dy, sigma), blur(2 * dx * dy, sigma)
    energy = blur(dx * dx + dy * dy, sigma)
    ground = np.float32((noise / 8) ** 2)
    if bias is None:
        along -= ground  # a gradient along y: edges run along x
    else:
        along -= ground * np.cos(2 * bias)
        across -= ground * np.sin(2 * bias)
    size, angle = cv2.cartToPolar(along, across)
    angle *= 0.5
    strength = np.clip(size / (energy + ground), 0, 1)
    return Directions(-np.sin(angle), np.cos(angle), strength)


def smooth_along(values: np.ndarray, way: Directions, length: float) -> np.ndarray:
    """Smooth along directions: line integral convolution by a few straight steps of growing size.

    Source: Cabral and Leedom 1993, in the form of a diffusion (ours): each step averages a pixel with the two at its
    distance on both sides, which needs no orientation of the directions.

    Args:
        values: float32 (H, W) or (H, W, C). way: directions. length: standard deviation along the line, px.
    """
    cv2 = opencv()
    height, width = values.shape[:2]
    x, y = places(height, width)
    # steps s, 2s, 3s with weights 1/4, 1/2, 1/4 have a variance of (1 + 4 + 9) s^2 / 2
    step = np.float32(length / np.sqrt(7))
    for number in (1, 2, 3):
        dx, dy = way.x * (number * step), way.y * (number * step)
        sides = [
            cv2.remap(values, x + sign * dx, y + sign * dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for sign in (np.float32(1), np.float32(-1))
        ]
        values = 0.5 * values + 0.25 * (sides[0] + sides[1])
    return values


@lru_cache(maxsize=4)
def places(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of every pixel, float32 (H, W) each; not to be written to."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.ascontiguousarray(x), np.ascontiguousarray(y)


@lru_cache(maxsize=6)
def surface(height: int, width: int, grain: float, name: str) -> np.ndarray:
    """Return smooth noise that lies fixed in the frame, float32 (H, W), of mean 0 and deviation 1.

    The same for every frame of a size, so that paper does not boil; not to be written to.

    Args:
        height, width: of the frame, px. grain: size of its bumps, px. name: of the noise; another name, another noise.
    """
    cv2 = opencv()
    rows, columns = (max(2, int(np.ceil(side / grain)) + 1) for side in (height, width))
    lattice = numpy_generator(0, "surface", name).standard_normal((rows, columns)).astype(np.float32)
    x, y = places(height, width)
    noise = cv2.remap(
        lattice, x / np.float32(grain), y / np.float32(grain), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    noise -= noise.mean()
    return noise / max(float(noise.std()), 1e-6)
