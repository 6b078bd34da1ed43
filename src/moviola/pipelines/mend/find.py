"""What is broken: faults read from the statistics of the first pass.

Every threshold stands well above what real clips without the fault show (docs/mend.md), so that a clean clip is left
alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from moviola.pipelines.mend import local, tone
from moviola.pipelines.mend.look import Look

SIGMA, REACH = 12.0, 36
"""Of the window under which global flicker is smoothed away, frames."""
FLICKER, LOCAL = 2.0, 3.0
"""Levels that the light of a frame, and of a tile, is off in 68 of 100 frames, from which on that is flicker."""
NOISE = 0.25, 0.5
"""The same, as shares of what motion does not explain: fast motion is read with errors that look like light."""
_STEPS = 1.5  # times the steps: a swing of 12 frames, the slowest that is well taken out, makes steps of half of it
_BLOCK = 1024  # frames whose curves are worked out together
_SAME = 0.2  # share of the picture that two frames of one shot both show, at least
_NEAR = 12  # transitions on each side that a seam is compared with
_SEAM, _OUT, _CONTENT = 1.5, 5.0, 1.6  # levels; times the ordinary step of colour; times the ordinary rest
_PLAIN = (
    4.5,
    15.0,
)  # levels, and times the ordinary step, of a step of colour that needs no jump of the picture
_OF_REST = 0.12  # of what motion and colour leave at the seam itself, that a step of colour must be
_FROZEN, _MOVES, _LONGEST = 0.12, 0.6, 12  # of the change around; levels; frames
_JUMP = 1.4  # times the change around, after a repeat that stands for a lost frame
_DROPPED, _STEADY, _MOTION = (
    1.7,
    0.3,
    0.8,
)  # times the motion around; its deviation; percent of the longer side


@dataclass(frozen=True, eq=False)
class Faults:
    """What was found in a clip.

    Attributes:
        flicker: how far the light of a frame is off, levels, in 68 of 100 frames. local: the same for the tiles.
        flickers: whether that is flicker of the whole picture, and of parts of it.
        seams: first frames of pieces that do not fit what was before.
        cuts: first frames of new shots; they stay.
        drift: largest slow change of the mean (levels), of the contrast and of the sharpness (natural logarithms).
        drifts: whether that is drift of the colours, and of the sharpness.
        repeats: (first, stop) of frames that repeat the one before them.
        drops: frames before which at least one is missing.
        notes: what was seen and is left as it is, a sentence each.
    """

    flicker: float
    local: float
    flickers: tuple[bool, bool]
    seams: list[int]
    cuts: list[int]
    drift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    drifts: tuple[bool, bool] = (False, False)
    repeats: tuple[tuple[int, int], ...] = ()
    drops: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing is to be mended."""
        return not (any(self.flickers) or self.seams or any(self.drifts) or self.repeats)

    def lines(self) -> list[str]:
        """Return what was found, a line each; one line for a clean clip."""
        lines = []
        if any(self.flickers):
            sizes = (
                f"of the picture ({self.flicker:.1f} levels)",
                f"of parts of it ({self.local:.1f} levels)",
            )
            lines.append(
                f"flicker {' and '.join(s for s, yes in zip(sizes, self.flickers, strict=True) if yes)}"
            )
        if self.seams:
            what = "a seam at frame" if len(self.seams) == 1 else "seams at frames"
            lines.append(f"{what} {', '.join(map(str, self.seams))}")
        if self.drifts[0]:
            mean, contrast = self.drift[0], 100 * self.drift[1]
            lines.append(f"drift: up to {mean:.1f} levels in the mean, {contrast:.0f} % in contrast")
        if self.drifts[1]:
            lines.append(f"drift of sharpness: up to {100 * self.drift[2]:.0f} %")
        if self.repeats:
            count = sum(stop - first for first, stop in self.repeats)
            lines.append(
                f"{count} repeated frames, at {', '.join(str(first) for first, _ in self.repeats[:12])}"
            )
        return lines or ["clean: nothing to mend, the frames stay as they are"]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "clean": self.clean,
            "flicker": {"global": self.flicker, "local": self.local, "found": any(self.flickers)},
            "seams": self.seams, "cuts": self.cuts,
            "drift": {
                **dict(zip(("mean", "contrast", "sharpness"), self.drift, strict=True)), "found": any(self.drifts),
            },
            "repeats": [list(pair) for pair in self.repeats], "drops": list(self.drops), "notes": list(self.notes),
        }  # fmt: skip


