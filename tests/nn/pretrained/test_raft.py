"""RAFT-small: its parts against loops, and with the authors' weights (where they are) against known motion."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from moviola.core.errors import ConfigError, WeightsError
from moviola.data import codec
from moviola.nn.flow import end_point_error, lucas_kanade
from moviola.nn.pretrained.raft import RaftSmall, correlation_pyramid, load_raft, look_up, raft_sha256
from moviola.nn.warp import inside, pixel_grid, warp


@pytest.fixture(scope="module")
def untrained():
    """RAFT-small with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return RaftSmall().eval()


@pytest.fixture(scope="module")
def weights(shared):
    """The authors' file."""
    file = shared / "media" / "weights" / "raft-small.pth"
    if not file.is_file():
        pytest.skip(f"no {file.name} in {file.parent}")
    return file


def test_size(untrained):
    """The paper's small model: 1.0 M parameters (table 1: 990 k)."""
    assert sum(p.numel() for p in untrained.parameters()) == 990_162


def test_correlation_by_loops():
    """Equation 1, and every level the mean over 2x2 pixels of the one before."""
    draw = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 5, 4, 6, generator=draw), torch.randn(2, 5, 4, 6, generator=draw)
    full, half = correlation_pyramid(first, second, 2)
    assert full.shape == (48, 1, 4, 6) and half.shape == (48, 1, 2, 3)
    at = full.view(2, 4, 6, 4, 6)
    for b, y, x, v, u in ((0, 0, 0, 0, 0), (1, 3, 2, 1, 5), (0, 2, 4, 3, 0)):
        expected = (first[b, :, y, x] @ second[b, :, v, u]) / math.sqrt(5)
        assert float(at[b, y, x, v, u]) == pytest.approx(float(expected), rel=1e-5)
    assert float(half[7, 0, 1, 2]) == pytest.approx(float(full[7, 0, 2:4, 4:6].mean()), rel=1e-5)


def test_look_up_by_loops():
    """A window around each place: whole pixels are read as they are, beyond the edge there is nothing."""
    volume = torch.arange(2 * 4 * 5.0).view(2, 1, 4, 5) + 1
    position = torch.tensor([[2.0, 4.0], [1.0, 0.0]]).T.reshape(1, 2, 1, 2)  # (2, 1) and (4, 0), (x, y)
    position = torch.stack([torch.tensor([[2.0, 4.0]]), torch.tensor([[1.0, 0.0]])])[None]
    read = look_up([volume], position, 1)[0].view(3, 3, 2)
    for pixel, (x, y) in enumerate(((2, 1), (4, 0))):
        for i, dx in enumerate((-1, 0, 1)):
            for j, dy in enumerate((-1, 0, 1)):
                u, v = x + dx, y + dy
                there = float(volume[pixel, 0, v, u]) if 0 <= u < 5 and 0 <= v < 4 else 0.0
                assert float(read[i, j, pixel]) == pytest.approx(there, abs=1e-4)
    between = look_up([volume], position + 0.5, 0)[0, 0, 0, 0]
    assert float(between) == pytest.approx(float(volume[0, 0, 1:3, 2:4].mean()))


@pytest.mark.parametrize("size", [(128, 136), (61, 75)])
def test_any_size(untrained, size):
    """Sides that 8 does not divide, and small ones, give flow of the pictures' own size."""
    flow = untrained(torch.zeros(1, 3, *size), torch.zeros(1, 3, *size))
    assert flow.shape == (1, 2, *size) and torch.isfinite(flow).all()


def test_bad_input(untrained, tmp_path):
    """Shapes and files are named."""
    with pytest.raises(ConfigError, match=r"raft needs two image batches \(B, 3, H, W\) of one shape"):
        untrained(torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 72))
    with pytest.raises(WeightsError, match=r"none\.pth"):
        load_raft(tmp_path / "none.pth")
    torch.save({"some.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other\.pth"):
        load_raft(tmp_path / "other.pth")


def test_saved_and_read(untrained, tmp_path):
    """Names with and without the authors' prefix load the same network."""
    state = untrained.state_dict()
    torch.save(state, tmp_path / "plain.pth")
    torch.save({f"module.{key}": value for key, value in state.items()}, tmp_path / "parallel.pth")
    pictures = torch.rand(2, 1, 3, 128, 128, generator=torch.Generator().manual_seed(1)) * 2 - 1
    expected = untrained(*pictures)
    for name in ("plain", "parallel"):
        assert torch.equal(load_raft(tmp_path / f"{name}.pth")(*pictures), expected)
    assert raft_sha256(tmp_path / "plain.pth") != raft_sha256(tmp_path / "parallel.pth")


def test_known_motion(weights):
    """The authors' weights find a shift and a turn of a smooth texture to about a quarter of a pixel."""
    network = load_raft(weights)
    noise = torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    picture = F.interpolate(noise, size=(160, 192), mode="bicubic", align_corners=False).clamp(-1, 1)
    grid = pixel_grid(160, 192, picture)
    middle = torch.tensor([96.0, 80.0]).view(1, 2, 1, 1)
    c, s = math.cos(0.05), math.sin(0.05)
    turn = torch.einsum("ij,bjhw->bihw", torch.tensor([[c, -s], [s, c]]), grid - middle) + middle - grid
    shift = torch.tensor([4.0, -3.0]).view(1, 2, 1, 1).expand_as(turn)
    for flow, back in ((shift, -shift), (turn, None)):
        if back is None:
            back = (
                torch.einsum("ij,bjhw->bihw", torch.tensor([[c, s], [-s, c]]), grid - middle) + middle - grid
            )
        second = warp(picture, back, kernel="bicubic")[0]
        stays = inside(grid + flow, 160, 192).bool()
        assert float(end_point_error(network(picture, second), flow, stays)) < 0.4


def test_real_footage(weights, shared):
    """On two frames of a real clip it agrees with Lucas-Kanade, and brings the second frame back onto the first."""
    video = codec.read(shared / "media" / "video" / "dog.mp4", start=10, stop=12).resize(256, 256)
    first, second = video[0].to_tensor(), video[1].to_tensor()
    flow, other = load_raft(weights)(first, second), lucas_kanade(first, second)
    length = float(flow.norm(dim=1).mean())
    assert length > 1.5 and float(end_point_error(flow, other)) < 0.35 * length

    def error(moves):
        return float(((warp(second, moves)[0] - first) ** 2).mean())

    still = error(torch.zeros_like(flow))
    assert error(flow) < 0.3 * still and error(other) < 0.2 * still
    assert np.isfinite(still)
