"""Corruptions of a part of a clip: which pixels, and what is put there.

All take frames uint8 (T, H, W, 3), a strength in (0, 1] and a generator, and return the corrupted frames and the
mask, bool (T, H, W), True where something was put. Source: the masks of REGIS ("Refining Generated Videos via
Iterative Stylistic Redesigning"): spatio-temporal blocks, blocks held or drawn anew for every frame, random pixels,
blurred and pixelated blocks, and masks that slide from pass to pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from moviola.data.corrupt.filters import blurred

if TYPE_CHECKING:
    from numpy.random import Generator

Corrupted = tuple[np.ndarray, np.ndarray]
Shape = tuple[int, int, int]

GREY = 128  # what holes are filled with; 0.004 in [-1, 1], the whole number next above 0
STAGES = 4  # bands of the sliding mask
BLOCKS, HELD, FRAME_BLOCKS, PIXELS, FILTERED, FROZEN = 0.5, 0.4, 0.5, 0.8, 0.6, 0.6  # covered at strength 1


def block_mask(shape: Shape, share: float, generator: Generator) -> np.ndarray:
    """Return boxes in space and time, drawn until they cover `share` of the clip.

    Args:
        shape: T, H, W.
        share: 0 to 1; the last box is drawn to fit, so the cover is exact to one row of a box.
        generator: draws boxes of a quarter to a half of the length and an eighth to a third of the sides.
    """
    frames, height, width = shape
    mask = np.zeros(shape, bool)
    wanted = share * mask.size
    covered = 0
    while covered < wanted - 0.5:
        t = _span(frames, frames / 4, frames / 2, generator)
        y = _span(height, height / 8, height / 3, generator)
        x = _span(width, width / 8, width / 3, generator)
        box = mask[t, y, x]
        new = np.cumsum((~box).sum(axis=(0, 2)))  # pixels that the box's first rows would add
        rows = int(np.searchsorted(new, wanted - covered)) + 1
        covered += int(new[min(rows, len(new)) - 1])
        box[:, :rows] = True
    return mask


def held_mask(shape: Shape, share: float, generator: Generator) -> np.ndarray:
    """Return one box, in place through the whole clip, that covers `share` of a frame (to half a row)."""
    _, height, width = shape
    aspect = np.exp(generator.uniform(np.log(0.5), np.log(2.0)))
    side = np.clip(np.sqrt(share * aspect), share, 1.0)
    rows = int(np.clip(round(height * side), 1, height))
    columns = int(np.clip(round(share * height * width / rows), 1, width))
    top, left = int(generator.integers(height - rows + 1)), int(generator.integers(width - columns + 1))
    mask = np.zeros(shape, bool)
    mask[:, top : top + rows, left : left + columns] = True
    return mask


def frame_mask(shape: Shape, share: float, generator: Generator) -> np.ndarray:
    """Return boxes drawn anew for every frame, each frame covered as `block_mask` covers a clip."""
    return np.concatenate([block_mask((1, *shape[1:]), share, generator) for _ in range(shape[0])])


def pixel_mask(shape: Shape, share: float, generator: Generator) -> np.ndarray:
    """Return single pixels, each on its own with chance `share`."""
    return generator.random(shape, dtype=np.float32) < np.float32(share)


def band_mask(shape: Shape, stage: int, stages: int = STAGES) -> np.ndarray:
    """Return stage `stage` (from 0, counted round) of a mask that slides: one of `stages` bands of columns.

    The stages of one round cover every pixel once.
    """
    width = shape[2]
    k = stage % stages
    mask = np.zeros(shape, bool)
    mask[:, :, width * k // stages : width * (k + 1) // stages] = True
    return mask


def blocks(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Fill boxes in space and time with grey."""
    return _filled(frames, block_mask(frames.shape[:3], BLOCKS * strength, generator))


def held_block(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Fill one box with grey, in place through the whole clip."""
    return _filled(frames, held_mask(frames.shape[:3], HELD * strength, generator))


def frame_blocks(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Fill boxes with grey, drawn anew for every frame."""
    return _filled(frames, frame_mask(frames.shape[:3], FRAME_BLOCKS * strength, generator))


def pixels(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Fill single pixels with grey."""
    return _filled(frames, pixel_mask(frames.shape[:3], PIXELS * strength, generator))


def sliding(
    frames: np.ndarray, strength: float, generator: Generator, *, stage: int | None = None
) -> Corrupted:
    """Fade one of four bands of columns towards grey; wholly grey at strength 1.

    Args:
        frames: uint8 (T, H, W, 3).
        strength: how far towards grey.
        generator: draws the stage where none is given.
        stage: which band, counted round; None draws one.
    """
    mask = band_mask(frames.shape[:3], int(generator.integers(STAGES)) if stage is None else stage)
    out = frames.copy()
    band = frames[mask].astype(np.float32)
    out[mask] = np.rint(band + np.float32(strength) * (GREY - band)).astype(np.uint8)
    return out, mask


def blur_blocks(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Blur boxes in space and time with a Gaussian of 1 to 4 px (at 64 px; in proportion elsewhere)."""
    mask = block_mask(frames.shape[:3], FILTERED, generator)
    sigma = (1.0 + 3.0 * strength) * min(frames.shape[1:3]) / 64
    return np.where(mask[..., None], blurred(frames, sigma), frames), mask


def pixelate(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Show boxes in space and time in cells of 2 to 8 px (at 64 px; in proportion elsewhere), each of one colour."""
    mask = block_mask(frames.shape[:3], FILTERED, generator)
    cell = max(2, round(2 + 6 * strength * min(frames.shape[1:3]) / 64))
    return np.where(mask[..., None], _cells(frames, cell), frames), mask


def frozen(frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
    """Hold a piece of the picture still for some frames: it shows what it showed when it stopped."""
    count, height, width = frames.shape[:3]
    share = FROZEN * strength
    run = int(np.clip(round(count * generator.uniform(share, 1.0)), 1, max(1, count - 1)))
    start = int(generator.integers(min(1, count - run), count - run + 1))
    area = min(1.0, share * count / run)
    mask = np.zeros(frames.shape[:3], bool)
    mask[start : start + run] = held_mask((run, height, width), area, generator)
    still = frames[max(0, start - 1)]
    return np.where(mask[..., None], still, frames), mask


def _span(length: int, least: float, most: float, generator: Generator) -> slice:
    size = int(np.clip(round(generator.uniform(least, most)), 1, length))
    start = int(generator.integers(1 - size, length))  # may hang over either end: all places are hit as often
    return slice(max(0, start), start + size)


def _filled(frames: np.ndarray, mask: np.ndarray) -> Corrupted:
    out = frames.copy()
    out[mask] = GREY
    return out, mask


def _cells(frames: np.ndarray, cell: int) -> np.ndarray:
    """Replace every cell of `cell` x `cell` px by its mean; cells at the lower and right edge may be cut."""
    _, height, width, _ = frames.shape
    tops, lefts = np.arange(0, height, cell), np.arange(0, width, cell)
    sums = np.add.reduceat(frames.astype(np.float32), tops, axis=1)
    sums = np.add.reduceat(sums, lefts, axis=2)
    rows, columns = np.diff([*tops, height]), np.diff([*lefts, width])
    means = np.rint(sums / (rows[:, None] * columns)[..., None]).astype(np.uint8)
    return means.repeat(rows, axis=1).repeat(columns, axis=2)
