"""Flicker, motion, pixel-mse and warp error against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.core.errors import InputError
from moviola.metrics.functional.temporal import flicker, motion_magnitude, pixel_mse, warp_error


def test_flicker_of_known_videos():
    """A still and a steady fade have none; every other frame brighter by 2a gives a."""
    frames = np.full((8, 4, 6, 3), 100, np.uint8)
    fade = frames + 5 * np.arange(8, dtype=np.uint8)[:, None, None, None]
    blinking = frames.copy()
    blinking[1::2] += 40
    assert flicker(frames) == 0 and flicker(fade) == 0
    assert flicker(blinking) == 20
    half = frames.copy()
    half[1::2, :2] += 40  # the upper half of the picture alone
    assert flicker(half) == 10


def test_flicker_by_numpy():
    """The mean absolute second difference over four, of bytes that would wrap around."""
    frames = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), np.uint8)
    expected = np.abs(np.diff(frames.astype(float), n=2, axis=0)).mean() / 4
    assert flicker(frames) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(InputError, match="at least 3 frames, got 2"):
        flicker(frames[:2])


def test_motion_in_percent_of_the_height():
    """A flow of length 5 in a picture 50 px high is 10 percent, whatever the width."""
    flow = torch.tensor([3.0, -4.0]).view(1, 2, 1, 1).expand(1, 2, 50, 30)
    both = torch.cat([flow, torch.zeros_like(flow)])
    assert motion_magnitude(both).tolist() == pytest.approx([10, 0])


def shifted_pair(rise=0.0):
    """Noise, the same noise 2 px to the right and brighter by `rise` (of -1 to 1), and the flow between them."""
    noise = torch.rand(1, 3, 12, 20, generator=torch.Generator().manual_seed(0)) - 0.5
    flow = torch.tensor([2.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 12, 18).contiguous()
    return noise[..., 2:], noise[..., :-2] + rise, flow


def test_perfect_alignment():
    """Where flow explains everything nothing is left; what leaves the picture counts in pixel-mse alone."""
    first, second, flow = shifted_pair()
    error, hidden = warp_error(first, second, flow, -flow)
    assert float(error) == pytest.approx(0, abs=1e-12)
    assert float(hidden) == pytest.approx(2 / 18)  # the two columns that leave
    held = second[..., -1:].expand(1, 3, 12, 2)
    expected = (127.5 * (held - first[..., -2:]).numpy()) ** 2
    assert float(pixel_mse(first, second, flow)) == pytest.approx(expected.mean() * 2 / 18, rel=1e-5)


def test_units():
    """A rise of 0.2 in [-1, 1] is 0.1 in [0, 1] and 25.5 levels."""
    first, second, flow = shifted_pair(0.2)
    error, _ = warp_error(first, second, flow, -flow)
    assert float(error) == pytest.approx(0.01, rel=1e-5)
    still = torch.zeros_like(flow)
    grey = torch.zeros_like(first)
    assert float(pixel_mse(grey, grey + 0.2, still)) == pytest.approx(25.5**2, rel=1e-5)


def test_everything_hidden():
    """Flows that contradict each other everywhere: the mean over all pixels, as the authors' program has it."""
    first, second, flow = shifted_pair(0.2)
    error, hidden = warp_error(first, second, flow, flow)
    everything = float(pixel_mse(first, second, flow)) / 255**2
    assert float(hidden) == 1 and float(error) == pytest.approx(everything, rel=1e-5)


def cubic(distance: float, a: float = -0.75) -> float:
    """Keys' cubic convolution kernel (Keys 1981, equation 15), with PyTorch's parameter."""
    x = abs(distance)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
def test_the_error_of_the_ruler_itself(kernel):
    """A grating that moves by a third of a pixel, exactly: what is left is |response - e^(i w u)|^2 of the kernel."""
    period, moved, amplitude, width = 6, 1 / 3, 0.8, 1201
    w = 2 * np.pi / period
    x = np.arange(width)
    waves = [torch.tensor(amplitude * np.cos(w * (x - shift)), dtype=torch.float32) for shift in (0.0, moved)]
    first, second = (wave.view(1, 1, 1, -1).expand(1, 3, 8, width).contiguous() for wave in waves)
    flow = torch.tensor([moved, 0.0]).view(1, 2, 1, 1).expand(1, 2, 8, width).contiguous()
    taps = {0: 1 - moved, 1: moved} if kernel == "bilinear" else {k: cubic(moved - k) for k in (-1, 0, 1, 2)}
    response = sum(weight * np.exp(1j * w * k) for k, weight in taps.items())
    expected = amplitude**2 / 2 * abs(response - np.exp(1j * w * moved)) ** 2 / 4
    assert float(warp_error(first, second, flow, -flow, kernel)[0]) == pytest.approx(expected, rel=0.02)
