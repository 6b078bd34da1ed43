"""Frames compared with one far back: what a slow change adds up to, without the errors of every step between.

Every few frames the frame is compared with an anchor, the first of its shot; where too little of the anchor is still
seen, the newest frame becomes the next anchor, and the way leads over both.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from moviola.core.luma import luma
from moviola.pipelines.mend.motion import Motion, copies, halfway
from moviola.pipelines.mend.tone import fit_transfer
from moviola.propagation.flow import opencv

STRIDE = 8
"""Frames from sample to sample."""
_SEEN, _LOST = (
    0.8,
    0.5,
)  # share of the picture below which an anchor is replaced, and below which it is not compared
_REST = 0.6  # of the anchor's deviation: what motion and light may leave, or something else was matched

Kept = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of a frame: its small copy, that in which motion is read, and its squared gradient."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A frame and what it was compared with.

    Attributes:
        frame: its number. base: place of the anchor among the samples, its own where it was compared with none.
        transfer, mass: from the anchor to it, (3, K); see `moviola.pipelines.mend.tone`.
        sharpness: natural logarithm of the squared gradient over that of the anchor, where both show the same.
    """

    frame: int
    base: int
    transfer: np.ndarray
    mass: np.ndarray
    sharpness: float


@dataclass(eq=False)
class Anchors:
    """Samples of frames that pass by; a few hundred bytes each, and the small copy of one anchor.

    Attributes:
        last: number of the last frame, which is a sample too.
        samples: what was found.
    """

    last: int = 0
    samples: list[Sample] = field(default_factory=list)
    _motion: Motion = field(default_factory=Motion)
    _anchor: tuple[int, Kept] | None = None
    _last: tuple[int, Kept] | None = None

    def see(self, number: int, frame: np.ndarray, guide: np.ndarray | None = None) -> None:
        """Take a frame, uint8 (H, W, 3); all but every eighth and the last are let pass."""
        if number % STRIDE and number != self.last:
            return
        current, seen = copies(frame, guide)
        new = current.astype(np.float32), seen, detail(frame, current.shape[:2])
        place = len(self.samples)
        sample, visible = self._compared(number, new)
        if sample is None:
            nothing = fit_transfer(new[0], new[0], np.ones(current.shape[:2], bool))
            sample = Sample(number, place, *nothing[:2], 0.0)
        self.samples.append(sample)
        self._last = place, new
        if visible < _SEEN:
            self._anchor = place, new

    def _compared(self, number: int, new: Kept) -> tuple[Sample | None, float]:
        """Return a sample by the anchor, or by the sample before where it is lost, and the share of it that is seen."""
        bases = (
            [self._anchor] if self._anchor is self._last or self._last is None else [self._anchor, self._last]
        )
        for base in bases:
            found = None if base is None else self._compare(number, new, base[0], base[1])
            if found is not None:
                return found[0], found[1] if base is self._anchor else 0.0
        return None, 0.0

    def _compare(self, number: int, new: Kept, place: int, old: Kept) -> tuple[Sample, float] | None:
        flow, _, visible = self._motion.both(old[1], new[1])
        share = float(visible.mean())
        if share < _LOST:
            return None
        before, after = halfway(old[0], new[0], flow)
        curve, mass, left = fit_transfer(before, after, visible)
        if np.sqrt((left[visible] ** 2).mean()) > _REST * before[visible].std(0).mean() + 1:
            return None
        one, two = halfway(old[2], new[2], flow)
        ratio = float(np.log((two[visible].sum() + 1e-3) / (one[visible].sum() + 1e-3)))
        return Sample(number, place, curve, mass, ratio), share


def detail(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the squared gradient of the brightness, averaged to a size (height, width), float32."""
    grey = luma(frame)
    across, down = np.diff(grey, axis=1, append=grey[:, -1:]), np.diff(grey, axis=0, append=grey[-1:])
    return opencv().resize(across**2 + down**2, size[::-1], interpolation=opencv().INTER_AREA)
