"""Frame against frame: MSE, PSNR, SSIM and MS-SSIM of values from 0 to 255.

Every function takes two clips of one shape, frames (T, H, W, C) or (T, H, W) as a `Video` holds them, and returns a
figure a frame, float64 (T,). Sums are made in float64, one frame at a time: memory does not grow with T.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from moviola.core.errors import InputError
from moviola.nn.filters import gaussian, separable

PEAK = 255.0
CAP_DB = 100.0
SSIM_SIDE = 11
MS_SSIM_SIDE = 160
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def mse(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the mean squared error of each frame, 0 to 255^2, float64 (T,).

    Args:
        first: frames (T, H, W, C) or (T, H, W), 0 to 255.
        second: frames of the same shape.

    Raises:
        InputError: shapes that differ.
    """
    return np.array([float(((a - b) ** 2).mean()) for a, b in _frames(first, second)])


def psnr_of(error: float, cap: float = math.inf) -> float:
    """Return the peak signal-to-noise ratio of a mean squared error, dB: 10 log10(255^2 / error).

    Args:
        error: mean squared error, at least 0.
        cap: the most that is returned, dB; without it equal pictures give infinity.
    """
    return min(cap, 10 * math.log10(PEAK * PEAK / error)) if error > 0 else cap


def psnr(first: np.ndarray, second: np.ndarray, cap: float = math.inf) -> np.ndarray:
    """Return the peak signal-to-noise ratio of each frame, dB, float64 (T,); arguments as `mse` and `psnr_of`."""
    return np.array([psnr_of(error, cap) for error in mse(first, second)])


def clip_psnr(first: np.ndarray, second: np.ndarray, cap: float = CAP_DB) -> float:
    """Return the PSNR of a whole clip, dB: that of the mean of its frames' squared errors.

    So a single frame that was copied exactly does not make the clip's figure infinite, as a mean over the frames'
    PSNR would. Equal clips give `cap`; 100 dB is an error of 1 in one of 150,000 values.

    Args:
        first: frames (T, H, W, C) or (T, H, W), 0 to 255.
        second: frames of the same shape.
        cap: the most that is returned, dB.

    Raises:
        InputError: shapes that differ.
    """
    return psnr_of(float(mse(first, second).mean()), cap)


def ssim(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the structural similarity of each frame, -1 to 1, 1 for equal ones; float64 (T,).

    Window: Gaussian of sigma 1.5 over 11 x 11 pixels, kept inside the frame; K1 = 0.01, K2 = 0.03; population
    variances; the mean over places and colour channels.

    Source: Wang, Bovik, Sheikh and Simoncelli 2004, "Image quality assessment: from error visibility to structural
    similarity", equation 13. The same as scikit-image's `structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=255)`.

    Args:
        first: frames (T, H, W, C) or (T, H, W), 0 to 255.
        second: frames of the same shape.

    Raises:
        InputError: shapes that differ, or a side below 11 px.
    """
    _check_side(first, SSIM_SIDE, f"ssim needs frames of at least {SSIM_SIDE} px each way")
    return np.array([float(_similarity(a, b)[0].mean()) for a, b in _frames(first, second)])


def ssim_map(first: np.ndarray, second: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the structural similarity of each frame by place, float64 (H - 10, W - 10), the mean over colours.

    Place (0, 0) is that of pixel (5, 5), the first around which the window fits. `ssim` is the mean over places;
    arguments and errors as there.
    """
    _check_side(first, SSIM_SIDE, f"ssim needs frames of at least {SSIM_SIDE} px each way")
    for a, b in _frames(first, second):
        yield _similarity_maps(a, b)[0].mean(1)[0].numpy()


def ms_ssim(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the multi-scale structural similarity of each frame, 0 to 1, float64 (T,).

    Five scales, each the last one's mean over 2 x 2 pixels (the edge is held where a side is odd): the product of the
    mean contrast-and-structure terms of the first four and the mean SSIM of the coarsest, each to its weight; negative
    means count as 0. Colour channels are compared alone and averaged.

    Source: Wang, Simoncelli and Bovik 2003, "Multiscale structural similarity for image quality assessment",
    equation 7 and its weights 0.0448, 0.2856, 0.3001, 0.2363, 0.1333.

    Args:
        first: frames (T, H, W, C) or (T, H, W), 0 to 255.
        second: frames of the same shape.

    Raises:
        InputError: shapes that differ, or a side of 160 px or less, for the window of 11 px has to fit into the
            coarsest scale.
    """
    rule = f"ms-ssim needs frames of more than {MS_SSIM_SIDE} px each way, for its window to fit at a 16th"
    _check_side(first, MS_SSIM_SIDE + 1, rule)
    return np.array([_multi_scale(a, b) for a, b in _frames(first, second)])


def _frames(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
    """Go through pairs of frames as float64 (1, C, H, W)."""
    if first.shape != second.shape or first.ndim not in (3, 4) or 0 in first.shape:
        raise InputError(
            "frames to be compared have one shape (T, H, W, C), "
            f"not {tuple(first.shape)} and {tuple(second.shape)}"
        )
    for pair in zip(first, second, strict=True):
        a, b = (torch.from_numpy(np.asarray(frame, np.float64)) for frame in pair)
        yield _planes(a), _planes(b)


def _planes(frame: Tensor) -> Tensor:
    return (frame if frame.ndim == 3 else frame.unsqueeze(-1)).permute(2, 0, 1)[None]


def _check_side(frames: np.ndarray, least: int, rule: str) -> None:
    if frames.ndim in (3, 4) and min(frames.shape[1:3]) < least:
        raise InputError(f"{rule}, not {frames.shape[2]}x{frames.shape[1]}")


def _similarity(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return SSIM (1, C) and its contrast-and-structure part (1, C) of float64 (1, C, H, W), averaged over places."""
    similarity, structure = _similarity_maps(a, b)
    return similarity.mean((2, 3)), structure.mean((2, 3))


def _similarity_maps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return SSIM and its contrast-and-structure part by place, (1, C, H - 10, W - 10) each."""
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    window = gaussian(1.5, SSIM_SIDE // 2)
    moments = separable(torch.stack([a, b, a * a, b * b, a * b]), window, border="valid")
    mean_a, mean_b, aa, bb, ab = moments
    covariance = ab - mean_a * mean_b
    structure = (2 * covariance + c2) / (aa - mean_a**2 + bb - mean_b**2 + c2)
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return luminance * structure, structure


def _multi_scale(a: Tensor, b: Tensor) -> float:
    """Return MS-SSIM of float64 (1, C, H, W)."""
    product = torch.ones(a.shape[:2], dtype=a.dtype)
    for scale, weight in enumerate(MS_SSIM_WEIGHTS):
        similarity, structure = _similarity(a, b)
        last = scale == len(MS_SSIM_WEIGHTS) - 1
        product = product * (similarity if last else structure).clamp_min(0) ** weight
        a, b = _halve(a), _halve(b)
    return float(product.mean())


def _halve(image: Tensor) -> Tensor:
    """Return means of 2 x 2 pixels; an odd last row or column is held."""
    is_odd = (image.shape[-1] % 2, image.shape[-2] % 2)
    return F.avg_pool2d(F.pad(image, (0, is_odd[0], 0, is_odd[1]), mode="replicate"), 2)
