"""Modulated convolution against a plain convolution whose weights are written out for each sample."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from moviola.nn.modulated import ModulatedConv2d, StyledConv2d, ToRGB
from moviola.nn.upfirdn import blur_filter


def reference(layer: ModulatedConv2d, x, style):
    """Eqs. 1 and 3 of StyleGAN2 in float64: scaled weights, norms, one convolution a sample."""
    out = []
    for sample, scales in zip(x.double(), layer.affine(style).double(), strict=True):
        weight = layer.weight.double() * layer.scale * scales[None, :, None, None]
        if layer.demodulate:
            weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if layer.blur is None:
            out.append(F.conv2d(sample[None], weight, padding=layer.padding)[0])
            continue
        # doubling: zeros between samples, the flipped kernel (a transposed convolution), then the blur
        zeros = torch.zeros(
            sample.shape[0], 2 * sample.shape[1] - 1, 2 * sample.shape[2] - 1, dtype=torch.float64
        )
        zeros[:, ::2, ::2] = sample
        k = weight.shape[-1] - 1
        big = F.conv2d(F.pad(zeros, (k, k, k, k))[None], weight.flip(2, 3))
        channels = big.shape[1]
        kernel = blur_filter(gain=4.0).double().expand(channels, 1, -1, -1)
        out.append(F.conv2d(F.pad(big, (1, 1, 1, 1)), kernel, groups=channels)[0])
    return torch.stack(out)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("demodulate", [True, False])
def test_equal_to_weights_of_each_sample(kernel, demodulate):
    """To 1e-5, with styles far apart."""
    torch.manual_seed(0)
    layer = ModulatedConv2d(6, 5, kernel, style=4, demodulate=demodulate)
    x, style = torch.randn(3, 6, 8, 7), 3 * torch.randn(3, 4)
    result = layer(x, style)
    assert result.shape == (3, 5, 8, 7)
    assert torch.allclose(result.double(), reference(layer, x, style), rtol=1e-5, atol=1e-5)


def test_doubling_equal_to_weights_of_each_sample():
    """Transposed convolution and blur, to 1e-5; twice the size exactly."""
    torch.manual_seed(1)
    layer = ModulatedConv2d(6, 5, 3, style=4, upsample=True)
    x, style = torch.randn(3, 6, 4, 5), 3 * torch.randn(3, 4)
    result = layer(x, style)
    assert result.shape == (3, 5, 8, 10)
    assert torch.allclose(result.double(), reference(layer, x, style), rtol=1e-5, atol=1e-5)


def test_grouped_form_has_the_same_gradients():
    """Gradients of weights, input and style are those of the form with a grouped convolution."""
    torch.manual_seed(2)
    layer = ModulatedConv2d(4, 3, 3, style=4)
    x, style = torch.randn(2, 4, 6, 6, requires_grad=True), torch.randn(2, 4, requires_grad=True)
    scales = layer.affine(style)
    weight = layer.weight[None] * layer.scale * scales[:, None, :, None, None]
    weight = weight * (weight.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    grouped = F.conv2d(x.reshape(1, 8, 6, 6), weight.reshape(6, 4, 3, 3), padding=1, groups=2).view(
        2, 3, 6, 6
    )
    towards = torch.randn(2, 3, 6, 6)
    wanted = (layer.weight, x, style)
    ours = torch.autograd.grad((layer(x, style) * towards).sum(), wanted)
    theirs = torch.autograd.grad((grouped * towards).sum(), wanted)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-5)


def test_demodulation_makes_unit_variance():
    """With white input of any style, outputs have variance 1 in expectation (section 2.2 of StyleGAN2)."""
    torch.manual_seed(3)
    layer = ModulatedConv2d(32, 64, 3, style=8)
    out = layer(torch.randn(8, 32, 32, 32), 10 * torch.randn(8, 8))
    assert out[..., 1:-1, 1:-1].var(dim=(2, 3)).mean().item() == pytest.approx(1.0, abs=0.05)


def test_noise_strength_starts_at_zero_and_counts():
    """Noise changes nothing at first; then by its strength before the bias."""
    torch.manual_seed(4)
    layer = StyledConv2d(3, 4, 3, style=2)
    x, style, noise = torch.randn(2, 3, 4, 4), torch.randn(2, 2), torch.randn(2, 1, 4, 4)
    assert torch.equal(layer(x, style, noise), layer(x, style, torch.zeros_like(noise)))
    with torch.no_grad():
        layer.noise_strength.fill_(0.5)
    expected = F.leaky_relu(layer.conv(x, style) + 0.5 * noise, 0.2) * 2**0.5
    assert torch.allclose(layer(x, style, noise), expected, atol=1e-6)


@pytest.mark.parametrize("upsample", [False, True])
def test_first_and_second_derivatives(upsample):
    """Against finite differences: of features, style and noise (path lengths need the second, projection the noise)."""
    torch.manual_seed(6)
    layer = StyledConv2d(2, 3, 3, style=2, upsample=upsample).double()
    with torch.no_grad():
        layer.noise_strength.fill_(0.5)
    side = 6 if upsample else 3
    x, style, noise = torch.randn(2, 2, 3, 3), torch.randn(2, 2), torch.randn(2, 1, side, side)
    given = tuple(t.double().requires_grad_() for t in (x, style, noise))
    assert torch.autograd.gradcheck(layer, given) and torch.autograd.gradgradcheck(layer, given)


def test_inputs_of_either_memory_order():
    """What is written to in place is never what was given."""
    torch.manual_seed(7)
    layer, rgb = StyledConv2d(4, 5, 3, style=2), ToRGB(4, style=2)
    x, style, noise = torch.randn(2, 4, 6, 7), torch.randn(2, 2), torch.randn(2, 1, 6, 7)
    before = [t.clone() for t in (x, style, noise)]
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.allclose(layer(x, style, noise), layer(last, style, noise), atol=1e-5)
    assert torch.allclose(rgb(x, style), rgb(last, style), atol=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(before, (x, style, noise), strict=True))


def test_pictures_are_summed_over_resolutions():
    """The picture from below is doubled and added."""
    torch.manual_seed(5)
    layer = ToRGB(6, style=2)
    x, style, below = torch.randn(1, 6, 8, 8), torch.randn(1, 2), torch.randn(1, 3, 4, 4)
    assert torch.allclose(layer(x, style, below) - layer(x, style), layer.upsample(below), atol=1e-5)
