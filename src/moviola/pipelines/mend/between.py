"""Frames between frames, and one piece led into the next: what is done along flow at full size."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from moviola.pipelines.mend.motion import small
from moviola.propagation.flow import estimator, occlusion, opencv, warp
from moviola.propagation.poisson import fuse

BRIDGE = 6
"""Frames on each side of a seam that are led over it."""
_SIDE = 384  # px of the longer side at which flow is estimated
_STILL = 0.25  # px: a jump that is shorter is none
_SMOOTH = 0.02  # of the longer side: how smooth a jump is over the picture


class Flow:
    """Estimates flow at a middle size and enlarges it."""

    def __init__(self) -> None:
        self._estimate = estimator("dis")

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the flow from the first frame to the second, float32 (H, W, 2), px.

        Args:
            first, second: uint8 or float32 (H, W, 3).
        """
        one, two = (small(_rounded(frame), _SIDE) for frame in (first, second))
        flow = self._estimate(one, two)
        height, width = first.shape[:2]
        if flow.shape[:2] == (height, width):
            return flow
        scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
        return opencv().resize(flow, (width, height), interpolation=opencv().INTER_LINEAR) * scale


def _rounded(frame: np.ndarray) -> np.ndarray:
    return frame if frame.dtype == np.uint8 else np.rint(frame).clip(0, 255).astype(np.uint8)


def in_between(
    first: np.ndarray, second: np.ndarray, shares: Sequence[float], flow: Flow
) -> list[np.ndarray]:
    """Return the frames at shares of the way from the first frame to the second, float32 (H, W, 3).

    Both are brought there along flow; what one of them does not show is taken from the other.
    """
    there, back = flow(first, second), flow(second, first)
    hidden = occlusion(there, back), occlusion(back, there)
    made = []
    for share in shares:
        one = warp(first.astype(np.float32), -share * there)
        two = warp(second.astype(np.float32), -(1 - share) * back)
        weights = [
            (part * (1 - 0.95 * warp(mask.astype(np.float32), move)))[..., None]
            for part, mask, move in (
                (1 - share, hidden[0], -share * there),
                (share, hidden[1], -(1 - share) * back),
            )
        ]
        total = np.maximum(weights[0] + weights[1], 1e-6)
        made.append((weights[0] * one + weights[1] * two) / total)
    return made


def filled(frames: Iterable[np.ndarray], repeats: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
    """Put frames between in the place of repeated ones; memory holds one run of them.

    Args:
        frames: uint8 or float32 (H, W, 3). repeats: (first, stop) of each run, ascending.
    """
    runs, flow = deque(repeats), Flow()
    last: np.ndarray | None = None
    waiting = 0
    for t, frame in enumerate(frames):
        while runs and t > runs[0][1]:
            runs.popleft()
        if runs and runs[0][0] <= t < runs[0][1]:
            waiting += 1
            continue
        if waiting and last is not None:
            yield from in_between(last, frame, [(i + 1) / (waiting + 1) for i in range(waiting)], flow)
            waiting = 0
        yield frame
        last = frame
    if last is not None:
        yield from [last] * waiting


def bridged(frames: Iterable[np.ndarray], seams: Sequence[int], segments: np.ndarray) -> Iterator[np.ndarray]:
    """Lead the frames on both sides of every seam over it; memory holds the frames of one bridge.

    The picture's jump is spread over the frames around the seam, along flow: those before are moved towards where it
    goes on, those after back, half the way at the seam and less with distance. Then what the piece before showed last
    is carried along flow into the first frames after and fades there, in the gradient domain.

    Args:
        frames: uint8 or float32 (H, W, 3), their colours matched. seams: ascending.
        segments: int (T,), of shots: nothing is led over a cut.
    """
    flow, held = Flow(), deque[np.ndarray]()
    pending = deque(seams)
    start, count = 0, len(segments)
    for t, frame in enumerate(frames):
        held.append(frame)
        while pending and t + 1 >= min(pending[0] + BRIDGE, count):
            seam = pending.popleft()
            before, after = _reach(seam, seams, segments)
            window = [held[i - start] for i in range(seam - before, seam + after)]
            for i, mended in enumerate(_bridge(window, before, flow), seam - before):
                held[i - start] = mended
        keep = pending[0] - BRIDGE if pending else t + 1
        while held and start < min(keep, t + 1):
            yield held.popleft()
            start += 1
    yield from held


def _reach(seam: int, seams: Sequence[int], segments: np.ndarray) -> tuple[int, int]:
    """Return how many frames before and after a seam may be changed: no other seam's, none of another shot."""
    before = after = 0
    taken = {
        t for s in seams if s != seam for t in (range(s, s + BRIDGE) if s < seam else range(s - BRIDGE, s))
    }
    while (
        before < BRIDGE
        and seam - before - 1 >= 0
        and segments[seam - before - 1] == segments[seam]
        and seam - before - 1 not in taken
    ):
        before += 1
    while (
        after < BRIDGE
        and seam + after < len(segments)
        and segments[seam + after] == segments[seam]
        and (after == 0 or seam + after not in taken)
    ):
        after += 1
    return before, after


def _bridge(window: list[np.ndarray], before: int, flow: Flow) -> list[np.ndarray]:
    """Return the frames around a seam led over it; `before` of them are before it."""
    after = len(window) - before
    if not before or not after:
        return window
    moved = _respaced(window, before, flow)
    last = moved[before - 1]
    for i in range(after):
        current = moved[before + i]
        there, back = flow(current, last), flow(last, current)
        carried = warp(last.astype(np.float32), there, "bicubic").clip(0, 255)
        seen = opencv().GaussianBlur((~occlusion(there, back)).astype(np.float32), (0, 0), 2.0)
        share = seen * (after - i) / (after + 1)
        prior = current + share[..., None] * (carried - current)
        moved[before + i] = fuse(
            carried, current.astype(np.float32), share, prior.astype(np.float32), 0.05
        ).astype(np.float32)
    return moved


def _respaced(window: list[np.ndarray], before: int, flow: Flow) -> list[np.ndarray]:
    """Spread the jump of the picture between two frames over those around them."""
    after = len(window) - before
    one, two = window[before - 1], window[before]
    steps = [window[before - 2 : before]] if before > 1 else []
    steps += [window[before : before + 2]] if after > 1 else []
    ordinary = [(flow(a, b), flow(b, a)) for a, b in steps]
    mean = [sum(flows) / len(ordinary) for flows in zip(*ordinary, strict=True)] or [0, 0]
    extra, extra_back = (_smooth(flow(*pair) - mean[i]) for i, pair in enumerate(((one, two), (two, one))))
    if np.sqrt((extra**2).sum(-1)).mean() < _STILL:
        return list(window)
    moved = []
    for i, frame in enumerate(window):
        if i < before:
            move = -0.5 * (i + 1) / before * extra
        else:
            move = -0.5 * (len(window) - i) / after * extra_back
        moved.append(warp(frame.astype(np.float32), move.astype(np.float32), "bicubic").clip(0, 255))
    return moved


def _smooth(flow: np.ndarray) -> np.ndarray:
    sigma = max(1.0, _SMOOTH * max(flow.shape[:2]))
    return opencv().GaussianBlur(opencv().medianBlur(flow.astype(np.float32), 5), (0, 0), sigma)
