"""Blending two frames without the loss of contrast that an average has."""

from __future__ import annotations

import numpy as np

from moviola.core.errors import ConfigError
from moviola.propagation.flow import opencv
from moviola.propagation.poisson import fuse

_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]],
    np.float32,
)  # linear sRGB to CIE XYZ, D65
_RGB = np.linalg.inv(_XYZ.astype(np.float64)).astype(np.float32)
_WHITE = _XYZ.sum(1)
_EDGE = np.float32(6 / 29)
_FLAT = 1.0  # squared Lab units; below this variance there is noise, and no contrast to preserve


def contrast_preserving(
    first: np.ndarray, second: np.ndarray, share: np.ndarray | float, window: int = 31, keep: float = 1.0
) -> np.ndarray:
    """Blend two frames in CIE L*a*b* so that the variance is that of the frames.

    The blend sum w_i (x_i - m_i) / s + sum w_i m_i has the inputs' variance when s is sqrt(sum w_i^2) and the inputs
    are independent, as Heitz and Neyret assume for textures. Two renderings of one scene are far from that, and equal
    ones would come back with up to 41 % more contrast; so s is the deviation of the blend with their correlation r
    put in, per channel and window: s^2 = w1^2 + w2^2 + 2 w1 w2 r (inputs scaled to one deviation). With r = 0 it is
    their formula, with r = 1 it is the plain average and equal frames come back.

    Source: Heitz and Neyret 2018, "High-Performance By-Example Noise using a Histogram-Preserving Blending Operator",
    equation 2; used by Yang et al. 2023, "Rerender A Video", section 4.2.3. The correlation is ours.

    Args:
        first: uint8 or float32 (H, W, 3), 0 to 255.
        second: like `first`.
        share: share of `first`, 0 to 1, a number or float32 (H, W).
        window: side of the square within which means and correlations are taken, px; 0 for the whole frame.
        keep: how much of the lost contrast comes back: 1 all of it, 0 none (the plain average in L*a*b*).

    Returns:
        float32 (H, W, 3), RGB from 0 to 255.

    Raises:
        ConfigError: shapes that differ, or values out of range.
    """
    if first.shape != second.shape or (np.ndim(share) and np.shape(share) != first.shape[:2]):
        raise ConfigError(f"cannot blend {first.shape} and {second.shape} by shares {np.shape(share)}")
    if not 0 <= keep <= 1 or window < 0:
        raise ConfigError(f"keep is 0 to 1 and window at least 0, got {keep} and {window}")
    one, two = to_lab(first), to_lab(second)
    w1 = np.broadcast_to(np.asarray(share, np.float32)[..., None], (*one.shape[:2], 1))
    blend = two + w1 * (one - two)
    if keep:
        mean, spread = _statistics(one, two, w1, window)
        blend = mean + (blend - mean) / (1 + keep * (spread - 1))
    return from_lab(blend)


def _statistics(
    one: np.ndarray, two: np.ndarray, w1: np.ndarray, window: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the blend's local mean, and its deviation in units of that of its inputs, each (H, W, 3)."""
    m1, m2 = _mean(one, window), _mean(two, window)
    v1 = np.maximum(_mean(one * one, window) - m1 * m1, 0)
    v2 = np.maximum(_mean(two * two, window) - m2 * m2, 0)
    shared = _mean(one * two, window) - m1 * m2
    w2 = 1 - w1
    variance = w1 * w1 * v1 + w2 * w2 * v2 + 2 * w1 * w2 * shared
    expected = w1 * v1 + w2 * v2
    ratio = np.clip((variance + _FLAT) / (expected + _FLAT), 0.5, 1)  # 0.5: two independent inputs, half each
    return m2 + w1 * (m1 - m2), np.sqrt(ratio)


def _mean(values: np.ndarray, window: int) -> np.ndarray:
    """Return the mean of (H, W, 3) over the window around each pixel, or over all of it."""
    if not window:
        return values.mean((0, 1), keepdims=True)
    cv2 = opencv()
    return cv2.blur(values, (window, window), borderType=cv2.BORDER_REFLECT)


def to_lab(frame: np.ndarray) -> np.ndarray:
    """Return a frame, uint8 or float32 sRGB of 0 to 255, as CIE L*a*b* (D65), float32 (H, W, 3), L from 0 to 100.

    OpenCV's own conversion is off by up to a level there and back; this one is exact to 0.01 levels.
    """
    if frame.dtype == np.uint8:
        linear = _to_linear(np.arange(256, dtype=np.float32) / 255)[frame]
    else:
        linear = _to_linear(frame.astype(np.float32) / 255)
    xyz = (linear @ _XYZ.T) / _WHITE
    f = np.where(xyz > _EDGE**3, np.cbrt(xyz), xyz / (3 * _EDGE**2) + np.float32(4 / 29))
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def from_lab(lab: np.ndarray) -> np.ndarray:
    """Return CIE L*a*b* float32 (H, W, 3) as sRGB, float32 from 0 to 255; colours outside sRGB are cut off."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > _EDGE, f * f * f, 3 * _EDGE**2 * (f - np.float32(4 / 29))) * _WHITE
    linear = np.clip(xyz @ _RGB.T, 0, 1)
    low = linear * 12.92
    return 255 * np.where(linear <= 0.0031308, low, 1.055 * np.power(linear, np.float32(1 / 2.4)) - 0.055)


def _to_linear(values: np.ndarray) -> np.ndarray:
    """Undo sRGB's gamma (IEC 61966-2-1), 0 to 1."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


def blend(
    first: np.ndarray,
    second: np.ndarray,
    chosen: np.ndarray,
    share: np.ndarray | float | None = None,
    *,
    keep: float = 1.0,
    pull: float = 0.05,
) -> np.ndarray:
    """Join what was carried from two key frames: colours from both, detail from the chosen one, no seam.

    Equal frames come back within one level.

    Source: Yang et al. 2023, "Rerender A Video", section 4.2.3: contrast-preserving blending, then Poisson fusion.

    Args:
        first: uint8 or float32 (H, W, 3), 0 to 255.
        second: like `first`.
        chosen: share of `first` in the detail, 0 to 1, float32 (H, W): `moviola.propagation.choose`.
        share: share of `first` in the colours; `chosen` when not given.
        keep: see `contrast_preserving`.
        pull: see `moviola.propagation.poisson.solve`; infinity leaves the fusion out.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ConfigError: shapes that differ, or values out of range.
    """
    prior = contrast_preserving(first, second, chosen if share is None else share, keep=keep)
    if np.isinf(pull):
        return np.rint(prior).clip(0, 255).astype(np.uint8)
    return fuse(first, second, chosen, prior, pull)
