"""Coordinates and their encoding, against formulas in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.models.inrv import InrvConfig, InrvModel
from moviola.models.inrv.coordinates import PositionalEncoding, axis, mesh, octaves_of, places


def test_encoding_is_the_formula():
    """[c, sin(2^i pi c), cos(2^i pi c)] for each axis with octaves of its own."""
    encoding = PositionalEncoding([2, 4, 3])
    points = np.random.default_rng(0).uniform(-1, 1, (5, 7, 3)).astype(np.float32)
    expected = []
    for k, octaves in enumerate([2, 4, 3]):
        c = points[..., k : k + 1].astype(np.float64)
        angles = 2.0 ** np.arange(octaves) * np.pi * c
        expected += [c, np.sin(angles), np.cos(angles)]
    assert encoding.sizes == [5, 9, 7]
    result = encoding(torch.from_numpy(points)).numpy()
    assert np.allclose(result, np.concatenate(expected, axis=-1), atol=1e-5)
    assert np.allclose(encoding.one(1, torch.from_numpy(points[..., 1])).numpy(), result[..., 5:14])


@pytest.mark.parametrize(
    ("samples", "octaves"), [(1, 1), (4, 1), (7, 1), (8, 2), (16, 3), (25, 3), (64, 5), (100, 5), (128, 6)]
)
def test_nyquist_caps_the_octaves(samples, octaves):
    """The last one has 2^i <= samples / 4 (or is the first); without it all of them stay."""
    assert octaves_of(samples, 10, True) == octaves
    assert 2 ** (octaves - 1) <= max(samples / 4, 1) < 2**octaves
    assert octaves_of(samples, 10, False) == 10
    assert octaves_of(samples, 2, True) == min(octaves, 2)


def test_the_model_caps_each_axis():
    """25 frames of 16x64: 3, 3 and 5 octaves."""
    sizes = {"frames": 25, "height": 16, "width": 64, "hidden": 4, "head_hidden": 4}
    model = InrvModel(InrvConfig(**sizes))
    assert model.decoder.encoding.octaves == (3, 3, 5)
    assert InrvModel(InrvConfig(**sizes, nyquist=False)).decoder.encoding.octaves == (10, 10, 10)


def test_where_samples_stand():
    """Centres of n cells, or from -1 to 1 with both ends; between two samples lies the half."""
    numbers = torch.arange(5.0)
    assert torch.allclose(places(numbers, 5, "centres"), torch.tensor([-0.8, -0.4, 0.0, 0.4, 0.8]))
    assert torch.allclose(places(numbers, 5, "corners"), torch.linspace(-1, 1, 5))
    for grid in ("centres", "corners"):
        assert torch.allclose(places(numbers, 5, grid), axis(5, 5, grid))
        half = places(torch.tensor([1.5]), 5, grid)
        assert torch.allclose(half, places(numbers, 5, grid)[1:3].mean())
    # twice as many samples fill the same axis: means of neighbours are the old centres
    fine = axis(10, 5, "centres")
    assert torch.allclose(fine.unflatten(0, (5, 2)).mean(dim=1), axis(5, 5, "centres"), atol=1e-6)


def test_mesh_is_in_the_order_of_a_video():
    """(t, y, x), x fastest."""
    points = mesh(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0, 5.0]), torch.tensor([6.0, 7.0]))
    expected = [(t, y, x) for t in (1, 2) for y in (3, 4, 5) for x in (6, 7)]
    assert points.tolist() == [list(map(float, row)) for row in expected]
