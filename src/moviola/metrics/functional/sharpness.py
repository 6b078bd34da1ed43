"""How sharp a picture is."""

from __future__ import annotations

import numpy as np

from moviola.core.errors import InputError
from moviola.core.luma import luma_thousandths


def gradient_energy(frames: np.ndarray) -> float:
    """Return the mean squared gradient of the brightness, in squared levels of 0 to 255 a pixel; 0 for a flat picture.

    The mean over time and pixels of (x(i, j+1) - x(i, j))^2 + (x(i+1, j) - x(i, j))^2. Blur lowers it, and so does
    denoising; noise raises it: compare with the figure of real video. Pictures of another size have another figure.
    Brightness (ITU-R BT.601) is counted in whole thousandths of a level, so the 0 of a flat picture is exact.

    Source: "energy of image gradient" of Subbarao, Choi and Nikzad 1993, "Focusing techniques", Optical Engineering
    32(11), as a mean instead of a sum.

    Args:
        frames: uint8 (T, H, W, 3), H and W at least 2.

    Raises:
        InputError: no frame, or frames of less than 2 pixels each way.
    """
    if len(frames) < 1 or min(frames.shape[1:3]) < 2:
        raise InputError(f"sharpness needs frames of at least 2x2 pixels, got {tuple(frames.shape)}")
    total = 0.0
    for frame in frames:
        luma = luma_thousandths(frame)
        across = (luma[:-1, 1:] - luma[:-1, :-1]).astype(np.int64)
        down = (luma[1:, :-1] - luma[:-1, :-1]).astype(np.int64)
        total += float((across * across + down * down).mean(dtype=np.float64))
    return total / len(frames) / 1e6
