"""Optical flow between key frames, put together from all the frames between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from moviola.propagation.carry import CarryConfig, best_flow, guide_error
from moviola.propagation.flow import FlowFunction, compose, inside, warp

Span = Callable[[int, int], Iterator[np.ndarray]]
"""First frame and the frame after the last in; the frames, uint8 (H, W, 3), out."""

_KEPT = 2  # earlier key frames that flow is known to: the anchor and the one before
_SHARE, _PIXELS = (
    0.05,
    2.0,
)  # how far flow and flow back may miss each other: share of their squares, and px squared


@dataclass(frozen=True, eq=False)
class Linked:
    """How a key frame and an earlier one hang together.

    Attributes:
        there: flow from the later to the earlier one, float32 (H, W, 2), px.
        back: flow from the earlier to the later one.
        seen: where the later one is to be seen in the earlier one, bool (H, W).
    """

    there: np.ndarray
    back: np.ndarray
    seen: np.ndarray


class ChainedFlows:
    """Flow between key frames for the diffusion painter, `moviola.models.rerender.diffusion.constraints.Flows`.

    Key frames are far apart, and flow straight from one to the other is lost where anything moves far. So flow is
    estimated from frame to frame and chained, to a key farther back from key to key
    (`moviola.propagation.carry.best_flow`). A pixel counts as seen where flow and flow back meet within
    |w + w'|^2 < 0.05 (|w|^2 + |w'|^2) + 2 and the two plain frames agree around it. It takes the direct flow where it
    is seen by that, unless the chained one brings the other frame clearly nearer, and the chained one elsewhere.

    Source: ours; Rerender-A-Video takes the direct flow, and what is hidden from flow and flow back alone.

    Args:
        keys: frame numbers of the key frames, rising.
        span: reads frames.
        estimate: estimates flow: `moviola.propagation.flow.estimator`.
        config: how frames are compared, and when another flow takes the chained one's place.
    """

    def __init__(
        self, keys: Sequence[int], span: Span, estimate: FlowFunction, config: CarryConfig | None = None
    ) -> None:
        self.keys, self.span, self.estimate = keys, span, estimate
        self.config = config or CarryConfig()
        self._found: dict[int, tuple[int, Linked]] = {}  # earlier place -> latest place that is linked to it
        self._step: tuple[int, Linked] | None = None

    def __call__(self, i: int, j: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the flow from key frame `i` to the earlier one `j`, places in `keys`.

        Returns:
            float32 (2, H, W) in px, x before y, and where `i` is hidden in `j`, bool (H, W).
        """
        found = self._link(i, j)
        return np.ascontiguousarray(found.there.transpose(2, 0, 1)), ~found.seen

    def _link(self, i: int, j: int) -> Linked:
        """Link two key frames, going on from what is known."""
        at, found = self._found.pop(j, (j, None))
        if at > i:
            at, found = j, None
        for place in range(at + 1, i + 1):
            step = self._neighbours(place)
            found = step if found is None else self._onward(place, j, step, found)
        assert found is not None
        self._found[j] = i, found
        while len(self._found) > _KEPT:
            del self._found[next(iter(self._found))]
        return found

    def _neighbours(self, place: int) -> Linked:
        """Link a key frame and the one before it, through the frames between."""
        if self._step is not None and self._step[0] == place:
            return self._step[1]
        frames = self.span(self.keys[place - 1], self.keys[place] + 1)
        first = last = next(frames)
        there = back = np.zeros((*first.shape[:2], 2), np.float32)
        for frame in frames:
            there = compose(self.estimate(frame, last), there)
            back = compose(back, self.estimate(last, frame))
            last = frame
        still = np.zeros_like(there)
        found = self._join(
            last, first, self._best(last, first, there, still), self._best(first, last, back, still)
        )
        self._step = place, found
        return found

    def _onward(self, place: int, j: int, step: Linked, before: Linked) -> Linked:
        """Chain the flows of neighbouring key frames to those that lead on to key frame `j`."""
        frame, key = (next(self.span(self.keys[k], self.keys[k] + 1)) for k in (place, j))
        there = self._best(frame, key, step.there, before.there)
        back = self._best(key, frame, before.back, step.back)
        return self._join(frame, key, there, back)

    def _best(self, frame: np.ndarray, key: np.ndarray, step: np.ndarray, onward: np.ndarray) -> np.ndarray:
        return best_flow(frame, key, onward, step, True, self.config, self.estimate)

    def _join(self, frame: np.ndarray, key: np.ndarray, there: np.ndarray, back: np.ndarray) -> Linked:
        """Put chained and direct flows together."""
        straight, returning = self.estimate(frame, key), self.estimate(key, frame)
        there, seen = self._choose(frame, key, (there, back), (straight, returning))
        back, _ = self._choose(key, frame, (back, there), (returning, straight))
        return Linked(there, back, seen)

    def _choose(
        self,
        frame: np.ndarray,
        other: np.ndarray,
        chained: tuple[np.ndarray, np.ndarray],
        direct: tuple[np.ndarray, np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the flow from `frame` to `other`, and where it is seen there, from two flows there and back."""
        config = self.config
        (seen, error), (clear, straight) = (self._seen(frame, other, *flows) for flows in (chained, direct))
        taken = clear & ~(seen & (error < (1 - config.hold) * straight - config.noise))
        return np.where(taken[..., None], direct[0], chained[0]), seen | clear

    def _seen(
        self, frame: np.ndarray, other: np.ndarray, there: np.ndarray, back: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return where `frame` is seen in `other` by a flow, bool (H, W), and how much the two differ there."""
        returned = warp(back, there)
        gap = ((there + returned) ** 2).sum(-1)
        length = (there**2).sum(-1) + (returned**2).sum(-1)
        error = guide_error(frame, warp(other, there), self.config.window)
        meet = gap < _SHARE * length + _PIXELS
        return inside(there) & meet & (error < self.config.weak), error
