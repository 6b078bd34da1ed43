"""Writes paired.json: what other people's code says of pairs of pictures made by formula.py.

Run by hand, in an environment of its own:
    pip install numpy torch scikit-image==0.26.0 pytorch-msssim==1.0.0
    python tests/reference/make_paired.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from formula import picture
from pytorch_msssim import ms_ssim
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

SMALL = [(11, 0, 1, 0.2), (40, 0, 1, 0.05), (40, 2, 3, 0.5), (65, 1, 2, 1.0)]
LARGE = [(176, 0, 1, 0.1), (192, 1, 2, 0.3), (192, 3, 5, 0.6)]


def pair(size, one, two, share):
    """A picture, and the same with `share` of another in it; uint8 (size, size, 3) both."""
    a, b = picture(size, one), picture(size, two)
    return a, np.round((1 - share) * a + share * b).astype(np.uint8)


def compare(case):
    """MSE, PSNR and SSIM by scikit-image."""
    a, b = pair(*case)
    similar = structural_similarity(
        a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2
    )
    return {
        "case": case,
        "mse": float(mean_squared_error(a, b)),
        "psnr": float(peak_signal_noise_ratio(a, b, data_range=255)),
        "ssim": float(similar),
    }


def compare_scales(case):
    """MS-SSIM by pytorch-msssim; sizes divide by 16."""
    a, b = (torch.from_numpy(image).double().permute(2, 0, 1)[None] for image in pair(*case))
    return {"case": case, "ms-ssim": ms_ssim(a, b, data_range=255).item()}


if __name__ == "__main__":
    found = {"pairs": [compare(case) for case in SMALL], "scales": [compare_scales(case) for case in LARGE]}
    path = Path(__file__).with_name("paired.json")
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
