"""Motion features of a clip: histograms of the velocity and the acceleration of tracked points.

Source: Liu et al. 2024, "Fréchet Video Motion Distance: A Metric for Evaluating Motion Consistency in Videos",
section 3, with the numbers of the authors' program: a grid of 20 x 20 points, cells of 5 x 5 points and 4 frames,
8 directions, speeds weighed by log2(1 + speed) / 8.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from moviola.core.errors import ConfigError

DIRECTIONS = 8
CELL_POINTS = 5
CELL_FRAMES = 4
LARGEST = 255.0
Weighing = Literal["smooth", "steps"]


def velocity(tracks: np.ndarray) -> np.ndarray:
    """Return the change of position from the frame before, 0 in the first frame.

    Args:
        tracks: (x, y) of points in px, (T, N, 2).

    Returns:
        float64 (T, N, 2), px per frame.
    """
    displacement = np.zeros(tracks.shape, np.float64)
    displacement[1:] = np.diff(tracks.astype(np.float64), axis=0)
    return displacement


def acceleration(tracks: np.ndarray) -> np.ndarray:
    """Return the change of velocity from the frame before, 0 in the first two frames; as `velocity`, px/frame^2."""
    changed = np.zeros(tracks.shape, np.float64)
    changed[2:] = np.diff(tracks.astype(np.float64), n=2, axis=0)
    return changed


def weigh(length: np.ndarray, weighing: Weighing = "smooth") -> np.ndarray:
    """Return what vectors of `length` (px, at least 0) add to a histogram, 0 to 1.

    "smooth" is log2(1 + min(length, 255)) / 8. The authors' program ("steps") rounds the logarithm up to whole numbers,
    so that the slightest tremor of a still point weighs as much as a whole pixel of motion: 1/8.
    """
    logarithm = np.log2(1 + np.minimum(length, LARGEST))
    return (np.ceil(logarithm) if weighing == "steps" else logarithm) / 8


def direction_histogram(vectors: np.ndarray, weighing: Weighing = "smooth") -> np.ndarray:
    """Return the histogram of directions in every cell of space and time.

    Bin 0 begins at pointing left and goes on towards up; each bin is an eighth of a turn, so 2 begins at up, 4 at
    right and 6 at down. Points and frames that fill no whole cell are left out.

    Args:
        vectors: (x, y) at a square grid of points, row by row, (T, side^2, 2).
        weighing: what a vector adds; see `weigh`.

    Returns:
        float64 (T // 4, side // 5, side // 5, 8): time, rows, columns, directions.

    Raises:
        ConfigError: points that form no square grid, or no whole cell.
    """
    frames, points = vectors.shape[:2]
    side = round(points**0.5)
    if side * side != points:
        raise ConfigError(f"motion histograms need a square grid of points, got {points}")
    times, cells = frames // CELL_FRAMES, side // CELL_POINTS
    if not times or not cells:
        raise ConfigError(
            f"a motion histogram needs at least {CELL_FRAMES} frames and {CELL_POINTS} x {CELL_POINTS} points, "
            f"got {frames} frames and {side} x {side} points"
        )
    field = vectors.reshape(frames, side, side, 2)[
        : times * CELL_FRAMES, : cells * CELL_POINTS, : cells * CELL_POINTS
    ]
    turn = (np.arctan2(field[..., 1], field[..., 0]) + np.pi) / (2 * np.pi)
    bins = np.minimum((turn * DIRECTIONS).astype(np.int64), DIRECTIONS - 1)
    weights = weigh(np.linalg.norm(field, axis=-1), weighing)
    spread = np.where(bins[..., None] == np.arange(DIRECTIONS), weights[..., None], 0.0)
    shape = (times, CELL_FRAMES, cells, CELL_POINTS, cells, CELL_POINTS, DIRECTIONS)
    return spread.reshape(shape).sum(axis=(1, 3, 5))


def motion_features(tracks: np.ndarray, weighing: Weighing = "smooth") -> np.ndarray:
    """Return the histograms of velocity and of acceleration, one after the other.

    Args:
        tracks: (x, y) in px of points that start on a square grid, (T, side^2, 2).
        weighing: what a vector adds; see `weigh`.

    Returns:
        float64 (d,): 1024 numbers for 16 frames and 20 x 20 points.

    Raises:
        ConfigError: as `direction_histogram`.
    """
    both = (velocity(tracks), acceleration(tracks))
    return np.concatenate([direction_histogram(vectors, weighing).ravel() for vectors in both])
