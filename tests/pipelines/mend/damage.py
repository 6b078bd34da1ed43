"""A drawn clip, and the known ways to break it."""

from __future__ import annotations

import numpy as np

from moviola.core.video import Video


def clip(count: int = 40, height: int = 48, width: int = 64, speed: float = 1.0, seed: int = 0) -> np.ndarray:
    """A smooth texture that pans by whole pixels, uint8 (T, H, W, 3), levels 40 to 200."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((height // 8 + 3, (width + int(speed * count)) // 8 + 4, 3))
    field = np.repeat(np.repeat(coarse, 8, 0), 8, 1)
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    for axis in (0, 1):
        for _ in range(3):
            field = np.apply_along_axis(np.convolve, axis, field, kernel, "same")
    field = 40 + 160 * (field - field.min()) / (field.max() - field.min())
    starts = [round(speed * t) for t in range(count)]
    return np.stack([rounded(field[4 : 4 + height, 4 + s : 4 + s + width]) for s in starts])


def rounded(frames: np.ndarray) -> np.ndarray:
    return np.rint(frames).clip(0, 255).astype(np.uint8)


def flickering(frames: np.ndarray, amount: float = 0.08, seed: int = 1) -> np.ndarray:
    """A gain of each frame; their mean is 1."""
    swing = np.random.default_rng(seed).standard_normal(len(frames))
    gain = 1 + amount * (swing - swing.mean())
    return rounded(frames * gain[:, None, None, None])


def lit(frames: np.ndarray, amount: float = 0.15) -> np.ndarray:
    """Two lights, left and right, that come and go every five and seven frames, the one up as the other is down."""
    t = np.arange(len(frames))[:, None]
    across = np.linspace(0, 1, frames.shape[2])[None]
    gain = amount * (np.sin(2 * np.pi * t / 5) * across + np.sin(2 * np.pi * t / 7) * (1 - across))
    return rounded(frames * (1 + gain[:, None, :, None]))


def pieced(
    frames: np.ndarray, at: int, shift: int = 4, offset: float = 12.0, gamma: float = 1.15
) -> np.ndarray:
    """From frame `at` on, levels of a gamma and an offset of their own, and the picture moved down by `shift` px."""
    later = 255 * (frames[at:] / 255.0) ** gamma + np.array([offset, -offset / 2, offset / 2])
    return np.concatenate([frames[:at], np.roll(rounded(later), shift, 1)])


def drifting(frames: np.ndarray, mean: float = 24.0, contrast: float = 0.25) -> np.ndarray:
    """Mean and contrast that change as a line in time."""
    share = np.linspace(0, 1, len(frames))[:, None, None, None]
    return rounded((frames - 128.0) * (1 - contrast * share) + 128 + mean * share)


def stuttering(frames: np.ndarray, at: list[int]) -> np.ndarray:
    """Frames replaced by the one before."""
    out = frames.copy()
    for t in at:
        out[t] = out[t - 1]
    return out


def psnr(one: np.ndarray, two: np.ndarray) -> float:
    error = ((one.astype(np.float64) - two) ** 2).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def video(frames: np.ndarray) -> Video:
    return Video(frames, 25)
