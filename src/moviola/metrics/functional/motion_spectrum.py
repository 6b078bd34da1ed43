"""How fast things move to and fro: the power spectrum of tracked positions."""

from __future__ import annotations

import torch
from torch import Tensor

from moviola.core.errors import ConfigError


def motion_spectrum(positions: Tensor, fps: float, detrend: bool = True) -> tuple[Tensor, Tensor]:
    """Return the power of the motion of points at each frequency.

    Source: the periodogram with a Hann window (Welch 1967, "The Use of Fast Fourier Transform for the Estimation of
    Power Spectra"), of each coordinate, after its mean and its linear trend are taken away; summed over x and y and
    averaged over points. A point that swings with amplitude a at a frequency of the grid holds a^2 / 2 around it.

    Args:
        positions: (T, N, 2), px, T at least 4, N at least 1.
        fps: frames a second, above 0.
        detrend: take the linear trend away, too.

    Returns:
        frequencies, Hz, float64 (T // 2 + 1,), and power, px^2 at each, float64 (T // 2 + 1,).

    Raises:
        ConfigError: another shape, too few frames or no points.
    """
    if positions.ndim != 3 or positions.shape[2] != 2 or positions.shape[0] < 4 or positions.shape[1] < 1:
        raise ConfigError(
            f"a spectrum of motion needs positions (T, N, 2) of 4 frames or more and some points, "
            f"not {tuple(positions.shape)}"
        )
    x = positions.double()
    frames = len(x)
    x = x - x.mean(dim=0)
    if detrend:
        ramp = torch.linspace(-1, 1, frames, dtype=torch.float64, device=x.device)[:, None, None]
        x = x - ramp * (ramp * x).sum(dim=0) / ramp.square().sum()
    window = torch.hann_window(frames, periodic=True, dtype=torch.float64, device=x.device)
    transformed = torch.fft.rfft(x * window[:, None, None], dim=0)
    power = transformed.abs().square() / (frames * window.square().sum())
    power[1:] *= 2  # the negative frequencies
    if frames % 2 == 0:
        power[-1] /= 2
    frequencies = torch.fft.rfftfreq(frames, 1 / fps, dtype=torch.float64)
    return frequencies, power.sum(dim=2).mean(dim=1).cpu()


def band_power(frequencies: Tensor, power: Tensor, edges: tuple[float, ...]) -> Tensor:
    """Return the power in each band between `edges` (same unit as `frequencies`), the last one open-ended.

    Args:
        frequencies, power: (F,), as `motion_spectrum` returns them.
        edges: ascending.

    Returns:
        float64 (len(edges) + 1,); frequency 0 belongs to no band.
    """
    band = torch.bucketize(frequencies, torch.tensor(edges, dtype=frequencies.dtype), right=True)
    moving = frequencies > 0
    return torch.zeros(len(edges) + 1, dtype=power.dtype).index_add_(0, band[moving], power[moving])
