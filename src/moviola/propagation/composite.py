"""Painted frames put into plain ones through a mask: untouched outside, without a seam at the border."""

from __future__ import annotations

import numpy as np

from moviola.core.errors import ConfigError
from moviola.propagation.flow import opencv
from moviola.propagation.poisson import gradients, solve_within

_REACH = 6.0  # px, at most, where none is named: work grows with it


def composite(
    frame: np.ndarray, paint: np.ndarray, share: np.ndarray, reach: float | None = None
) -> np.ndarray:
    """Put paint into a frame where a mask says so.

    Where the mask is 0 the frame comes back bit for bit, far inside a mask of 1 the paint. Between, the picture has the
    gradients of both, by their shares (at a hard border the mean of the two), and the colours of their mix, which give
    way to the border's within `reach`: the screened Poisson equation, the outside held.

    Source: Perez, Gangnet and Blake 2003, "Poisson Image Editing", section 2 (`moviola.propagation.poisson`).

    Args:
        frame: uint8 (H, W, 3).
        paint: the frame painted, uint8 (H, W, 3).
        share: the mask, float32 (H, W), 0 to 1.
        reach: px within which colours change from those at the border to the paint's; 0 leaves the plain mix; None for
            1/100 of the shorter side, at most 6.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ConfigError: shapes that differ, or a negative reach.
    """
    width = min(min(frame.shape[:2]) / 100, _REACH) if reach is None else reach
    if frame.shape != paint.shape or share.shape != frame.shape[:2] or width < 0:
        raise ConfigError(
            f"cannot put {paint.shape} into {frame.shape} by a mask {share.shape}, reach {width}"
        )
    if share.min() >= 1:
        return paint
    inside = share > 0
    if not inside.any():
        return frame
    out = frame.copy()
    box = _around(inside)
    mixed = _mixed(frame[box], paint[box], share[box], inside[box], width)
    out[inside] = np.rint(mixed[inside[box]]).clip(0, 255).astype(np.uint8)
    return out


def _around(inside: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of a region (H, W), and one more on each side where there is one."""
    spans = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    rows, columns = (slice(max(0, int(span[0]) - 1), int(span[-1]) + 2) for span in spans)
    return rows, columns


def _mixed(
    frame: np.ndarray, paint: np.ndarray, share: np.ndarray, inside: np.ndarray, reach: float
) -> np.ndarray:
    """Return frame and paint, mixed; outside the frame, float32 (H, W, 3)."""
    plain, part = frame.astype(np.float32), share.astype(np.float32)[..., None]
    prior = plain + part * (paint - plain)
    if reach == 0:
        return prior
    across, down = gradients(plain)
    to_right, below = gradients(paint.astype(np.float32))
    across[:, :-1] += (part[:, :-1] + part[:, 1:]) / 2 * (to_right - across)[:, :-1]
    down[:-1] += (part[:-1] + part[1:]) / 2 * (below - down)[:-1]
    return solve_within(across, down, prior, inside, reach**-2)


def feathered(share: np.ndarray, width: float) -> np.ndarray:
    """Return a mask that rises inwards from its border over `width` px; what is 0 stays so.

    Args:
        share: float32 (H, W), 0 to 1.
        width: px, at least 0. The edge of the frame is no border.
    """
    inside = share > 0
    if width <= 0 or inside.all() or not inside.any():
        return share
    cv2 = opencv()
    distance = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return (share * np.clip(distance / (width + 1), 0, 1)).astype(np.float32)
