"""Which of two key frames a pixel is painted from."""

from __future__ import annotations

import numpy as np

from moviola.core.errors import ConfigError
from moviola.propagation.flow import opencv


def key_weights(index: int, interval: int) -> tuple[float, float]:
    """Return w1 = i / (interval - 1) for the first key and w2 = 1 - w1 for the second.

    Args:
        index: frame, 0 (the first key) to interval - 1 (the second key).
        interval: number of frames from one key to the other, both counted.

    Raises:
        ConfigError: an index outside.
    """
    if not 0 <= index < interval:
        raise ConfigError(f"frame {index} is outside an interval of {interval} frames")
    later = index / (interval - 1) if interval > 1 else 0.0
    return later, 1 - later


def choose(first_error: np.ndarray, second_error: np.ndarray, index: int, interval: int) -> np.ndarray:
    """Choose a key frame for each pixel: the first where w1 e1 < w2 e2, bool (H, W).

    A frame near the first key has a small w1, so that the first key's error counts little. Where both products are
    equal, 0 for instance, the nearer key is taken.

    Source: Yang et al. 2023, "Rerender A Video", section 4.2.3 and its program; the weights are the issue's.

    Args:
        first_error: patch error of what was carried from the first key, at least 0, (H, W).
        second_error: the same from the second key.
        index: see `key_weights`.
        interval: see `key_weights`.

    Raises:
        ConfigError: shapes that differ, or an index outside.
    """
    if first_error.shape != second_error.shape:
        raise ConfigError(f"errors have one shape, got {first_error.shape} and {second_error.shape}")
    w1, w2 = key_weights(index, interval)
    one, two = w1 * first_error, w2 * second_error
    return (one < two) | ((one == two) & (w1 < w2))


def share(
    first_error: np.ndarray,
    second_error: np.ndarray,
    index: int,
    interval: int,
    power: float = 1.0,
    floor: float = 100.0,
) -> np.ndarray:
    """Return the share of the first key at each pixel, the soft form of `choose`: float32 (H, W), 0 to 1.

    s = w2 (e2 + c)^p / (w1 (e1 + c)^p + w2 (e2 + c)^p): with p = 1 and c = 0 it is above a half exactly where
    w1 e1 < w2 e2; where both errors are the same it is the cross-fade w2; for large p it is the key that fits.

    Args:
        first_error: at least 0, (H, W), in levels squared.
        second_error: the same from the second key.
        index: see `key_weights`.
        interval: see `key_weights`.
        power: p, above 0.
        floor: c, errors well below it count as the same; above 0 unless no two errors are 0 at one place.

    Raises:
        ConfigError: shapes that differ, an index outside, or a power that is not above 0.
    """
    if first_error.shape != second_error.shape or power <= 0:
        raise ConfigError(
            "shares need errors of one shape and a power above 0, "
            f"got {first_error.shape}, {second_error.shape} and {power}"
        )
    w1, w2 = key_weights(index, interval)
    one, two = (e.astype(np.float32) + np.float32(floor) for e in (first_error, second_error))
    most = np.maximum(one, two)  # so that no power overflows
    one, two = w1 * (one / most) ** power, w2 * (two / most) ** power
    return (two / (one + two)).astype(np.float32)


def smooth(mask: np.ndarray, sigma: float = 2.0, clean: int = 5) -> np.ndarray:
    """Turn a choice into shares: specks are dropped, then edges are blurred.

    Args:
        mask: bool (H, W).
        sigma: blur of the edges, px; 0 for none.
        clean: side of the window whose median drops specks, odd, px; 1 for none.

    Returns:
        float32 (H, W), 0 to 1; a mask of one value stays exactly that.

    Raises:
        ConfigError: a negative sigma, or an even window.
    """
    if sigma < 0 or clean < 1 or clean % 2 == 0:
        raise ConfigError(f"sigma must be at least 0 and clean odd, got {sigma} and {clean}")
    cv2 = opencv()
    shares = mask.astype(np.uint8) * 255
    if clean > 1:
        shares = cv2.medianBlur(shares, clean)
    soft = shares.astype(np.float32) / 255
    if sigma and shares.min() != shares.max():  # a blur's weights may add up to a little less than 1
        soft = cv2.GaussianBlur(soft, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.clip(soft, 0, 1)
