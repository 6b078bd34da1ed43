"""How near a result is to the truth, at observed and at hidden pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moviola.metrics.functional.paired import CAP_DB, SSIM_SIDE, psnr_of, ssim_map


@dataclass(frozen=True)
class Score:
    """PSNR and SSIM over a part of a video.

    Attributes:
        psnr: dB, of the mean squared error over all those pixels; 100 where they are equal.
        ssim: mean over the windows whose centre is one of those pixels; None where no window fits.
    """

    psnr: float
    ssim: float | None


@dataclass(frozen=True)
class Scores:
    """Scores of a result.

    Attributes:
        observed: against what was observed.
        unobserved: against the truth at hidden pixels (of a low-resolution observation at all pixels); None where
            nothing is hidden or the truth is not known.
    """

    observed: Score
    unobserved: Score | None = None


def score_part(result: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> Score | None:
    """Compare two videos where a mask is true.

    Args:
        result: uint8 (T, H, W, 3).
        truth: of the same shape.
        mask: bool (T, H, W).

    Returns:
        Their score; None where the mask is true nowhere.

    Raises:
        InputError: shapes that differ.
    """
    if not mask.any():
        return None
    total = 0.0
    for a, b, part in zip(result, truth, mask, strict=True):
        total += float(np.square(a[part].astype(np.float64) - b[part]).sum())
    psnr = psnr_of(total / (3 * int(mask.sum())), CAP_DB)
    if min(result.shape[1:3]) < SSIM_SIDE:
        return Score(psnr, None)
    edge = SSIM_SIDE // 2
    inner = mask[:, edge:-edge, edge:-edge]
    if not inner.any():
        return Score(psnr, None)
    chosen = inner.any(axis=(1, 2))
    maps = ssim_map(result[chosen], truth[chosen])
    similarity = sum(float(m[part].sum()) for m, part in zip(maps, inner[chosen], strict=True))
    return Score(psnr, similarity / int(inner.sum()))
