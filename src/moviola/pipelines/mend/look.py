"""The first pass: what is known of every frame, in a few hundred bytes each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from moviola.core.luma import luma
from moviola.core.progress import Tick
from moviola.pipelines.mend.anchors import Anchors, Sample
from moviola.pipelines.mend.footage import Footage
from moviola.pipelines.mend.motion import Motion, Pair, paired, small
from moviola.pipelines.mend.tone import KNOTS, fit_transfer
from moviola.propagation.flow import opencv
from moviola.selection.shots import CutFinder

TILES = 4
"""Tiles each way, in which local flicker is looked for."""


@dataclass(frozen=True, eq=False)
class Look:
    """Statistics of T frames; what is [t] of a pair is from frame t - 1 to t, and nothing at t = 0.

    Attributes:
        transfers: (T, 3, K), of the whole picture; see `moviola.pipelines.mend.tone`.
        mass: share of the pixels that speak at each level, (T, 3, K).
        tiles: brightness that the transfer leaves in each tile, levels, (T, 4, 4).
        visible: share of the picture that both frames show, 0 to 1, (T,).
        left: what motion and transfer leave, root mean square where both frames show the same, levels, (T,).
        motion: mean length of the flow, percent of the longer side, (T,).
        turn: how much the flow differs from the one before, mean length in percent of the longer side, (T,).
        change: mean absolute difference of the two frames, levels, (T,).
        cuts: first frames of the shots after the first.
        samples: frames compared with one far back.
    """

    transfers: np.ndarray
    mass: np.ndarray
    tiles: np.ndarray
    visible: np.ndarray
    left: np.ndarray
    motion: np.ndarray
    turn: np.ndarray
    change: np.ndarray
    cuts: list[int]
    samples: list[Sample]

    def __len__(self) -> int:
        return len(self.change)


def look_at(footage: Footage, guide: Footage | None = None, tick: Tick | None = None) -> Look:
    """Go through the frames once.

    Args:
        footage: what is to be mended. guide: in which motion is read; None for the footage.
        tick: called with the number of frames looked at.
    """
    out = _empty(footage.count)
    watch, recent = _Watch(footage.count - 1), _Recent()
    guides = watch.guides(guide.frames()) if guide else None
    for t, pair in enumerate(paired(watch.frames(footage.frames()), guides, Motion())):
        watch.sample(t)
        if pair is not None:
            out.change[t] = watch.change
            _note(out, t, pair, recent)
        if tick is not None:
            tick(1)
    out.cuts.extend(watch.cuts.cuts())
    out.samples.extend(watch.anchors.samples)
    return out


def _empty(count: int) -> Look:
    """Return a look at `count` frames in which nothing is noted yet."""
    curves = np.zeros((count, 3, KNOTS), np.float32)
    visible, left, motion, turn, change = np.zeros((5, count), np.float32)
    tiles = np.zeros((count, TILES, TILES), np.float32)
    return Look(curves, curves.astype(np.float16), tiles, visible, left, motion, turn, change, [], [])


class _Watch:
    """Looks at frames on their way: shows them to the finder of cuts and to the anchors."""

    def __init__(self, last: int) -> None:
        self.cuts, self.anchors, self.change = CutFinder(), Anchors(last), 0.0
        self._small: np.ndarray | None = None
        self._newest: list[np.ndarray | None] = [None, None]

    def frames(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for frame in frames:
            current = small(frame)
            self.cuts.see(current)
            before, self._small = self._small, current.astype(np.int16)
            if before is not None:
                self.change = float(np.abs(self._small - before).mean())
            self._newest[0] = frame
            yield frame

    def guides(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for frame in frames:
            self._newest[1] = frame
            yield frame

    def sample(self, t: int) -> None:
        frame, guide = self._newest
        assert frame is not None
        self.anchors.see(t, frame, guide)


class _Recent:
    flow: np.ndarray | None = None


def _note(out: Look, t: int, pair: Pair, recent: _Recent) -> None:
    """Put what a pair tells into row `t`."""
    curve, mass, left = fit_transfer(pair.before, pair.after, pair.visible)
    out.transfers[t], out.mass[t] = curve, mass
    out.visible[t] = pair.visible.mean()
    longer = max(pair.flow.shape[:2])
    length = np.sqrt((pair.flow**2).sum(-1))
    out.motion[t] = 100 * length.mean() / longer
    if recent.flow is not None:
        turn = np.sqrt(((pair.flow - recent.flow) ** 2).sum(-1))
        out.turn[t] = 100 * turn.mean() / longer
    recent.flow = pair.flow
    if pair.visible.any():
        grey = luma(left)
        out.left[t] = np.sqrt((grey[pair.visible] ** 2).mean())
        out.tiles[t] = _tiles(grey, pair.visible)


def _tiles(left: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Return the means of what is left, over what is visible of each tile; 0 for tiles that hardly are."""
    cv2 = opencv()
    share = visible.astype(np.float32)
    mass, total = (
        cv2.resize(plane, (TILES, TILES), interpolation=cv2.INTER_AREA) for plane in (share, share * left)
    )
    return np.where(mass > 0.1, total / np.maximum(mass, 0.1), 0)
