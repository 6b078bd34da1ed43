"""The Poisson solver against a sparse direct solver, and the fusion in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sparse
from scipy.sparse.linalg import spsolve

from moviola.core.errors import ConfigError
from moviola.propagation.poisson import fuse, gradients, solve

from .sparse_differences import differences


@pytest.mark.parametrize("size", [(7, 9), (12, 5), (2, 13), (16, 16)])
@pytest.mark.parametrize("pull", [0.003, 0.1, 3.0])
def test_as_a_sparse_solver(size, pull):
    """The normal equations, built as matrices and solved directly, in float64."""
    height, width = size
    rng = np.random.default_rng(height * width)
    across, down, prior = rng.normal(0, 20, (3, height, width))
    x, y = differences(height, width)
    matrix = x.T @ x + y.T @ y + pull * sparse.eye_array(height * width)
    right = x.T @ across[:, :-1].ravel() + y.T @ down[:-1].ravel() + pull * prior.ravel()
    expected = spsolve(matrix.tocsc(), right).reshape(size)
    assert np.abs(solve(across, down, prior, pull) - expected).max() < 2e-3


def test_without_pull():
    """The gradients of a picture give the picture back, moved to the prior's mean."""
    picture = np.random.default_rng(0).uniform(0, 255, (21, 30, 3)).astype(np.float32)
    found = solve(*gradients(picture), np.full_like(picture, 7), pull=0)
    assert np.abs(found - (picture - picture.mean((0, 1)) + 7)).max() < 1e-2


def test_consistent_gradients_and_prior():
    """A picture's own gradients and itself as the prior: nothing to do, at any pull, on a single pixel too."""
    for size in [(1, 1), (1, 8), (9, 1), (15, 22)]:
        picture = np.random.default_rng(1).uniform(0, 255, size).astype(np.float32)
        for pull in (0, 1e-4, 0.05, 100):
            assert np.abs(solve(*gradients(picture), picture, pull) - picture).max() < 5e-3


def test_equal_frames_come_back():
    """Whatever the shares are."""
    rng = np.random.default_rng(2)
    frame = rng.integers(0, 256, (37, 51, 3), dtype=np.uint8)
    share = rng.random((37, 51), dtype=np.float32)
    assert np.abs(fuse(frame, frame, share, frame).astype(int) - frame).max() <= 1


def test_the_seam_goes():
    """One scene, half of it brighter by 40 in the second frame's exposure: a hard choice leaves a step of 40, the
    fusion spreads it over the picture."""
    rng = np.random.default_rng(3)
    first = rng.integers(60, 140, (40, 60, 3), dtype=np.uint8)
    second = first + np.uint8(40)
    share = np.zeros((40, 60), np.float32)
    share[:, :30] = 1
    prior = ((first.astype(np.float32) + second) / 2).astype(np.uint8)
    found = fuse(first, second, share, prior, pull=1e-3).astype(int)
    plain = np.where(share[..., None] > 0, first, second).astype(int)
    true_step = (first[:, 30].astype(int) - first[:, 29]).mean()
    assert (plain[:, 30] - plain[:, 29]).mean() - true_step == pytest.approx(40)
    assert abs((found[:, 30] - found[:, 29]).mean() - true_step) < 1.5
    inner = found[:, 1:29] - found[:, :28] - (first[:, 1:29].astype(int) - first[:, :28])
    assert np.abs(inner).max() <= 3


def test_what_is_refused():
    picture = np.zeros((4, 5), np.float32)
    with pytest.raises(ConfigError, match="at least 0"):
        solve(picture, picture, picture, -1)
    with pytest.raises(ConfigError, match="one shape"):
        solve(picture, picture.T, picture)
    frame = np.zeros((4, 5, 3), np.uint8)
    with pytest.raises(ConfigError, match="cannot fuse"):
        fuse(frame, frame, np.zeros((5, 4), np.float32), frame)
