"""Cutting a clip to whole cycles, so that it repeats without a jump."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def find_loop(frames: np.ndarray, least: int) -> tuple[int, int]:
    """Return where a clip can be joined to itself with the smallest jump.

    Frame `stop` looks like frame `start` and frame `stop + 1` like frame `start + 1`, so that place and direction of
    what moves agree; frames start ... stop - 1 are then played again and again. Among joints whose jump is within a
    tenth of the smallest, the longest loop wins. After the video textures of Schoedl et al. 2000, section 3.

    Args:
        frames: uint8 (T, H, W, 3).
        least: shortest loop, frames; at least 1.

    Returns:
        (start, stop); the whole clip where it is too short for a joint.
    """
    import numpy as np

    count = len(frames)
    if count < least + 2:
        return 0, count
    pixels = frames.reshape(count, -1).astype(np.float32)
    squares = (pixels**2).sum(axis=1)
    distance = np.maximum(squares[:, None] + squares[None] - 2 * pixels @ pixels.T, 0)
    jump = distance[:-1, :-1] + distance[1:, 1:]
    start, stop = np.triu_indices(count - 1, least)
    jumps = jump[start, stop]
    candidates = np.flatnonzero(jumps <= 1.1 * jumps.min())
    longest = candidates[np.argmax(stop[candidates] - start[candidates])]
    return int(start[longest]), int(stop[longest])
