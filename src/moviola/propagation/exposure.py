"""A change of light between two pictures of one scene: a gain and an offset for each channel, found despite motion."""

from __future__ import annotations

import numpy as np

from moviola.propagation.flow import opencv

_SMALL = 4  # times smaller than the pictures: fits do not need more, and what is a little out of place averages out
_ROUNDS = 12  # of reweighting
_CLIPPED = 250  # levels from which a pixel may be brighter than it says
_GAINS = (0.1, 10.0)
_RIDGE = (
    1.0,
    0.001,
)  # of the gain, levels squared a pixel, and of the offset: light is a gain where both would do
_EXPLAINED = (0.8, 0.25)  # the middle error is below this part of what it was, less this many levels


def match(frame: np.ndarray, other: np.ndarray) -> np.ndarray | None:
    """Find the tone curve that brings another picture of the scene to the light of a frame.

    frame = gain * other + offset for each channel, by least squares reweighted after Geman and McClure with the scale
    of the middle error, so that what has moved away counts for little. Clipped pixels are left out.

    Args:
        frame: uint8 (H, W, 3).
        other: uint8 (H, W, 3), in the frame's places as far as that is known.

    Returns:
        uint8 (256, 3), what each level of each channel becomes; None where the light is the same, which is also where
        a gain explains little of the difference.
    """
    x, y = _values(other), _values(frame)
    curves = [_fit(x[:, c], y[:, c]) for c in range(3)]
    gains, offsets = (np.array(both, np.float32) for both in zip(*curves, strict=True))
    before, after = (np.median(np.abs(gap)) for gap in (y - x, y - gains * x - offsets))
    if after >= _EXPLAINED[0] * before - _EXPLAINED[1]:
        return None
    levels = np.arange(256, dtype=np.float32)[:, None]
    return np.rint(gains * levels + offsets).clip(0, 255).astype(np.uint8)


def lit(picture: np.ndarray, curve: np.ndarray | None) -> np.ndarray:
    """Return a picture uint8 (H, W, 3) under a tone curve of `match`; as it is for None."""
    return picture if curve is None else opencv().LUT(picture, curve[None])


def change(picture: np.ndarray, curve: np.ndarray | None) -> float:
    """Return how far a tone curve moves the levels of a picture uint8 (H, W, 3), in the mean, levels; 0 for None."""
    return 0.0 if curve is None else float(opencv().absdiff(picture, lit(picture, curve)).mean())


def _values(picture: np.ndarray) -> np.ndarray:
    """Return a picture made smaller, as float32 (n, 3)."""
    cv2 = opencv()
    height, width = (max(1, length // _SMALL) for length in picture.shape[:2])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return small.reshape(-1, 3).astype(np.float32)


def _fit(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return gain and offset of y = gain x + offset, float32 (n,) each, levels; 1 and 0 where all is clipped."""
    known = (x < _CLIPPED) & (y < _CLIPPED)
    if not known.any():
        return 1.0, 0.0
    x, y = x[known].astype(np.float64), y[known].astype(np.float64)
    weights, gain, offset = np.ones_like(x), 1.0, 0.0
    for _ in range(_ROUNDS):
        total = weights.sum()
        sxx, sx = (weights * x * x).sum() + _RIDGE[0] * total, (weights * x).sum()
        so, gap = total * (1 + _RIDGE[1]), y - x
        sxy, sy = (weights * x * gap).sum(), (weights * gap).sum()
        extra, offset = np.linalg.solve([[sxx, sx], [sx, so]], [sxy, sy])
        gain = float(np.clip(1 + extra, *_GAINS))
        error = np.abs(y - gain * x - offset)
        scale = max(1.0, 1.5 * float(np.median(error)))
        weights = 1 / (1 + (error / scale) ** 2) ** 2
    return gain, float(offset)
