"""Paint put in through a mask: against a sparse direct solver, and what stays."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import ConfigError
from moviola.propagation.composite import composite, feathered
from moviola.propagation.poisson import gradients, solve_within

from .sparse_differences import differences

pytest.importorskip("cv2")
sparse = pytest.importorskip("scipy.sparse")
linalg = pytest.importorskip("scipy.sparse.linalg")


@pytest.mark.parametrize("size", [(7, 9), (12, 5), (2, 13), (1, 6)])
@pytest.mark.parametrize("pull", [0.02, 0.1, 3.0])
def test_as_a_sparse_solver(size, pull):
    """The normal equations of the region's pixels with the others fixed, built as matrices, in float64."""
    height, width = size
    rng = np.random.default_rng(height * width)
    across, down, prior = rng.normal(0, 20, (3, height, width, 2))
    region = rng.random(size) < 0.6
    region[0, 0] = True
    x, y = differences(height, width)
    free = region.ravel()
    matrix = (x.T @ x + y.T @ y + pull * sparse.eye_array(height * width)).tocsr()
    found = solve_within(across, down, prior, region, pull)
    for c in range(2):
        right = x.T @ across[:, :-1, c].ravel() + y.T @ down[:-1, :, c].ravel() + pull * prior[..., c].ravel()
        fixed = matrix[free][:, ~free] @ prior[..., c].ravel()[~free]
        expected = prior[..., c].ravel().copy()
        expected[free] = linalg.spsolve(matrix[free][:, free].tocsc(), right[free] - fixed)
        assert np.abs(found[..., c].ravel() - expected).max() < 0.05


def test_gradients_of_the_prior_change_nothing():
    """Bit for bit: there is nothing to solve."""
    picture = np.random.default_rng(0).uniform(0, 255, (11, 14, 3)).astype(np.float32)
    region = np.zeros((11, 14), bool)
    region[2:8, 3:9] = True
    np.testing.assert_array_equal(solve_within(*gradients(picture), picture, region, 0.1), picture)


def test_outside_stays_and_far_inside_is_the_paint():
    """A hard mask: levels in between are found next to the border alone."""
    rng = np.random.default_rng(1)
    frame, paint = rng.integers(0, 120, (2, 60, 80, 3)).astype(np.uint8)
    paint += 100
    mask = np.zeros((60, 80), np.float32)
    mask[5:55, 5:75] = 1
    found = composite(frame, paint, mask, reach=2)
    np.testing.assert_array_equal(found[mask == 0], frame[mask == 0])
    np.testing.assert_array_equal(found[24:36, 24:56], paint[24:36, 24:56])
    assert (found[5:55, 5:75] != paint[5:55, 5:75]).any()


def test_an_offset_at_the_border_dies_away():
    """Paint that is the frame plus 40: the step at the border is a small part of 40, and all of it is there inside."""
    frame = np.full((50, 120, 3), 60, np.uint8)
    mask = np.zeros((50, 120), np.float32)
    mask[:, 60:] = 1
    found = composite(frame, frame + 40, mask, reach=4)[25, :, 0].astype(int)
    hard = composite(frame, frame + 40, mask, reach=0)[25, :, 0].astype(int)
    assert hard[60] - hard[59] == 40 and found[59] == 60 and found[119] == 100
    assert found[60] - found[59] <= 14 and (np.diff(found) >= 0).all()


def test_masks_of_one_value():
    """The arrays themselves, whatever the reach."""
    frame, paint = np.zeros((4, 5, 3), np.uint8), np.full((4, 5, 3), 9, np.uint8)
    assert composite(frame, paint, np.ones((4, 5), np.float32)) is paint
    assert composite(frame, paint, np.zeros((4, 5), np.float32)) is frame
    half = composite(frame, paint, np.full((4, 5), 1 / 3, np.float32))
    assert (half == 3).all()


def test_feather_rises_inwards():
    """By steps of 1 / (px + 1) from the border; the edge of the frame is none."""
    mask = np.zeros((9, 20), np.float32)
    mask[:, 10:] = 1
    np.testing.assert_allclose(feathered(mask, 3)[4, 8:16], [0, 0, 0.25, 0.5, 0.75, 1, 1, 1])
    assert feathered(mask, 0) is mask
    full = np.full((9, 20), 0.5, np.float32)
    assert feathered(full, 3) is full


def test_shapes_that_differ():
    frame = np.zeros((4, 5, 3), np.uint8)
    with pytest.raises(ConfigError, match="by a mask"):
        composite(frame, frame, np.zeros((5, 4), np.float32))
    with pytest.raises(ConfigError, match="pull must be above 0"):
        solve_within(frame, frame, frame, np.ones((4, 5), bool), 0)
