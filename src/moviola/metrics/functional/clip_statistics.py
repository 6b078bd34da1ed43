"""Plain numbers that tell clips with different flaws apart: no network, a few milliseconds a clip."""

from __future__ import annotations

import numpy as np

from moviola.core.errors import InputError
from moviola.core.luma import luma as brightness

LEAST_FRAMES, LEAST_SIDE = 4, 16
_SCALES = 4


def clip_statistics(frames: np.ndarray) -> np.ndarray:
    """Return what a clip is like: colour, detail by scale, change by scale, flicker, stillness, levels, blocks.

    Most are logarithms of energies, so that a step of 1 is a factor of e. Detail is that of Haar wavelets of the
    brightness at cells of 2, 4, 8 and 16 px, straight and diagonal apart (a chequered pattern is diagonal alone);
    change is the same of differences between frames.

    Args:
        frames: uint8 (T, H, W, 3), T at least 4, H and W at least 16.

    Returns:
        float32 (d,), the same d for every clip.

    Raises:
        InputError: too few frames or too small ones.
    """
    count, height, width = frames.shape[:3]
    if count < LEAST_FRAMES or min(height, width) < LEAST_SIDE:
        raise InputError(
            f"clip statistics need {LEAST_FRAMES} frames of {LEAST_SIDE}x{LEAST_SIDE} px or more, "
            f"got {count} of {width}x{height}"
        )
    luma = brightness(frames)
    change = np.diff(luma, axis=0)
    values = [
        *_colour(frames, luma),
        *_haar(luma, _SCALES),
        *_haar(change, _SCALES - 1),
        *_in_time(frames, luma, change),
        *_levels(frames, luma),
        _softening(luma),
    ]
    return np.array(values, np.float32)


def _log(value: float | np.floating, floor: float = 0.1) -> float:
    return float(np.log(floor + value))


def _colour(frames: np.ndarray, luma: np.ndarray) -> list[float]:
    mean = frames.mean((0, 1, 2), dtype=np.float64) / 32
    spread = frames.max(-1).astype(np.int16) - frames.min(-1)
    return [*map(float, mean), _log(luma.std(), 1), _log(spread.mean(), 1)]


def _haar(planes: np.ndarray, scales: int) -> list[float]:
    """Log energies of straight and diagonal Haar detail at `scales` scales, and of what is left."""
    values = []
    for _ in range(scales):
        height, width = (side // 2 * 2 for side in planes.shape[1:])
        a, b = planes[:, 0:height:2, 0:width:2], planes[:, 0:height:2, 1:width:2]
        c, d = planes[:, 1:height:2, 0:width:2], planes[:, 1:height:2, 1:width:2]
        across, down, diagonal = a - b + c - d, a + b - c - d, a - b - c + d
        values += [_log(np.mean(across**2 + down**2)), _log(np.mean(diagonal**2))]
        planes = (a + b + c + d) / 4
    return [*values, _log(planes.var())]


def _in_time(frames: np.ndarray, luma: np.ndarray, change: np.ndarray) -> list[float]:
    """Motion and its unevenness, swing back and forth, flicker of brightness and colour, share of still pixels."""
    motion = (change**2).mean((1, 2))
    second_difference = np.diff(change, axis=0)
    far = luma[LEAST_FRAMES - 1 :] - luma[: 1 - LEAST_FRAMES]
    means = frames.mean((1, 2), dtype=np.float64)
    brightness, tint = means.mean(1), means - means.mean(1, keepdims=True)
    return [
        _log(motion.mean()),
        _log(motion.max(), 1) - _log(np.median(motion), 1),
        _log(np.mean(second_difference**2)),
        _log(np.mean(far**2)),
        _log(np.abs(np.diff(brightness, 2)).mean(), 0.05),
        _log(np.abs(np.diff(tint, 2, axis=0)).mean(), 0.05),
        4 * float((np.abs(change) < 0.5).mean()),
    ]


def _levels(frames: np.ndarray, luma: np.ndarray) -> list[float]:
    """Entropy of the levels, share of flat pixels, peakedness of gradients, gradients at the edges of 8 px blocks."""
    counts = np.bincount(frames.ravel(), minlength=256)
    shares = counts[counts > 0] / frames.size
    slopes = np.abs(np.diff(luma, axis=2)), np.abs(np.diff(luma, axis=1))
    energy = float(np.mean(slopes[0] ** 2))
    at_edges = slopes[0][:, :, 7::8].mean() + slopes[1][:, 7::8].mean()
    off_grid = slopes[0][:, :, 3::8].mean() + slopes[1][:, 3::8].mean()
    return [
        float(-(shares * np.log(shares)).sum()),
        4 * float((slopes[0] < 0.5).mean()),
        _log(slopes[0].mean()) - 0.5 * _log(energy),
        _log(at_edges, 1) - _log(off_grid, 1),
    ]


def _softening(luma: np.ndarray) -> float:
    """Log of how much more detail the first frame has than the second half."""
    energy = (np.diff(luma, axis=2) ** 2).mean((1, 2))
    return _log(energy[0], 1) - _log(energy[len(energy) // 2 :].mean(), 1)