def segments_of(count: int, breaks: list[int]) -> np.ndarray:
    """Return the number of the segment that each frame is in, int (count,); `breaks` are first frames of new ones."""
    marks = np.zeros(count, np.int64)
    marks[[b for b in breaks if 0 < b < count]] = 1
    return np.cumsum(marks)


def breaks_of(look: Look) -> list[int]:
    """Return the first frames of new shots: cuts, and frames that share too little with the one before."""
    strangers = [t for t in range(1, len(look)) if look.visible[t] < _SAME]
    return sorted({*look.cuts, *strangers})


class Steadying:
    """The corrections of global flicker, worked out in blocks as they are asked for.

    Args:
        look: the first pass. segments: int (T,), frames of different numbers are not compared.
        plain: gains and offsets only: where parts of the picture flicker by themselves, a curve would take what is
            bright in one part for what is bright in all.
    """

    def __init__(self, look: Look, segments: np.ndarray, plain: bool = False) -> None:
        self._look, self._segments, self._plain = look, segments, plain
        self._start, self._block = 0, np.zeros((0, 3, tone.KNOTS), np.float32)

    def curve(self, t: int) -> np.ndarray:
        """Return the correction of frame t, (3, K)."""
        if not self._start <= t < self._start + len(self._block):
            self._start = t - t % _BLOCK
            low, high = max(0, self._start - REACH), min(len(self._look), self._start + _BLOCK + REACH)
            block = tone.smoothed(self._look.transfers[low:high], self._segments[low:high], SIGMA, REACH)
            self._block = block[self._start - low : self._start - low + _BLOCK]
        curve = self._block[t - self._start]
        if not self._plain:
            return curve
        gain, offset = tone.affine_of(curve, self._look.mass[t].astype(np.float32))
        return ((tone.LEVELS - 128) * (gain[:, None] - 1) + offset[:, None]).astype(np.float32)


def flicker_of(look: Look, steadying: Steadying) -> float:
    """Return how far frames are off the light around them: of the colour that is off most, in 68 of 100 frames.

    At most what the steps from frame to frame account for, so that a fade is none.
    """
    mass = look.mass
    rows = range(1, len(look))
    off = [np.abs(tone.mean_shift(steadying.curve(t), mass[t].astype(np.float32))).max() for t in rows]
    steps = [np.abs(tone.mean_shift(look.transfers[t], mass[t].astype(np.float32))).max() for t in rows]
    return min(float(np.percentile(off, 68)), _STEPS * float(np.percentile(steps, 68))) if off else 0.0


def noise_of(look: Look) -> float:
    """Return what neither motion nor light explains between frames, root mean square, the median in time, levels."""
    rest = np.maximum(look.left**2 - (look.tiles**2).mean((1, 2)), 0)[1:]
    return float(np.sqrt(np.median(rest))) if len(rest) else 0.0


def local_flicker_of(look: Look, segments: np.ndarray) -> float:
    """Return how far the light of tiles is off that around them, as `flicker_of`, of the tile that ranks 4th of 16."""
    if len(look) < 3:
        return 0.0
    weights = tone.line_weights(segments, local.SIGMA, local.REACH)
    off = np.zeros_like(look.tiles)
    count = len(look)
    for direction in (1, -1):
        path = np.zeros_like(look.tiles)
        for k in range(1, min(local.REACH, count - 1) + 1):
            span = slice(0, count - k) if direction > 0 else slice(k, None)
            steps = look.tiles[k:] if direction > 0 else look.tiles[1 : count - k + 1]
            path[span] += direction * steps
            off[span] += weights[span, local.REACH + direction * k, None, None] * path[span]
    ranked = [np.sort(np.percentile(np.abs(x), 68, axis=0).ravel())[-4] for x in (off, look.tiles)]
    return min(float(ranked[0]), _STEPS * float(ranked[1]))


def seams_of(look: Look, breaks: list[int]) -> list[int]:
    """Return where colour and content jump although the shot goes on.

    A seam is a step of colour that is far out of the distribution of the steps around it and stays (a flash goes back),
    at a place that is no cut. Unless the step is very large, motion and colour must leave more of the picture
    unexplained there than around.
    """
    size = step_sizes(look)
    seams = []
    for t in range(1, len(look)):
        if any(abs(t - b) <= 2 for b in breaks) or size[t] < max(_SEAM, _OF_REST * look.left[t]):
            continue
        around = _around(t, len(look), [*breaks, *seams])
        if len(around) < 3 or not _lasts(look, t):
            continue
        ordinary, most = np.median(size[around]), np.percentile(size[around], 90)
        out = size[t] > _OUT * ordinary + 0.5 and size[t] > 2 * most
        plain = size[t] > max(_PLAIN[0], _PLAIN[1] * (ordinary + 0.1))
        if out and (plain or (_content(look, t, around) and not _stutters(look, t))):
            seams.append(t)
    return seams


