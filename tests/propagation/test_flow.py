"""Flow on numpy frames: exact cases, a moving square with known occlusion, and torch's warp as the other library."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError, UnknownNameError
from moviola.nn.warp import warp as torch_warp
from moviola.propagation.flow import (
    between,
    compose,
    estimator,
    inside,
    occlusion,
    warp,
)


def constant(x, y, height=12, width=17):
    return np.broadcast_to(np.array([x, y], np.float32), (height, width, 2)).copy()


def noise(height=12, width=17, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_no_motion_is_exact(kernel, dtype):
    picture = noise().astype(dtype)
    assert (warp(picture, constant(0, 0), kernel) == picture).all()


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic"])
def test_whole_pixels_are_exact(kernel):
    """Pixels are picked; outside, the edge is held."""
    picture = noise()
    rows = np.clip(np.arange(12) - 2, 0, 11)
    columns = np.clip(np.arange(17) + 3, 0, 16)
    assert (warp(picture, constant(3, -2), kernel) == picture[rows][:, columns]).all()


def test_between_pixels_is_torchs():
    """Bilinear reading agrees with torch's grid_sample within OpenCV's fixed point of 1/32 px."""
    rng = np.random.default_rng(1)
    picture = noise(20, 30, 2).astype(np.float32)
    flow = rng.uniform(-4, 4, (20, 30, 2)).astype(np.float32)
    expected, valid = torch_warp(
        torch.from_numpy(picture).permute(2, 0, 1)[None], torch.from_numpy(flow).permute(2, 0, 1)[None]
    )
    assert np.abs(warp(picture, flow) - expected[0].permute(1, 2, 0).numpy()).max() < 255 / 16
    assert np.abs(warp(picture, flow) - expected[0].permute(1, 2, 0).numpy()).mean() < 1.5
    assert (inside(flow) == valid[0, 0].numpy()).all()


def test_composing():
    """Nothing changes nothing, whole pixels add up, and a chain leads where its parts lead."""
    rng = np.random.default_rng(3)
    some = rng.uniform(-3, 3, (12, 17, 2)).astype(np.float32)
    still = constant(0, 0)
    assert (compose(some, still) == some).all()
    assert (compose(still, some) == some).all()
    assert (compose(constant(2, 1), constant(-5, 3)) == constant(-3, 4)).all()
    shifted = compose(constant(4, -1), some)
    assert (shifted[1:, :-4] == some[:-1, 4:] + np.array([4, -1], np.float32)).all()


def test_occlusion_of_a_moving_square():
    """A square moves 8 px to the right over a still ground: in the first frame what it is about to cover is hidden
    in the second."""
    forward, backward = constant(0, 0, 40, 60), constant(0, 0, 40, 60)
    forward[10:20, 10:20] = [8, 0]
    backward[10:20, 18:28] = [-8, 0]
    hidden = occlusion(forward, backward)
    expected = np.zeros((40, 60), bool)
    expected[10:20, 20:28] = True
    assert (hidden == expected).all()
    uncovered = occlusion(backward, forward)
    expected[:] = False
    expected[10:20, 10:18] = True
    assert (uncovered == expected).all()


def test_estimated_motion_of_a_textured_square():
    """DIS finds a square that moved, and the occlusion lies before it."""
    rng = np.random.default_rng(5)
    import cv2

    ground = cv2.GaussianBlur(rng.integers(0, 256, (96, 128, 3), dtype=np.uint8), (0, 0), 1.5)
    square = cv2.GaussianBlur(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8), (0, 0), 1.5)
    first, second = ground.copy(), ground.copy()
    first[24:72, 24:72] = square
    second[24:72, 30:78] = square
    found = between(first, second, estimator("dis"))
    assert np.abs(np.median(found.forward[32:64, 32:64], axis=(0, 1)) - [6, 0]).max() < 0.3
    assert np.abs(np.median(found.backward[32:64, 40:70], axis=(0, 1)) - [-6, 0]).max() < 0.3
    assert found.occluded[28:68, 75:77].mean() > 0.6
    assert found.occluded[:16].mean() < 0.05


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (11, 11), (17, 23)])
def test_frames_of_any_size(shape):
    """Frames too small for the method still give a flow of their size, and none for a still picture."""
    frame = noise(*shape)
    found = estimator("dis")(frame, frame)
    assert found.shape == (*shape, 2) and found.dtype == np.float32
    assert np.abs(found).max() < 0.5


def test_what_is_refused():
    with pytest.raises(UnknownNameError, match="dis"):
        estimator("diss")
    with pytest.raises(ConfigError, match="one size"):
        estimator("dis")(noise(), noise(13))
    with pytest.raises(ConfigError, match="flow for pictures"):
        warp(noise(), constant(0, 0, 13))
    with pytest.raises(ConfigError, match="flow for pictures"):
        compose(constant(0, 0), constant(0, 0, 13))
