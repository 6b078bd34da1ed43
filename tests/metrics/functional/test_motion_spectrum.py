"""The spectrum of motion against closed forms and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import periodogram

from moviola.core.errors import ConfigError
from moviola.metrics.functional.motion_spectrum import band_power, motion_spectrum


def test_equal_to_scipys_periodogram():
    """Hann window, mean taken away, one-sided; SciPy's power spectrum times frames, halved bandwidth and all."""
    x = np.random.default_rng(0).normal(size=(50, 3, 2))
    frequencies, power = motion_spectrum(torch.from_numpy(x), fps=12.5, detrend=False)
    f, p = periodogram(x, fs=12.5, window="hann", detrend="constant", scaling="density", axis=0)
    np.testing.assert_allclose(frequencies.numpy(), f)
    # density (px^2 / Hz) times the spacing of the frequencies
    np.testing.assert_allclose(power.numpy(), p.sum(axis=2).mean(axis=1) * 12.5 / 50, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("frames", [64, 65])
def test_a_swing_holds_half_its_square(frames):
    """Amplitude 3 px at 5 cycles in the window: 4.5 px^2 in and beside its frequency, nothing elsewhere."""
    t = torch.arange(frames, dtype=torch.float64)
    y = 10 + 3 * torch.sin(2 * torch.pi * 5 * t / frames + 0.4)
    positions = torch.stack([torch.full_like(y, 7.0), y], dim=-1)[:, None]
    frequencies, power = motion_spectrum(positions, fps=frames, detrend=False)
    assert frequencies[5].item() == pytest.approx(5.0)
    assert power[4:7].sum().item() == pytest.approx(4.5, rel=1e-6)
    assert power[1:].sum().item() == pytest.approx(4.5, rel=1e-6)


def test_steady_motion_has_no_spectrum():
    """What moves along a line does not move to and fro."""
    t = torch.arange(32, dtype=torch.float64)
    positions = torch.stack([3 * t + 1, -2 * t], dim=-1)[:, None]
    assert motion_spectrum(positions, 8)[1].max().item() < 1e-18


def test_bands():
    """Every frequency but 0 in one band, an edge belongs to the band above, the last is open-ended."""
    frequencies = torch.tensor([0.0, 1.0, 2.0, 3.0, 50.0], dtype=torch.float64)
    power = torch.tensor([100.0, 1.0, 2.0, 4.0, 8.0], dtype=torch.float64)
    assert band_power(frequencies, power, (2.0, 3.5)).tolist() == [1.0, 6.0, 8.0]
    assert band_power(frequencies, power, ()).tolist() == [15.0]


@pytest.mark.parametrize("shape", [(3, 1, 2), (8, 0, 2), (8, 2, 3), (8, 2)])
def test_what_is_no_motion(shape):
    """Too few frames, no points, other shapes."""
    with pytest.raises(ConfigError, match="positions"):
        motion_spectrum(torch.zeros(shape), 8)
