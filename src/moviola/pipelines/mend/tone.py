"""Tone curves: how the levels of one frame become those of another, and what brings them back.

A curve is a displacement: float (..., 3, K), by how many levels of 0 to 255 each colour changes at each of `LEVELS`,
linear between them. A *transfer* from a frame to the next is read halfway, at the mean of a pixel's two levels, so that
it is the same backwards with the other sign, and noise in either frame does not bend it.
"""

from __future__ import annotations

import numpy as np

KNOTS = 18
LEVELS = np.linspace(0.0, 255.0, KNOTS)
"""Where a curve is known."""
_SPACING = 255.0 / (KNOTS - 1)
_BEND, _SLOPE = 1e-3, 1e-5  # how stiff a curve is, and how flat where no pixel speaks; pixels sum to 1
_PIXELS = 5000  # that are looked at, at most
_ROUNDS, _OUTLIER = 3, 2.0  # of reweighting; levels beyond which a pixel speaks less


def fit_transfer(
    before: np.ndarray, after: np.ndarray, visible: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the transfer between two pictures of the same things, by least squares with Huber's weights.

    Args:
        before: float32 (h, w, 3), 0 to 255.
        after: the next frame brought onto it, of the same shape.
        visible: bool (h, w), where both show the same.

    Returns:
        the transfer (3, K), how many pixels speak at each level, as shares that sum to 1 (3, K), and what it leaves of
        each pixel, float32 (h, w, 3); all 0 where nothing is visible.
    """
    left = after - before
    if not visible.any():
        return np.zeros((3, KNOTS)), np.zeros((3, KNOTS)), np.zeros_like(left)
    curve, mass = np.zeros((3, KNOTS)), np.zeros((3, KNOTS))
    chosen = np.flatnonzero(visible)
    chosen = chosen[:: -(-len(chosen) // _PIXELS)]
    for c in range(3):
        middle = (before[..., c] + after[..., c]) / 2
        curve[c], mass[c] = _fit_one(middle.ravel()[chosen], left[..., c].ravel()[chosen])
        left[..., c] -= _read(curve[c], middle)
    return curve, mass, left


def _fit_one(middle: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    place = (middle / _SPACING).clip(0, KNOTS - 1 - 1e-4)
    low = place.astype(np.intp)
    upper = place - low
    lower = 1 - upper
    weight = np.full(len(step), 1 / len(step))
    mass = np.bincount(low, lower * weight, KNOTS) + np.bincount(low + 1, upper * weight, KNOTS)
    curve = np.full(KNOTS, np.median(step))
    for _ in range(_ROUNDS):
        gap = np.abs(step - (lower * curve[low] + upper * curve[low + 1]))
        limit = max(_OUTLIER, 1.5 * float(np.median(gap)))
        curve = _solve(low, lower, upper, step, weight * np.minimum(1, limit / np.maximum(gap, 1e-6)))
    return curve, mass


def _solve(
    low: np.ndarray, lower: np.ndarray, upper: np.ndarray, step: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Solve the normal equations of a piecewise linear curve, stiffened by its first and second differences."""
    system = np.zeros((KNOTS, KNOTS))
    knots = np.arange(KNOTS)
    system[knots, knots] += np.bincount(low, weight * lower * lower, KNOTS)
    system[knots, knots] += np.bincount(low + 1, weight * upper * upper, KNOTS)
    beside = np.bincount(low, weight * lower * upper, KNOTS)[:-1]
    system[knots[:-1], knots[1:]] += beside
    system[knots[1:], knots[:-1]] += beside
    wanted = np.bincount(low, weight * lower * step, KNOTS)
    wanted += np.bincount(low + 1, weight * upper * step, KNOTS)
    return np.linalg.solve(system + _STIFFNESS, wanted)


def _stiffness() -> np.ndarray:
    first, second = np.diff(np.eye(KNOTS), axis=0), np.diff(np.eye(KNOTS), 2, axis=0)
    return _BEND * second.T @ second + _SLOPE * first.T @ first + 1e-9 * np.eye(KNOTS)


_STIFFNESS = _stiffness()


def _read(curve: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return np.interp(levels, LEVELS, curve)


def read_curves(curves: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the displacement of many curves, each at levels of its own.

    Args:
        curves: (..., K). levels: (..., L), beyond 0 to 255 the end is held.

    Returns:
        (..., L).
    """
    place = (levels / _SPACING).clip(0, KNOTS - 1 - 1e-4)
    low = place.astype(np.intp)
    share = place - low
    first = np.take_along_axis(curves, low, -1)
    return first + share * (np.take_along_axis(curves, low + 1, -1) - first)


def step_forward(transfers: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return where transfers lead levels of the first frame: l + d(l + d / 2).

    Args:
        transfers: (..., K). levels: (..., L).
    """
    half = read_curves(transfers, levels) / 2
    half = read_curves(transfers, levels + half) / 2
    return levels + read_curves(transfers, levels + half)


def step_back(transfers: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return where levels of the second frame came from: `step_forward`'s inverse."""
    return step_forward(-transfers, levels)


def step_curve(transfer: np.ndarray) -> np.ndarray:
    """Return a transfer, which is read halfway, as a displacement of the first frame's levels, (..., K)."""
    levels = np.broadcast_to(LEVELS, transfer.shape)
    return step_forward(transfer, levels) - levels


def then(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the displacement of one curve followed by another, (..., K)."""
    return first + read_curves(second, LEVELS + first)


def inverse(curve: np.ndarray) -> np.ndarray:
    """Return the displacement that takes a curve (..., K) back; exact for a shift, near for a smooth one."""
    back = -curve
    for _ in range(4):
        back = -read_curves(curve, LEVELS + back)
    return back


def apply_curve(frame: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """Return a frame with its levels displaced, float32 (H, W, 3), not yet clipped.

    Args:
        frame: uint8 or float32 (H, W, 3).
        curve: (3, K).
    """
    table = np.stack([_read(one, np.arange(256.0)) for one in curve], -1).astype(np.float32)
    levels = np.arange(256, dtype=np.float32)[:, None]
    if frame.dtype == np.uint8:
        from moviola.propagation.flow import opencv

        return opencv().LUT(frame, np.ascontiguousarray((table + levels)[None]))
    out = np.empty_like(frame)
    for c in range(3):
        out[..., c] = frame[..., c] + np.interp(frame[..., c], levels[:, 0], table[:, c])
    return out


def affine_of(curve: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the gain and the offset nearest to a curve where pixels speak: l + d(l) ~ gain (l - 128) + 128 + offset.

    Args:
        curve: (..., K). mass: of the same shape, not negative.
    """
    total = np.maximum(mass.sum(-1, keepdims=True), 1e-9)
    middle = (mass * LEVELS).sum(-1, keepdims=True) / total
    shift = (mass * curve).sum(-1, keepdims=True) / total
    spread = (mass * (LEVELS - middle) ** 2).sum(-1) / total[..., 0]
    slope = (mass * (LEVELS - middle) * (curve - shift)).sum(-1) / total[..., 0] / (spread + 25.0)
    return 1 + slope, shift[..., 0] + slope * (128 - middle[..., 0])


def mean_shift(curve: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Return by how much a curve changes the mean, (...), levels; 0 where no pixel speaks."""
    return (curve * mass).sum(-1) / np.maximum(mass.sum(-1), 1e-9)


def smoothed(transfers: np.ndarray, segments: np.ndarray, sigma: float, reach: int) -> np.ndarray:
    """Find for every frame the curve that brings its levels to their mean over the frames around it.

    Every level is followed forwards and backwards from frame to frame, and the path is smoothed by a local line under
    a Gaussian window, so that a steady fade stays as it is, but for the ends, where its slope is believed in part.
    After Delon 2006, "Movie and video scale-time equalization", whose levels follow ranks of a histogram; here they
    follow pixels along motion.

    Args:
        transfers: (T, 3, K), [t] from frame t - 1 to t; [0] is not read.
        segments: int (T,), frames of different numbers are not compared.
        sigma: of the window, frames. reach: frames looked at on each side.

    Returns:
        corrections (T, 3, K), float32.
    """
    count = len(transfers)
    weights = line_weights(segments, sigma, reach)
    total = np.zeros((count, 3, KNOTS))
    paths = [np.broadcast_to(LEVELS, total.shape).copy() for _ in range(2)]
    for k in range(1, min(reach, count - 1) + 1):
        ahead, behind = paths
        ahead[: count - k] = step_forward(transfers[k:], ahead[: count - k])
        behind[k:] = step_back(transfers[1 : count - k + 1], behind[k:])
        total[: count - k] += weights[: count - k, reach + k, None, None] * (ahead[: count - k] - LEVELS)
        total[k:] += weights[k:, reach - k, None, None] * (behind[k:] - LEVELS)
    return total.astype(np.float32)


def line_weights(segments: np.ndarray, sigma: float, reach: int, ridge: float = 0.35) -> np.ndarray:
    """Return the weights of a local line under a Gaussian window, float32 (T, 2 reach + 1); each row sums to 1.

    Args:
        segments: int (T,), a frame has no weight for one of another number. sigma, reach: frames.
        ridge: how little a slope is believed that frames on one side alone tell of, in squared sigmas.
    """
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-(offsets**2) / (2 * sigma**2))
    at = np.arange(len(segments))[:, None] + offsets
    inside = (at >= 0) & (at < len(segments))
    same = inside & (segments[at.clip(0, len(segments) - 1)] == segments[:, None])
    weight = kernel * same
    first, second = (weight * offsets).sum(1), (weight * offsets**2).sum(1)
    mass = weight.sum(1)
    second += ridge * sigma**2 * mass
    line = weight * (second[:, None] - first[:, None] * offsets)
    return (line / line.sum(1, keepdims=True)).astype(np.float32)
