"""The second pass: what is done to each frame, in memory that does not grow with the number of frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from moviola.core.luma import luma
from moviola.pipelines.mend import between, local, tone
from moviola.pipelines.mend.drift import CONTRAST, MEAN, SHARPNESS, Drift, drift_of
from moviola.pipelines.mend.find import (
    FLICKER,
    LOCAL,
    NOISE,
    Faults,
    Steadying,
    breaks_of,
    drops_of,
    flicker_of,
    is_cadence,
    jumps,
    local_flicker_of,
    noise_of,
    repeats_of,
    seams_of,
    segments_of,
)
from moviola.pipelines.mend.footage import Footage
from moviola.pipelines.mend.look import Look
from moviola.pipelines.mend.settings import MendSettings
from moviola.propagation.flow import opencv

_SHARPEN, _BLUR = 1.5, 1.0  # most that is added of what a blur of so many px takes away


@dataclass(frozen=True, eq=False)
class Repair:
    """What is to be done to a clip, and why.

    Attributes:
        faults: what was found.
        shots: int (T,), the shot of each frame. pieces: int (T,), the same with seams as borders.
        steadying: corrections of global flicker. matches: frame of each seam to the curve (3, K) from then on.
        drift: slow change. reference: gain and offset (3,) towards a picture, None for none.
    """

    faults: Faults
    shots: np.ndarray
    pieces: np.ndarray
    steadying: Steadying
    matches: dict[int, np.ndarray]
    drift: Drift
    reference: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def changes(self) -> bool:
        """Whether a frame will be changed at all."""
        return not self.faults.clean or self.reference is not None

    def levels(self, t: int) -> np.ndarray | None:
        """Return the displacement of the levels of frame t, (3, K); None for none."""
        curve = self._matched(t)
        if self.faults.drifts[0]:
            taken = self.drift.curve(t)
            curve = taken if curve is None else tone.then(curve, taken)
        if self.reference is not None:
            gain, offset = self.reference
            towards = (tone.LEVELS - 128) * (gain[:, None] - 1) + offset[:, None]
            curve = towards if curve is None else tone.then(curve, towards)
        return None if curve is None or not curve.any() else curve

    def _matched(self, t: int) -> np.ndarray | None:
        return matched(t, self.steadying if self.faults.flickers[0] else None, self.matches, self.shots)

    def frames(self, footage: Footage, guide: Footage | None) -> Iterator[np.ndarray]:
        """Give every frame as it is to be, uint8 (H, W, 3); one that is not touched bit for bit as it was."""
        faults = self.faults
        frames: Iterator[np.ndarray] = self._with_levels(footage)
        if faults.flickers[1]:
            frames = local.steadied(frames, guide.frames() if guide else None, self.pieces)
        if faults.seams:
            frames = between.bridged(frames, faults.seams, self.shots)
        if faults.repeats:
            frames = between.filled(frames, faults.repeats)
        for t, frame in enumerate(frames):
            if faults.drifts[1]:
                frame = sharpened(frame, -self.drift.blur(t))
            yield frame if frame.dtype == np.uint8 else np.rint(frame).clip(0, 255).astype(np.uint8)

    def _with_levels(self, footage: Footage) -> Iterator[np.ndarray]:
        for t, frame in enumerate(footage.frames()):
            curve = self.levels(t)
            yield frame if curve is None else tone.apply_curve(frame, curve)


def matched(
    t: int, steadying: Steadying | None, matches: dict[int, np.ndarray], shots: np.ndarray
) -> np.ndarray | None:
    """Return the curve (3, K) that takes flicker off frame t and then matches its piece to the first of its shot."""
    curve = None if steadying is None else steadying.curve(t).astype(np.float64)
    last = max((s for s in matches if s <= t and shots[s] == shots[t]), default=None)
    if last is None:
        return curve
    return matches[last] if curve is None else tone.then(curve, matches[last])


def match_pieces(
    look: Look, seams: list[int], shots: np.ndarray, steadying: Steadying | None
) -> dict[int, np.ndarray]:
    """Return, for the first frame of every piece, the curve (3, K) that matches it to the shot's first piece."""
    found: dict[int, np.ndarray] = {}
    for seam in seams:
        step = look.transfers[seam].astype(np.float64)
        own_curve = tone.step_curve(step)
        if steadying is not None:
            before, after = (steadying.curve(t).astype(np.float64) for t in (seam - 1, seam))
            own_curve = tone.then(tone.then(tone.inverse(before), own_curve), after)
        back = tone.inverse(own_curve)
        earlier = max((s for s in found if shots[s] == shots[seam]), default=None)
        found[seam] = back if earlier is None else tone.then(back, found[earlier])
    return found


