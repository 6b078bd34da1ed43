"""Motion histograms against loops and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moviola.core.errors import ConfigError
from moviola.metrics.functional.motion_histogram import (
    acceleration,
    direction_histogram,
    motion_features,
    velocity,
    weigh,
)


def grid(side=20, step=10.0):
    """Points (side^2, 2), row by row."""
    y, x = np.mgrid[0:side, 0:side] * step
    return np.stack([x, y], axis=-1).reshape(-1, 2)


def moving(step, frames=16, side=20):
    """Tracks of a grid that moves by `step` px every frame."""
    return grid(side) + np.arange(frames)[:, None, None] * np.asarray(step)


def histogram_by_loops(vectors, side):
    """The same, one vector at a time."""
    out = np.zeros((len(vectors) // 4, side // 5, side // 5, 8))
    for t in range(len(vectors) // 4 * 4):
        for row in range(side // 5 * 5):
            for column in range(side // 5 * 5):
                x, y = vectors[t, row * side + column]
                sector = int((math.degrees(math.atan2(y, x)) + 180) // 45) % 8
                out[t // 4, row // 5, column // 5, sector] += math.log2(1 + min(math.hypot(x, y), 255)) / 8
    return out


def test_by_loops():
    """Random vectors, with frames and points left over."""
    vectors = np.random.default_rng(0).normal(0, 60, (10, 12 * 12, 2))
    assert direction_histogram(vectors) == pytest.approx(histogram_by_loops(vectors, 12), rel=1e-12)


def test_constant_velocity():
    """Every cell of the velocity holds its 100 vectors in one bin; there is no acceleration at all."""
    tracks = moving((3, 0))
    expected = 25 * math.log2(4) / 8
    found = direction_histogram(velocity(tracks))
    assert found.shape == (4, 4, 4, 8)
    assert found[1:, ..., 4] == pytest.approx(np.full((3, 4, 4), 4 * expected))
    assert found[0, ..., 4] == pytest.approx(np.full((4, 4), 3 * expected))  # no velocity in the first frame
    assert found.sum() == pytest.approx(15 * 16 * expected)
    assert not acceleration(tracks).any()
    features = motion_features(tracks)
    assert features.shape == (1024,) and not features[512:].any()


@pytest.mark.parametrize(
    ("step", "sector"), [((-3, -1), 0), ((-1, -3), 1), ((1, -3), 2), ((3, 1), 4), ((1, 3), 5)]
)
def test_directions(step, sector):
    """Left is bin 0, then up, right and down: eighths of a turn."""
    found = direction_histogram(velocity(moving(step))).sum(axis=(0, 1, 2))
    assert found[sector] == pytest.approx(found.sum()) and found.sum() > 0


def test_constant_acceleration():
    """Free fall: velocity grows, acceleration is the same downwards from the third frame on."""
    fall = grid() + np.stack([np.zeros(16), 0.5 * np.arange(16) ** 2], axis=-1)[:, None]
    assert acceleration(fall)[2:] == pytest.approx(np.broadcast_to([0.0, 1.0], (14, 400, 2)))
    # down is the boundary of bins 5 and 6 and belongs to the later one
    found = direction_histogram(acceleration(fall)).sum(axis=(1, 2, 3))
    assert found == pytest.approx(400 * np.array([2, 4, 4, 4]) / 8)


def test_rotation():
    """A grid that turns about its middle: quadrant cells point the way they turn, at the speed of their radius."""
    points, angle = grid(10) - 45, 0.02
    turns = np.arange(4)[:, None] * angle
    radius, start = np.hypot(*points.T), np.arctan2(points[:, 1], points[:, 0])
    tracks = np.stack([radius * np.cos(start + turns), radius * np.sin(start + turns)], axis=-1)
    found = direction_histogram(velocity(tracks))[0]
    lengths = (2 * radius * math.sin(angle / 2)).reshape(10, 10)  # chords
    weights = 3 * np.log2(1 + lengths) / 8
    for row in range(2):
        for column in range(2):
            cell = weights[5 * row : 5 * row + 5, 5 * column : 5 * column + 5].sum()
            assert found[row, column].sum() == pytest.approx(cell, rel=1e-9)
    # x to y is clockwise on a screen: the upper left cell goes up and right (bins 2 and 3), and so on round
    busiest = found.reshape(2, 2, 4, 2).sum(axis=-1).argmax(axis=-1)
    assert busiest.tolist() == [[1, 2], [0, 3]]


def test_weighing():
    """0 to 1; the authors' steps lift a tremor to a whole eighth."""
    lengths = np.array([0.0, 1e-6, 1.0, 3.0, 255.0, 1e9])
    assert weigh(lengths) == pytest.approx([0, 1.8e-7, 1 / 8, 2 / 8, 1, 1], rel=1e-2)
    assert weigh(lengths, "steps") == pytest.approx([0, 1 / 8, 1 / 8, 2 / 8, 1, 1])


def test_bad_input():
    """Too few frames or points, or no square grid."""
    with pytest.raises(ConfigError, match="at least 4 frames and 5 x 5 points, got 3 frames and 20 x 20"):
        motion_features(moving((1, 0), frames=3))
    with pytest.raises(ConfigError, match="square grid of points, got 7"):
        direction_histogram(np.zeros((4, 7, 2)))
