"""Which part of a clip an encoder is shown in training: the same kinds of parts that the editing tasks observe."""

from __future__ import annotations

import numpy as np

KINDS = ("all", "all", "top", "first", "ends", "sparse", "box", "frames")


def draw_mask(random: np.random.Generator, frames: int, height: int, width: int) -> np.ndarray:
    """Draw what is observed, bool (T, H, W): all, the top half, the first frame, both ends, a quarter of the pixels,
    all but a box, or some of the frames."""
    kind = KINDS[int(random.integers(len(KINDS)))]
    mask = np.zeros((frames, height, width), bool)
    if kind == "all":
        mask[:] = True
    elif kind == "top":
        mask[:, : height // 2] = True
    elif kind == "first":
        mask[0] = True
    elif kind == "ends":
        mask[[0, -1]] = True
    elif kind == "sparse":
        mask[:] = random.random(mask.shape) < 0.25
    elif kind == "box":
        mask[:] = True
        top, left = int(random.integers(height // 2)), int(random.integers(width // 2))
        mask[:, top : top + height // 2, left : left + width // 2] = False
    else:
        mask[random.random(frames) < 0.5] = True
        mask[int(random.integers(frames))] = True
    return mask
