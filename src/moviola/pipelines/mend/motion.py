"""Frames beside the next ones: small copies, the motion between them, and where both show the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

from moviola.propagation.flow import grid, occlusion, opencv

SIDE = 128
"""Longer side of the small copies, px."""
_AROUND, _FLAT = 6.0, 5.0  # px and levels: a neighbourhood, and the deviation below which it is flat
_SMALLEST = 16  # px, of a picture that dense inverse search takes


@dataclass(frozen=True, eq=False)
class Pair:
    """A frame and the one before it, small.

    Attributes:
        before: float32 (h, w, 3), 0 to 255, moved half the way to the next frame. after: the next one, moved half back.
        flow: from the frame to the next, float32 (h, w, 2), px of the small copies.
        visible: bool (h, w), where both show the same.
    """

    before: np.ndarray
    after: np.ndarray
    flow: np.ndarray
    visible: np.ndarray


def small(frame: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Return a frame whose longer side is at most `side` px; the type stays.

    Args:
        frame: uint8 or float32 (H, W, 3).
    """
    height, width = frame.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return frame
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return opencv().resize(frame, size, interpolation=opencv().INTER_AREA)


class Motion:
    """Estimates flow between small frames by dense inverse search (OpenCV's fast preset)."""

    def __init__(self) -> None:
        cv2 = opencv()
        self._engine: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def both(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the flow from first to second and back, and where the first is seen in the second.

        Args:
            first, second: uint8 (h, w, 3). Each neighbourhood is given the same mean and deviation, so that light
                that changes is not taken for motion.
        """
        one, two = _normalised(first), _normalised(second)
        forward, backward = self._flow(one, two), self._flow(two, one)
        return forward, backward, ~occlusion(forward, backward)

    def _flow(self, one: np.ndarray, two: np.ndarray) -> np.ndarray:
        height, width = one.shape
        pads = ((0, max(0, _SMALLEST - height)), (0, max(0, _SMALLEST - width)))
        one, two = (np.pad(grey, pads, mode="symmetric") for grey in (one, two))
        return np.ascontiguousarray(self._engine.calc(one, two, None)[:height, :width])


def _normalised(frame: np.ndarray) -> np.ndarray:
    """Return the brightness of a frame less its local mean, over its local deviation, as uint8 (h, w)."""
    cv2 = opencv()
    grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean, square = (cv2.GaussianBlur(plane, (0, 0), _AROUND) for plane in (grey, grey * grey))
    spread = np.sqrt(np.maximum(square - mean * mean, 0)) + _FLAT
    return np.rint(128 + 48 * (grey - mean) / spread).clip(0, 255).astype(np.uint8)


def halfway(first: np.ndarray, second: np.ndarray, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both pictures moved to the middle of the way between them, so that both are blurred alike.

    Args:
        first, second: float32 (h, w, 3). flow: from the first to the second, (h, w, 2), px.
    """
    cv2 = opencv()
    places = grid(*flow.shape[:2])
    half = (flow / 2).astype(np.float32)
    read = [
        cv2.remap(picture, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for picture, at in ((first, places - half), (second, places + half))
    ]
    return read[0], read[1]


def paired(
    frames: Iterable[np.ndarray], guides: Iterable[np.ndarray] | None, motion: Motion
) -> Iterator[Pair | None]:
    """Give for every frame the pair that it makes with the one before; None for the first.

    Args:
        frames: uint8 (H, W, 3), in order; float32 where `guides` are given.
        guides: as many, uint8, in which motion is read instead; of any size and the same shape.
        motion: estimates it.
    """
    last: tuple[np.ndarray, np.ndarray] | None = None
    for frame, guide in zip(frames, repeat(None) if guides is None else guides, strict=guides is not None):
        current, seen = copies(frame, guide)
        if last is None:
            yield None
        else:
            flow, _, visible = motion.both(last[1], seen)
            before, after = halfway(last[0].astype(np.float32), current.astype(np.float32), flow)
            yield Pair(before, after, flow, visible)
        last = current, seen


def copies(frame: np.ndarray, guide: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return a frame's small copy, and that in which its motion is read (the guide's, if any), uint8 (H, W, 3)."""
    current = small(frame)
    seen = current if guide is None else fit(small(guide), current.shape[:2])
    return current, seen if seen.dtype == np.uint8 else np.rint(seen).clip(0, 255).astype(np.uint8)


def fit(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a picture at another size (height, width)."""
    if picture.shape[:2] == size:
        return picture
    return opencv().resize(picture, (size[1], size[0]), interpolation=opencv().INTER_AREA)
