"""upfirdn against SciPy's and against a slow loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d, upfirdn

from moviola.nn.upfirdn import BLUR, Blur2d, Upsample2d, blur_filter, upfirdn2d


def slow(x, kernel, up, down, padding):
    """The definition, one picture at a time, by NumPy and a full convolution of SciPy."""
    rows = []
    for picture in x.numpy().reshape(-1, *x.shape[2:]):
        zeros = np.zeros((picture.shape[0] * up, picture.shape[1] * up))
        zeros[::up, ::up] = picture
        before, after = padding
        zeros = np.pad(zeros, ((max(before, 0), max(after, 0)),) * 2)
        zeros = zeros[
            max(-before, 0) : len(zeros) - max(-after, 0), max(-before, 0) : zeros.shape[1] - max(-after, 0)
        ]
        rows.append(convolve2d(zeros, kernel.numpy(), mode="valid")[::down, ::down])
    return np.stack(rows).reshape(*x.shape[:2], *rows[0].shape)


@pytest.mark.parametrize("up", [1, 2, 3])
@pytest.mark.parametrize("down", [1, 2])
@pytest.mark.parametrize("padding", [(0, 0), (2, 1), (1, 3), (2, 2), (-1, 2), (3, -1), (-1, -1)])
def test_equal_to_the_definition(up, down, padding):
    """Any factors, padding and cropping; a filter that is not symmetric shows its direction."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, 3, 7, 6, generator=generator)
    kernel = torch.randn(4, 3, generator=generator)
    expected = slow(x, kernel, up, down, padding)
    result = upfirdn2d(x, kernel, up, down, padding).numpy()
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_equal_to_scipy():
    """SciPy's upfirdn, along each axis, with the padding of the full convolution."""
    x = torch.randn(1, 1, 9, 8, generator=torch.Generator().manual_seed(0))
    taps = np.array([1.0, 2.0, 4.0, 1.5])
    expected = upfirdn(taps, upfirdn(taps, x[0, 0].numpy(), 2, 3, axis=0), 2, 3, axis=1)
    kernel = torch.from_numpy(np.outer(taps, taps)).float()
    # the full convolution: len(taps) - 1 zeros before; after, as many less the zeros that follow the last sample
    result = upfirdn2d(x, kernel, up=2, down=3, padding=(3, 2))[0, 0].numpy()
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_filter_sums_to_its_gain():
    """[1, 3, 3, 1] squared over 64, times the gain."""
    kernel = blur_filter(BLUR, gain=4.0)
    assert kernel[0, 0].item() == pytest.approx(4 / 64)
    assert kernel[1, 2].item() == pytest.approx(4 * 9 / 64)
    assert kernel.sum().item() == pytest.approx(4.0)


def test_upsampling_keeps_constants_and_doubles():
    """Inside, a flat picture stays flat, and a ramp becomes a ramp of half the slope."""
    flat = Upsample2d()(torch.ones(1, 2, 8, 8))
    assert flat.shape == (1, 2, 16, 16)
    assert torch.allclose(flat[..., 2:-2, 2:-2], torch.ones(()), atol=1e-6)
    x = torch.randn(2, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    expected = upfirdn2d(x, blur_filter(BLUR, gain=4.0), up=2, padding=(2, 1))
    assert torch.allclose(Upsample2d()(x), expected, atol=1e-5)
    ramp = Upsample2d()(torch.arange(8.0).expand(1, 1, 8, 8))
    steps = ramp[0, 0, 5, 3:-3].diff()
    assert torch.allclose(steps, torch.full_like(steps, 0.5), atol=1e-5)


def test_blur_shapes():
    """Padding (2, 1) keeps the size of a filter of four taps."""
    assert Blur2d((2, 1))(torch.zeros(1, 1, 5, 9)).shape == (1, 1, 5, 9)
