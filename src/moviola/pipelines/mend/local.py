"""Flicker of parts of the picture: light that comes and goes in one place and not in another.

What a frame's neighbourhoods become in the next one is an offset and a gain for each cell of a coarse grid, read along
motion. They are followed to the frames around, smoothed as tone curves are, and what remains is taken off the frame,
enlarged between the cells: the local affine model of He and Sun 2015, "Fast Guided Filter", with the mean of the frames
around as its target. After Bonneel et al. 2015, "Blind Video Temporal Consistency": the clip itself is kept, up to
what is smooth in the picture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from moviola.core.luma import luma
from moviola.pipelines.mend.motion import Motion, copies, halfway, small
from moviola.pipelines.mend.tone import line_weights
from moviola.propagation.flow import grid, opencv

CELLS = 32
"""Cells along the longer side."""
REACH, SIGMA = 20, 8.0
"""Frames looked at on each side, and the window's deviation."""
_BLUR = 0.9  # cells: what is smaller is not flicker of light
_TRUST = 0.005  # share of a neighbourhood that must be seen for half of what it tells to count
_OUTLIER = 4.0  # levels beyond which a pixel speaks less
_NOISE = 16.0  # squared levels: below this a neighbourhood is flat, and its contrast tells nothing
_GAIN = 0.4  # largest change of contrast, natural logarithm


@dataclass(frozen=True, eq=False)
class Step:
    """How cells become those of the next frame.

    Attributes:
        offset: levels, float32 (h, w, 3). gain: natural logarithm, (h, w, 3). flow: in cells, (h, w, 2).
        back: flow from the next frame to this one, in cells.
    """

    offset: np.ndarray
    gain: np.ndarray
    flow: np.ndarray
    back: np.ndarray


def cells_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the rows and columns of the grid for a picture of this shape."""
    longer = max(shape[:2])
    scale = min(1.0, CELLS / longer)
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def pooled(planes: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    """Return the means of cells, blurred among their neighbours, float32 (rows, columns, C) of (h, w, C)."""
    cv2 = opencv()
    parts = [
        cv2.GaussianBlur(
            cv2.resize(planes[..., i : i + 4], cells[::-1], interpolation=cv2.INTER_AREA),
            (0, 0), _BLUR, borderType=cv2.BORDER_REFLECT_101 if min(cells) > 1 else cv2.BORDER_REPLICATE,
        ).reshape(*cells, -1)
        for i in range(0, planes.shape[-1], 4)
    ]  # fmt: skip
    return np.concatenate(parts, -1)


def local_step(before: np.ndarray, after: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the offset and the logarithm of the gain of every cell, each float32 (rows, columns, 3).

    Args:
        before, after: float32 (h, w, 3), of the same things. visible: bool (h, w), where that is so.
    """
    share = visible[..., None].astype(np.float32)
    left = np.abs(
        luma(after - before)
        - _enlarged(_offset(luma(before)[..., None], luma(after)[..., None], share), share)
    )
    limit = max(_OUTLIER, 2 * float(np.median(left[visible]))) if visible.any() else _OUTLIER
    return _moments(before, after, share / (1 + (left[..., None] / limit) ** 2))


def _offset(before: np.ndarray, after: np.ndarray, share: np.ndarray) -> np.ndarray:
    mass, total = np.split(
        pooled(np.concatenate([share, share * (after - before)], -1), cells_of(before.shape)), 2, -1
    )
    return total / np.maximum(mass, 1e-3)


def _enlarged(field: np.ndarray, like: np.ndarray) -> np.ndarray:
    return opencv().resize(field, like.shape[1::-1], interpolation=opencv().INTER_LINEAR)


