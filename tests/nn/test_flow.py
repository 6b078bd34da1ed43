"""Optical flow against motions that are known exactly, and against OpenCV."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError
from moviola.nn.flow import LucasKanadeConfig, end_point_error, lucas_kanade, resize_flow, solve, structure
from moviola.nn.warp import inside, pixel_grid

HEIGHT, WIDTH = 72, 96


def waves(x, y, seed=0):
    """A smooth coloured texture at any places (H, W), so that a moved picture needs no resampling; (1, 3, H, W)."""
    draw = np.random.default_rng(seed)
    channels = []
    for _ in range(3):
        across, down, phase = draw.uniform(-0.6, 0.6, 12), draw.uniform(-0.6, 0.6, 12), draw.uniform(0, 7, 12)
        channels.append(
            sum(torch.sin(a * x + d * y + p) for a, d, p in zip(across, down, phase, strict=True)) / 6
        )
    return torch.stack(channels)[None].clamp(-1, 1)


def centred(height=HEIGHT, width=WIDTH):
    y, x = torch.meshgrid(torch.arange(height) - height / 2, torch.arange(width) - width / 2, indexing="ij")
    return x, y


def moved(matrix, shift, height=HEIGHT, width=WIDTH):
    """A picture, the same moved by p -> matrix p + shift about the middle, the true flow, and where it stays inside."""
    x, y = centred(height, width)
    places = torch.stack([x, y])
    matrix, shift = torch.tensor(matrix), torch.tensor(shift).view(2, 1, 1)
    origin = torch.einsum("ij,jhw->ihw", torch.linalg.inv(matrix), places - shift)
    flow = (torch.einsum("ij,jhw->ihw", matrix, places) + shift - places)[None]
    first = waves(x, y)
    stays = inside(pixel_grid(height, width, first) + flow, height, width).bool()
    return first, waves(*origin), flow, stays


def turn(angle, scale=1.0):
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return [[c, -s], [s, c]]


@pytest.mark.parametrize(
    ("matrix", "shift", "bound"),
    [
        (turn(0), (0.4, -0.3), 0.1),
        (turn(0), (3.5, -2.25), 0.1),
        (turn(0), (12.0, -7.0), 0.3),
        (turn(0.05), (1.0, 0.0), 0.2),
        (turn(0, 1.06), (0.0, 0.0), 0.2),
    ],
    ids=["part of a pixel", "shift", "large shift", "turn", "zoom"],
)
def test_known_motion(matrix, shift, bound):
    """Within a tenth of a pixel for shifts, two tenths for turning and zooming, three for a shift of a sixth."""
    first, second, truth, stays = moved(matrix, shift)
    found = lucas_kanade(first, second)
    assert found.shape == (1, 2, HEIGHT, WIDTH) and found.dtype == torch.float32
    assert float(end_point_error(found, truth, stays)) < bound
    half = lucas_kanade(first, second, LucasKanadeConfig(finest=1))
    assert float(end_point_error(half, truth, stays)) < 3 * bound


def test_nothing_moves():
    """The same picture twice, and a flat one, have no motion at all."""
    picture = moved(turn(0), (0.0, 0.0))[0]
    assert lucas_kanade(picture, picture).abs().max() < 1e-4
    assert lucas_kanade(picture * 0, picture * 0).abs().max() < 1e-20


def test_change_of_light():
    """The picture brightens by 10 of 255 while it moves: the gradient is held constant, so motion is found."""
    first, second, truth, stays = moved(turn(0), (2.5, 1.0))
    assert float(end_point_error(lucas_kanade(first * 0.8, second * 0.8 + 0.08), truth, stays)) < 0.15


def test_two_motions():
    """A square that goes 5 px right over a ground that goes 2 px up: both are found, and the edge is sharp."""
    x, y = centred()
    ground = waves(x, y, 1)
    first, second = ground.clone(), waves(x, y + 2, 1)
    square = (slice(None), slice(None), slice(24, 48), slice(30, 54))
    target = (*square[:3], slice(35, 59))
    first[square] = waves(x, y, 2)[square]
    second[target] = waves(x, y, 2)[square]
    flow = lucas_kanade(first, second)
    inner, outer = flow[0, :, 27:45, 33:51], flow[0, :, 8:64, 4:24]
    assert (inner - torch.tensor([5.0, 0.0]).view(2, 1, 1)).norm(dim=0).mean() < 0.2
    assert (outer - torch.tensor([0.0, -2.0]).view(2, 1, 1)).norm(dim=0).mean() < 0.2
    horizontal = flow[0, 0, 36]  # along a line through the square's middle: 0 before it, 5 in it
    assert horizontal[26] < 1 and horizontal[33] > 4


def test_no_worse_than_opencv():
    """Over five motions the mean error is below that of Farneback's method with OpenCV's usual settings."""
    cv2 = pytest.importorskip("cv2")
    errors = []
    for matrix, shift in ((turn(0), (3.5, -2.25)), (turn(0), (12.0, -7.0)), (turn(0.05), (1.0, 0.0))):
        first, second, truth, stays = moved(matrix, shift)
        grey = [((p[0].mean(0) + 1) * 127.5).round().byte().numpy() for p in (first, second)]
        other = cv2.calcOpticalFlowFarneback(*grey, None, 0.5, 3, 15, 3, 5, 1.2, 0)
        other = torch.from_numpy(other).permute(2, 0, 1)[None]
        flows = (lucas_kanade(first, second), other)
        errors.append([float(end_point_error(flow, truth, stays)) for flow in flows])
    ours, theirs = np.mean(errors, axis=0)
    assert ours < theirs


def test_batches_and_grey():
    """Pictures of a batch do not see each other; one channel works as three equal ones do."""
    pairs = [moved(turn(0), shift)[:2] for shift in ((2.0, 0.0), (0.0, -3.0))]
    first, second = (torch.cat(side) for side in zip(*pairs, strict=True))
    both = lucas_kanade(first, second)
    alone = torch.cat([lucas_kanade(*pair) for pair in pairs])
    assert torch.allclose(both, alone, atol=1e-3)
    grey = [side.mean(1, keepdim=True) for side in pairs[0]]
    three = lucas_kanade(*(side.expand(1, 3, HEIGHT, WIDTH) for side in grey))
    # a colour difference counts thrice with three equal channels: the neighbourhoods differ a little
    assert float(end_point_error(lucas_kanade(*grey), three)) < 0.1


def test_small_pictures():
    """The smallest sprites too: a 16x16 picture moved by one pixel."""
    first, second, truth, stays = moved(turn(0), (1.0, 0.0), 16, 16)
    assert float(end_point_error(lucas_kanade(first, second), truth, stays)) < 0.3


def test_resized_flow():
    """Vectors scale with the sides: twice as wide and thrice as high."""
    flow = torch.tensor([1.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 5, 4)
    large = resize_flow(flow, 15, 8)
    assert large.shape == (1, 2, 15, 8)
    assert torch.allclose(large, torch.tensor([2.0, -6.0]).view(1, 2, 1, 1).expand(1, 2, 15, 8))
    assert resize_flow(flow, 5, 4) is flow


def test_end_point_error():
    """A difference of (3, 4) is 5 px; pixels that do not count do not."""
    truth = torch.zeros(1, 2, 2, 2)
    flow = truth.clone()
    flow[0, :, 0, 0] = torch.tensor([3.0, 4.0])
    where = torch.tensor([[True, False], [False, True]])[None, None]
    assert float(end_point_error(flow, truth)) == pytest.approx(5 / 4)
    assert float(end_point_error(flow, truth, where)) == pytest.approx(5 / 2)


def test_least_squares():
    """The step is numpy's least squares solution; the certainty is the smaller eigenvalue."""
    draw = np.random.default_rng(0)
    across, down, change = (torch.from_numpy(draw.normal(size=(1, 3, 40))) for _ in range(3))
    weight = torch.from_numpy(draw.uniform(0.5, 2, (1, 3, 40)))
    sums = structure(weight, across, down, change).sum(-1, keepdim=True)
    step, certainty = solve(sums, 0.0)
    root = weight.sqrt().flatten().numpy()
    slopes = torch.stack([across, down], -1).reshape(-1, 2).numpy() * root[:, None]
    expected = np.linalg.lstsq(slopes, -change.flatten().numpy() * root, rcond=None)[0]
    assert step.flatten().numpy() == pytest.approx(expected, rel=1e-9)
    assert float(certainty) == pytest.approx(np.linalg.eigvalsh(slopes.T @ slopes)[0], rel=1e-9)


@pytest.mark.parametrize("shapes", [((1, 3, 8, 8), (1, 3, 8, 9)), ((1, 2, 8, 8),) * 2, ((3, 8, 8),) * 2])
def test_bad_input(shapes):
    """Both shapes are named."""
    first, second = (torch.zeros(shape) for shape in shapes)
    with pytest.raises(
        ConfigError, match=r"flow needs two batches of pictures \(B, 3 or 1, H, W\) of one shape"
    ):
        lucas_kanade(first, second)
