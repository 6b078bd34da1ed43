"""Detail that resampling and mixing have blurred, given back: as much as the key frames have there."""

from __future__ import annotations

import numpy as np

from moviola.propagation.flow import opencv

WINDOW = 15
"""Side of the square within which detail is measured, px."""
_SIGMA = 2.0  # px; what a blur by it takes away is detail
_MOST = 3.0  # times that detail is made stronger at most
_AIM = 0.92  # of the energy: all of it overshoots where the detail that is left is noise
_FLAT = 4.0  # squared levels; a difference of less energy is noise
_LUMA = np.array([[0.299, 0.587, 0.114]], np.float32)


def energy(paint: np.ndarray) -> np.ndarray:
    """Return the local sharpness of a picture: its squared brightness gradient, averaged over `WINDOW`.

    Args:
        paint: float32 (H, W, 3), 0 to 255.

    Returns:
        float32 (H, W), levels squared a pixel.
    """
    cv2 = opencv()
    grey = cv2.transform(paint, _LUMA)
    squared = np.zeros(grey.shape, np.float32)
    across, down = grey[:, 1:] - grey[:, :-1], grey[1:] - grey[:-1]
    squared[:, :-1] += across * across
    squared[:-1] += down * down
    return cv2.blur(squared, (WINDOW, WINDOW), borderType=cv2.BORDER_REFLECT)


def give_back(paint: np.ndarray, reference: np.ndarray, rounds: int = 3) -> np.ndarray:
    """Make the detail of a picture as strong as it was in what the picture was made from.

    What a small blur takes away is multiplied by the root of the ratio of energies, place by place, at least 1; again
    for what the first turn could not reach, as only part of a gradient is detail.

    Args:
        paint: float32 (H, W, 3), 0 to 255.
        reference: `energy` of what it was made from, float32 (H, W); nine tenths of it are aimed at.
        rounds: turns.

    Returns:
        float32 (H, W, 3), 0 to 255; exactly as it is where it has the energy already.
    """
    cv2 = opencv()
    for _ in range(rounds):
        gain = np.sqrt(np.clip((_AIM * reference + _FLAT) / (energy(paint) + _FLAT), 1, _MOST**2)) - 1
        if not gain.any():
            break
        smooth = cv2.GaussianBlur(paint, (0, 0), _SIGMA, borderType=cv2.BORDER_REPLICATE)
        paint = np.clip(paint + gain[..., None] * (paint - smooth), 0, 255)
    return paint
