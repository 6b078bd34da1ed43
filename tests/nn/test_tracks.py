"""Tracks against known motion."""

from __future__ import annotations

import pytest
import torch

from moviola.core.errors import ConfigError
from moviola.nn.tracks import grid_points, read_at, track


def test_grid():
    """Row by row, evenly, the outermost points on the margin."""
    points = grid_points(11, 21, 3, margin=2)
    assert points[:4].tolist() == [[2, 2], [10, 2], [18, 2], [2, 5]]
    assert points[-1].tolist() == [18, 8]


def test_read_between_pixels():
    """A plane is read exactly."""
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij")
    field = torch.stack([2 * x + y, x - y])[None]
    points = torch.tensor([[1.25, 3.5], [6.0, 0.75]])
    expected = torch.stack([2 * points[:, 0] + points[:, 1], points[:, 0] - points[:, 1]], dim=1)
    assert torch.allclose(read_at(field, points), expected)


def spin(about, angle):
    """A flow method for pictures that turn about a point: exact, so that what remains is the tracker's own error."""

    def flow(first, second):
        h, w = first.shape[-2:]
        y, x = torch.meshgrid(torch.arange(h) - about[1], torch.arange(w) - about[0], indexing="ij")
        sign = 1.0 if float(second.mean()) > float(first.mean()) else -1.0  # later pictures are brighter
        c, s = torch.cos(torch.tensor(angle)), sign * torch.sin(torch.tensor(angle))
        return torch.stack([c * x - s * y - x, s * x + c * y - y])[None]

    return flow


def ramp(frames, size=41):
    """Pictures without anything in them, each brighter than the last."""
    return torch.linspace(-1, 1, frames).view(-1, 1, 1, 1).expand(frames, 3, size, size)


def test_points_go_round():
    """Ten turns of 36 degrees bring every point home, and none is lost."""
    points = torch.tensor([[20.0, 10.0], [26.5, 20.0], [14.0, 26.0]])
    tracks = track(ramp(11), points, spin((20.0, 20.0), 2 * torch.pi / 10))
    assert tracks.positions.shape == (11, 3, 2) and tracks.visible.all()
    assert torch.allclose(tracks.positions[5], 40 - points, atol=1e-3)
    assert torch.allclose(tracks.positions[10], points, atol=1e-3)


def test_points_that_leave():
    """A point that goes out stays at the edge and is lost for good; the others go on."""

    def right(first, second):
        step = 6.0 if float(second.mean()) > float(first.mean()) else -6.0
        return torch.tensor([step, 0.0]).view(1, 2, 1, 1).expand(1, 2, 41, 41)

    tracks = track(ramp(4), torch.tensor([[5.0, 7.0], [30.0, 9.0]]), right)
    assert tracks.positions[:, 0, 0].tolist() == [5, 11, 17, 23]
    assert tracks.positions[:, 1].tolist() == [[30, 9], [36, 9], [40, 9], [40, 9]]
    assert tracks.visible.tolist() == [[True, True], [True, True], [True, False], [True, False]]


def test_flows_that_disagree():
    """There 4 px and back 2 px: lost, unless nobody checks."""

    def flow(first, second):
        step = 4.0 if float(second.mean()) > float(first.mean()) else -2.0
        return torch.tensor([step, 0.0]).view(1, 2, 1, 1).expand(1, 2, 41, 41)

    points = torch.tensor([[5.0, 7.0]])
    assert track(ramp(2), points, flow).visible.tolist() == [[True], [False]]
    assert track(ramp(2), points, flow, check=False).visible.all()


def test_with_the_built_in_flow():
    """A texture that goes 1.5 px right and 1 px down a frame carries its points within half a pixel in 8 frames."""
    noise = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    large = torch.nn.functional.interpolate(noise, scale_factor=8, mode="bicubic").clamp(0, 1) * 2 - 1
    frames = torch.cat(
        [
            torch.nn.functional.avg_pool2d(large[..., 48 - 2 * t : 176 - 2 * t, 48 - 3 * t : 176 - 3 * t], 2)
            for t in range(8)
        ]
    )
    points = grid_points(64, 64, 4, margin=20)
    tracks = track(frames, points)
    expected = points + 7 * torch.tensor([1.5, 1.0])
    assert tracks.visible[-1].all()
    assert (tracks.positions[-1] - expected).norm(dim=1).max() < 0.5


def test_bad_input():
    """Both shapes are named."""
    with pytest.raises(ConfigError, match=r"got \(3, 41, 41\) and \(1, 2\)"):
        track(torch.zeros(3, 41, 41), torch.zeros(1, 2))
