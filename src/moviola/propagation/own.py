"""A frame's own paint: where no key shows what the frame shows, and for the tone where the light has changed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from moviola.propagation.detail import energy
from moviola.propagation.flow import opencv

Paint = Callable[[np.ndarray], np.ndarray]
"""Paints a frame by itself, uint8 (H, W, 3) in and out."""

_LIGHT = (1.0, 3.0)  # levels of change from which, and at which fully, the tone is the frame's own


class Own:
    """A frame and, made when it is first asked for, its own paint.

    Args:
        frame: plain, uint8 (H, W, 3).
        paint: paints a frame by itself.
    """

    def __init__(self, frame: np.ndarray, paint: Paint) -> None:
        self.frame, self._paint = frame, paint

    @cached_property
    def painted(self) -> np.ndarray:
        """The frame, painted by itself, float32 (H, W, 3)."""
        return self._paint(self.frame).astype(np.float32)


def fill(
    painted: np.ndarray, detail: np.ndarray, own: Own, missed: np.ndarray, lost: float
) -> tuple[np.ndarray, np.ndarray]:
    """Take a frame's own paint where no key shows what it shows.

    The share of it rises from 0 at half of `lost` to 1 at one and a half of it, with soft borders.

    Args:
        painted: what was carried, float32 (H, W, 3).
        detail: how sharp it shall be, float32 (H, W): `moviola.propagation.detail.energy`.
        own: the frame.
        missed: see `missing`, levels squared, (H, W).
        lost: see `moviola.propagation.propagate.PropagationConfig`.

    Returns:
        the paint and how sharp it shall be, like the first two.
    """
    share = np.clip(missed / lost - 0.5, 0, 1).astype(np.float32)
    if not share.any():
        return painted, detail
    cv2 = opencv()
    share = cv2.dilate(share, np.ones((3, 3), np.uint8))
    share = cv2.GaussianBlur(share, (0, 0), 1.5, borderType=cv2.BORDER_REPLICATE)
    mixed = painted + share[..., None] * (own.painted - painted)
    return mixed, detail + share * (energy(own.painted) - detail)


def missing(frame: np.ndarray, plain: np.ndarray, weight: np.ndarray | float = 1.0) -> np.ndarray:
    """Return how unlike a frame the plain keys are that were brought onto it, levels squared, float32 (H, W).

    Twice, and the greater counts. For what is large, differences are averaged with their sign over a square of 1/20
    of the shorter side before they are squared, so that detail a little beside its place counts for little. For what is
    thin or small, which such an average cancels, a difference is what lies beyond all the values within a pixel, from
    the frame to the keys (a limb that is not there) or from the keys to the frame (one that is there still).

    Args:
        frame: plain, uint8 (H, W, 3).
        plain: the keys there, in the frame's light, uint8 (H, W, 3).
        weight: of what is thin or small, a number or float32 (H, W).
    """
    cv2 = opencv()
    side = 2 * max(1, round(min(frame.shape[:2]) / 40)) + 1
    gap = cv2.subtract(frame, plain, dtype=cv2.CV_32F)
    gap = cv2.blur(gap, (side, side), borderType=cv2.BORDER_REFLECT)
    large = np.einsum("yxc,yxc->yx", gap, gap) / 3
    near = np.ones((3, 3), np.uint8)
    beyond = [
        cv2.subtract(one, cv2.dilate(other, near)) | cv2.subtract(cv2.erode(other, near), one)
        for one, other in ((frame, plain), (plain, frame))
    ]
    gap = np.maximum(*beyond).astype(np.float32)
    small = np.einsum("yxc,yxc->yx", gap, gap) / 3
    return np.maximum(large, weight * cv2.blur(small, (3, 3), borderType=cv2.BORDER_REFLECT))


def hurry(step: np.ndarray) -> np.ndarray:
    """Return where something moves fast by itself, float32 (H, W), 0 to 1.

    The scene's own motion, as a camera makes it, is a polynomial of degree 2 in x and y, fitted by least squares that
    are reweighted after Geman and McClure. What differs from it by more than 1/40 of the shorter side a frame is
    fast, and fully by twice as much; the pixels next to it count as well.

    Args:
        step: flow to the frame before, float32 (H, W, 2), px.
    """
    unit = min(step.shape[:2]) / 40
    y, x = (np.linspace(-1, 1, length, dtype=np.float32) for length in step.shape[:2])
    every = slice(None, None, max(1, min(step.shape[:2]) // 40))
    basis = _monomials(x[every], y[every])
    flat, known = basis.reshape(-1, basis.shape[-1]), step[every, every].reshape(-1, 2)
    weights = np.ones(len(flat), np.float32)
    for _ in range(5):
        weighted = flat * weights[:, None]
        ridge = 1e-4 * len(flat) * np.eye(flat.shape[1], dtype=np.float32)
        factors = np.linalg.solve(weighted.T @ flat + ridge, weighted.T @ known)
        weights = 1 / (1 + ((known - flat @ factors) ** 2).sum(-1) / unit**2) ** 2
    beside = step - _monomials(x, y) @ factors
    speed = np.sqrt(np.einsum("yxc,yxc->yx", beside, beside)) / unit
    return opencv().dilate(np.clip(speed - 1, 0, 1).astype(np.float32), np.ones((3, 3), np.uint8))


def _monomials(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return 1, x, y, x^2, xy and y^2 on a grid, float32 (H, W, 6)."""
    across, down = np.broadcast_arrays(x[None], y[:, None])
    return np.stack([np.ones_like(across), across, down, across**2, across * down, down**2], -1)


def follow_light(painted: np.ndarray, own: Own, light: float) -> np.ndarray:
    """Take the tone, not the detail, of a frame's own paint, as far as the light is another than the keys'.

    Args:
        painted: float32 (H, W, 3).
        own: the frame.
        light: how far the light has changed since the nearest key, levels.

    Returns:
        float32 (H, W, 3): in means over about 1/12 of the shorter side the frame's own paint.
    """
    share = float(np.clip((light - _LIGHT[0]) / (_LIGHT[1] - _LIGHT[0]), 0, 1))
    if not share:
        return painted
    sigma = max(1.0, min(painted.shape[:2]) / 24)
    tone = opencv().GaussianBlur(own.painted - painted, (0, 0), sigma, borderType=opencv().BORDER_REPLICATE)
    return painted + share * tone