def _around(t: int, count: int, away: list[int]) -> list[int]:
    """Return the transitions near t that are no breaks, t not among them."""
    near = range(max(1, t - _NEAR), min(count, t + _NEAR + 1))
    return [i for i in near if i != t and i not in away]


def _stutters(look: Look, t: int) -> bool:
    """Whether a frame beside is a repeat, so that the jump makes up for it."""
    beside = look.change[max(1, t - 1) : t + 2]
    return bool(beside.min() < _FROZEN * _ordinary_change(look.change, t) and look.motion[t] > _MOTION)


def _content(look: Look, t: int, around: list[int]) -> bool:
    """Whether the picture itself jumps: more is left unexplained, hidden, or moved otherwise than around."""
    left, hidden = look.left, 1 - look.visible
    jump = look.turn[t] > _CONTENT * np.median(look.turn[around]) + 0.3
    rest = left[t] > _CONTENT * np.median(left[around]) + 0.3
    return bool(jump or rest or hidden[t] > _CONTENT * np.median(hidden[around]) + 0.1)


def step_sizes(look: Look) -> np.ndarray:
    """Return the size of every transfer: the root mean square over colours and pixels, levels, (T,)."""
    mass = look.mass.astype(np.float32)
    total = np.maximum(mass.sum((1, 2)), 1e-9)
    return np.sqrt((mass * look.transfers**2).sum((1, 2)) / total)


def _lasts(look: Look, t: int) -> bool:
    """Whether the colours do not go back within three frames, nor had gone the other way within three before."""
    mass = look.mass[t].astype(np.float32)
    step = look.transfers[t]
    scale = max(float((mass * step * step).sum()), 1e-9)
    for near in (look.transfers[t + 1 : t + 4], look.transfers[max(1, t - 3) : t]):
        along = [float((mass * step * other).sum()) / scale for other in near]
        if np.cumsum(along).min(initial=0.0) < -0.5 or np.cumsum(along[::-1]).min(initial=0.0) < -0.5:
            return False
    return True


def repeats_of(look: Look, breaks: list[int]) -> list[tuple[int, int]]:
    """Return (first, stop) of frames that repeat the one before while the picture moves before and after."""
    change = look.change
    found: list[tuple[int, int]] = []
    t = 1
    while t < len(look):
        stop = t
        limit = _ordinary_change(change, t)
        while stop < len(look) and change[stop] <= _FROZEN * limit:
            stop += 1
        moving = limit > _MOVES and stop < len(look) and change[stop] > 0.5 * limit and stop not in breaks
        if t < stop <= t + _LONGEST and moving:
            found.append((t, stop))
        t = max(stop, t + 1)
    return found


def _ordinary_change(change: np.ndarray, t: int) -> float:
    """Return the median change near a transition, those that hardly change left out."""
    near = change[max(1, t - 6) : t + 7 + _LONGEST // 2]
    moving = near[near > 0.25 * near.max(initial=0.0)]
    before = change[max(1, t - 3) : t]
    return float(min(np.median(moving), before.max())) if len(moving) and len(before) else 0.0


def jumps(look: Look, repeat: tuple[int, int]) -> bool:
    """Whether the picture makes up for a repeat with a larger step after it, so that a frame was lost."""
    first, stop = repeat
    return bool(look.change[stop] > _JUMP * _ordinary_change(look.change, first))


def is_cadence(repeats: list[tuple[int, int]], count: int) -> bool:
    """Whether frames repeat so often that it is the rate the clip was made at, as for pictures drawn on twos."""
    return sum(stop - first for first, stop in repeats) > max(2, 0.15 * count)


def drops_of(look: Look, breaks: list[int], repeats: list[tuple[int, int]]) -> list[int]:
    """Return frames before which the picture moves about twice as far as in the steps around, which are even."""
    beside = {t for first, stop in repeats for t in range(first - 1, stop + 2)}
    found = []
    for t in range(4, len(look) - 3):
        around = [*look.motion[t - 3 : t], *look.motion[t + 1 : t + 4]]
        ordinary = float(np.median(around))
        even = np.std(around) < _STEADY * ordinary and ordinary > _MOTION
        if even and look.motion[t] > _DROPPED * ordinary and t not in beside and t not in breaks:
            found.append(t)
    return found