def _moments(before: np.ndarray, after: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    cells = cells_of(before.shape)
    planes = [share, *(share * x for x in (before, after, before * before, after * after))]
    mass, one, two, one2, two2 = np.split(pooled(np.concatenate(planes, -1), cells), [1, 4, 7, 10], -1)
    whole = np.maximum(mass, 1e-3)
    one, two = one / whole, two / whole
    spread = [np.maximum(square / whole - mean * mean, 0) for square, mean in ((one2, one), (two2, two))]
    gain = 0.5 * np.log((spread[1] + _NOISE) / (spread[0] + _NOISE))
    trust = mass / (mass + _TRUST)
    return trust * (two - one), trust * gain


def steadied(
    frames: Iterable[np.ndarray], guides: Iterable[np.ndarray] | None, segments: np.ndarray
) -> Iterator[np.ndarray]:
    """Take local flicker out of frames that pass by; memory holds the frames of one window.

    Args:
        frames: uint8 or float32 (H, W, 3). guides: as many, in which motion is read; None for the frames.
        segments: int (T,), frames of different numbers are not compared.

    Yields:
        float32 (H, W, 3), not clipped.
    """
    weights = line_weights(segments, SIGMA, REACH)
    held: deque[np.ndarray] = deque()
    steps: deque[Step | None] = deque(maxlen=2 * REACH + 1)  # [i] from frame i - 1 to i, of the newest frames
    t = 0
    for frame, step in _with_steps(frames, guides, Motion()):
        held.append(frame)
        steps.append(step)
        if len(held) > REACH:
            yield _corrected(held.popleft(), list(steps), len(steps) - 1 - REACH, weights[t])
            t += 1
    while held:
        yield _corrected(held.popleft(), list(steps), len(steps) - 1 - len(held), weights[t])
        t += 1


def _with_steps(
    frames: Iterable[np.ndarray], guides: Iterable[np.ndarray] | None, motion: Motion
) -> Iterator[tuple[np.ndarray, Step | None]]:
    """Yield each frame with its step from the one before it, None for the first."""
    last: tuple[np.ndarray, np.ndarray] | None = None
    seen_by = iter(guides) if guides is not None else repeat(None)
    for frame in frames:
        current, seen = copies(frame, next(seen_by))
        current = current.astype(np.float32)
        if last is None:
            yield frame, None
        else:
            flow, back, visible = motion.both(last[1], seen)
            pair = halfway(last[0], current, flow)
            yield frame, Step(*local_step(*pair, visible), *(_in_cells(f) for f in (flow, back)))
        last = current, seen


def _in_cells(flow: np.ndarray) -> np.ndarray:
    cells = cells_of(flow.shape)
    scale = np.array([cells[1] / flow.shape[1], cells[0] / flow.shape[0]], np.float32)
    return opencv().resize(flow, cells[::-1], interpolation=opencv().INTER_AREA).reshape(*cells, 2) * scale


def _corrected(frame: np.ndarray, steps: list[Step | None], at: int, weights: np.ndarray) -> np.ndarray:
    """Return a frame brought to the mean of those around it; `at` is its place among `steps`."""
    first = next((step for step in steps if step is not None), None)
    if first is None:
        return frame.astype(np.float32)
    offset, gain = np.zeros_like(first.offset), np.zeros_like(first.gain)
    for direction in (1, -1):
        path, moved = np.zeros((*offset.shape[:2], 6), np.float32), grid(*offset.shape[:2])
        for k in range(1, REACH + 1):
            place = at + k if direction > 0 else at - k + 1
            step = steps[place] if 0 < place < len(steps) else None
            weight = weights[REACH + direction * k]
            if step is None or weight == 0:
                break
            path = path + direction * _at(np.concatenate([step.offset, step.gain], -1), moved)
            moved = moved + _at(step.flow if direction > 0 else step.back, moved)
            offset += weight * path[..., :3]
            gain += weight * path[..., 3:]
    return _with_light(frame, offset, gain)


def _at(field: np.ndarray, places: np.ndarray) -> np.ndarray:
    cv2 = opencv()
    parts = [
        cv2.remap(np.ascontiguousarray(field[..., i : i + 3]), places, None, cv2.INTER_LINEAR,
                  borderMode=cv2.BORDER_REPLICATE)
        for i in range(0, field.shape[-1], 3)
    ]  # fmt: skip
    return np.concatenate(parts, -1)


def _with_light(frame: np.ndarray, offset: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Return mean + offset + e^gain (frame - mean), all but the frame smooth in the picture."""
    cv2 = opencv()
    size = frame.shape[1::-1]
    mean = pooled(small(frame).astype(np.float32), offset.shape[:2])
    factor = np.exp(gain.clip(-_GAIN, _GAIN))
    shift = mean + offset - factor * mean
    factor, shift = (
        cv2.resize(field.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        for field in (factor, shift)
    )
    return factor.reshape(frame.shape) * frame + shift.reshape(frame.shape)
