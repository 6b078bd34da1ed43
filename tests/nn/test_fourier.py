"""Sinusoid features: their start, and what they are at any time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.nn.equalized import EqualizedConv2d, EqualizedLinear, PixelNorm, leaky_relu
from moviola.nn.fourier import SinusoidFeatures


def test_the_start_is_the_papers():
    """Half of the omegas in (low, high), half in (-high, -low); phases in (-1, 1); spread over the range."""
    torch.manual_seed(0)
    features = SinusoidFeatures(512, 3.0, 5.0)
    omega = features.omega.detach()
    assert (omega[:256] >= 3).all() and (omega[:256] <= 5).all()
    assert (omega[256:] >= -5).all() and (omega[256:] <= -3).all()
    assert features.phi.abs().max() <= 1
    assert abs(omega.abs().mean().item() - 4) < 0.1 and omega.abs().std().item() > 0.5


def test_values_at_any_time():
    """sin(omega t + phi), in float64 by NumPy."""
    torch.manual_seed(1)
    features = SinusoidFeatures(8, 0.0, 7.0)
    times = torch.tensor([[-1.0, 0.123, 17.5], [3.0, 0.0, -40.0]])
    expected = np.sin(
        times.double().numpy()[..., None] * features.omega.detach().double().numpy()
        + features.phi.detach().double().numpy()
    )
    np.testing.assert_allclose(features(times).detach().numpy(), expected, atol=1e-4)


def test_fixed_frequencies_are_not_trained():
    """With learned=False neither omega nor phi asks for a gradient."""
    features = SinusoidFeatures(4, 0.0, 7.0, learned=False)
    assert not any(p.requires_grad for p in features.parameters())


def test_equalised_layers_are_plain_layers_with_scaled_weights():
    """A linear layer of rate 0.01, and a convolution, against torch's functions."""
    torch.manual_seed(2)
    linear = EqualizedLinear(16, 4, rate=0.01, bias=1.0, activate=True)
    x = torch.randn(3, 16)
    expected = torch.nn.functional.linear(x, linear.weight * 0.01 / 4, torch.ones(4))
    assert torch.allclose(linear(x), leaky_relu(expected), atol=1e-5)
    assert abs(linear.weight.std().item() - 100) < 30
    conv = EqualizedConv2d(4, 2, 3, stride=2)
    x = torch.randn(1, 4, 6, 6)
    expected = torch.nn.functional.conv2d(x, conv.weight / 6, conv.bias, stride=2, padding=1)
    assert torch.allclose(conv(x), expected, atol=1e-5)


def test_pixel_norm():
    """Rows of root mean square 1."""
    rows = PixelNorm()(5 * torch.randn(7, 32))
    assert torch.allclose(rows.square().mean(dim=1), torch.ones(7), atol=1e-4)


@pytest.mark.parametrize("count", [8, 64])
def test_stationary_features_are_equally_strong_at_all_times(count):
    """The mean over features of sin^2(omega t + phi) is 1/2 at every time; not so in the paper's form."""
    torch.manual_seed(0)
    times = torch.linspace(-1, 5, 50)
    features = SinusoidFeatures(count, 1.0, 1.0, stationary=True)
    features.omega.data.abs_()
    power = features(times).square().mean(dim=-1)
    assert torch.allclose(power, torch.full((50,), 0.5), atol=1e-5)
    paper = SinusoidFeatures(count, 1.0, 1.0)
    assert float(paper.phi.abs().amax()) <= 1
    paper.omega.data.abs_()
    assert float(paper(times).square().mean(dim=-1).std()) > 0.05