def plan(look: Look, footage: Footage, settings: MendSettings) -> Repair:
    """Decide what is broken and what is done about it.

    Args:
        look: the first pass. footage: what it looked at. settings: what is wanted.
    """
    count, breaks = len(look), breaks_of(look)
    seams = settings.seams_within(count)
    if seams is None:
        seams = seams_of(look, breaks) if settings.wants("seams") else []
    shots, pieces = segments_of(count, breaks), segments_of(count, sorted({*breaks, *seams}))
    steadying = Steadying(look, pieces)
    off = flicker_of(look, steadying), local_flicker_of(look, pieces)
    flickers = _flickers(look, off, settings)
    steadying = Steadying(look, pieces, plain=flickers[1])
    used = steadying if flickers[0] else None
    matches = match_pieces(look, seams, shots, used)
    drift = drift_of(look.samples, lambda t: _curve_or_zero(matched(t, used, matches, shots)))
    repeats, notes = _repeats(look, breaks, settings)
    drops = drops_of(look, [*breaks, *seams], repeats) if settings.wants("stills") else []
    if drops:
        notes.append(f"frames seem to be missing before frame {_few(drops)}; none are made up")
    faults = Faults(
        *off, flickers, seams, look.cuts, drift.most, _drifts(drift, settings), tuple(repeats), tuple(drops),
        tuple(notes),
    )  # fmt: skip
    repair = Repair(faults, shots, pieces, steadying, matches, drift)
    return repair if settings.reference is None else _towards(repair, footage, settings.reference)


def _flickers(look: Look, off: tuple[float, float], settings: MendSettings) -> tuple[bool, bool]:
    noise, ease = noise_of(look), settings.ease("flicker")
    if not settings.wants("flicker"):
        return False, False
    return off[0] > ease * max(FLICKER, NOISE[0] * noise), off[1] > max(LOCAL * ease, NOISE[1] * noise)


def _drifts(drift: Drift, settings: MendSettings) -> tuple[bool, bool]:
    most, ease = drift.most, settings.ease("drift")
    if not settings.wants("drift"):
        return False, False
    return most[0] > MEAN * ease or most[1] > CONTRAST * ease, most[2] > SHARPNESS * ease


def _repeats(
    look: Look, breaks: list[int], settings: MendSettings
) -> tuple[list[tuple[int, int]], list[str]]:
    """Return the repeats that are mended, and what is said of others."""
    if not settings.wants("stills"):
        return [], []
    found = repeats_of(look, breaks)
    if is_cadence(found, len(look)):
        return [], ["frames repeat regularly: that is taken for the clip's own rate, and stays"]
    lost = found if settings.ease("stills") < 1 else [repeat for repeat in found if jumps(look, repeat)]
    if len(lost) == len(found):
        return lost, []
    others = [first for first, stop in found if (first, stop) not in lost]
    return lost, [
        f"repeated frames after which nothing is missing stay, at {_few(others)}; --stills replaces them"
    ]


def _few(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:12])) + (" ..." if len(numbers) > 12 else "")


def _curve_or_zero(curve: np.ndarray | None) -> np.ndarray:
    return np.zeros((3, tone.KNOTS)) if curve is None else curve


def _towards(repair: Repair, footage: Footage, picture: np.ndarray) -> Repair:
    """Return the repair with the first second's mean and contrast brought to those of a picture, uint8 (H, W, 3)."""
    from dataclasses import replace

    stop = min(footage.count, max(2, round(float(footage.clock.fps))))
    frames = [
        frame if (curve := repair.levels(t)) is None else tone.apply_curve(frame, curve).clip(0, 255)
        for t, frame in enumerate(footage.span(0, stop))
    ]
    pixels = np.concatenate([between.small(frame).reshape(-1, 3) for frame in frames]).astype(np.float64)
    target = between.small(picture).reshape(-1, 3).astype(np.float64)
    gain = (target.std(0) + 1) / (pixels.std(0) + 1)
    offset = target.mean(0) - (128 + gain * (pixels.mean(0) - 128))
    return replace(repair, reference=(gain, offset))


def sharpened(frame: np.ndarray, wanted: float) -> np.ndarray:
    """Return a frame whose squared gradient is e^wanted of what it was, float32 (H, W, 3).

    What a small blur takes away is added, or taken away, in the amount s that solves
    E(x + s h) = E(x) + 2 s <grad x, grad h> + s^2 E(h) = e^wanted E(x).

    Args:
        frame: uint8 or float32 (H, W, 3). wanted: natural logarithm.
    """
    x = frame.astype(np.float32)
    high = x - opencv().GaussianBlur(x, (0, 0), _BLUR)
    one, two = luma(x), luma(high)
    energy, cross, own = _product(one, one), _product(one, two), _product(two, two)
    if own < 1e-9:
        return x
    root = cross * cross + own * energy * (np.exp(wanted) - 1)
    amount = (-cross + np.sqrt(max(root, 0.0))) / own
    return x + np.float32(np.clip(amount, -0.8, _SHARPEN)) * high


def _product(one: np.ndarray, two: np.ndarray) -> float:
    """Return the inner product of the gradients of two planes."""
    return sum(float((np.diff(one, axis=a) * np.diff(two, axis=a)).sum(dtype=np.float64)) for a in (0, 1))
