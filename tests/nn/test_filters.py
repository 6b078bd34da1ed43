"""Small filters against scipy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from moviola.nn.filters import blur, gaussian, gradient, halve, luma, median5, pyramid, separable


@pytest.fixture
def images():
    return torch.rand(2, 3, 9, 13, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_separable_by_scipy(images):
    """Correlation along one axis or both, the edge held or cut off."""
    kernel = [0.1, 0.7, 0.3]
    along = {"x": 3, "y": 2}
    for axes in ("x", "y", "yx"):
        expected = images.numpy()
        for axis in axes:
            expected = ndimage.correlate1d(expected, kernel, axis=along[axis], mode="nearest")
        assert separable(images, kernel, axes).numpy() == pytest.approx(expected)
    inner = separable(images, kernel, border="valid").numpy()
    assert inner == pytest.approx(separable(images, kernel)[..., 1:-1, 1:-1].numpy())


def test_gaussian_by_scipy(images):
    """Weights that sum to 1; a blur is scipy's, cut where ours is."""
    assert sum(gaussian(1.3, 4)) == pytest.approx(1)
    expected = ndimage.gaussian_filter(images.numpy(), (0, 0, 1.2, 1.2), truncate=3 / 1.2, mode="nearest")
    assert blur(images, 1.2).numpy() == pytest.approx(expected)


def test_gradient_of_polynomials():
    """The five-point difference is exact up to the fourth power."""
    y, x = torch.meshgrid(torch.arange(9.0), torch.arange(11.0), indexing="ij")
    across, down = gradient((x**3 - 2 * x * y + 5 * y)[None, None].double())
    inner = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    assert across[inner][0, 0].numpy() == pytest.approx((3 * x**2 - 2 * y)[2:-2, 2:-2].numpy())
    assert down[inner][0, 0].numpy() == pytest.approx((5 - 2 * x)[2:-2, 2:-2].numpy())


def test_luma():
    """BT.601; grey stays as it is."""
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    assert float(luma(red)) == pytest.approx(0.299) and float(luma(torch.ones(1, 3, 1, 1))) == pytest.approx(
        1
    )
    assert luma(red[:, :1]) is not None and float(luma(red[:, :1])) == 1


def test_pyramid_sizes():
    """Halves, rounded up, down to the smallest side; a flat picture stays flat and a ramp stays in its place."""
    levels = pyramid(torch.full((1, 1, 45, 101), 0.25), 8)
    assert [tuple(level.shape[-2:]) for level in levels] == [(45, 101), (23, 51), (12, 26)]
    assert all(level.numpy() == pytest.approx(0.25) for level in levels)
    ramp = torch.arange(40.0).expand(1, 1, 40, 40)
    assert halve(ramp)[0, 0, 10, 5:-5].numpy() == pytest.approx(2 * np.arange(5.0, 15.0) + 0.5)
    assert len(pyramid(torch.zeros(1, 1, 5, 5), 8)) == 1


def test_median(images):
    """Along x then along y, the median of five by numpy; a lone spike is gone and a straight edge stays."""
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (0, 0), (2, 2)), mode="edge")
    rows = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5, axis=3), axis=-1)
    padded = np.pad(rows, ((0, 0), (0, 0), (2, 2), (0, 0)), mode="edge")
    expected = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5, axis=2), axis=-1)
    assert median5(images).numpy() == pytest.approx(expected)
    edge = (torch.arange(12) > 5).float().expand(1, 1, 9, 12).contiguous()
    spiked = edge.clone()
    spiked[..., 4, 2] = 9
    assert torch.equal(median5(spiked), edge)
