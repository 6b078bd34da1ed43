"""Passes one after the other over the whole video, kept between them: to stop by oneself, and to look at each.

A chain of passes (`moviola.pipelines.refine.passes`) never holds a whole pass. To measure what a pass changed, or
what it is worth, the pass has to be finished: it is kept without loss, in memory or in a temporary file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from moviola.core.errors import InputError
from moviola.core.progress import Tick
from moviola.core.video import Video
from moviola.data import codec
from moviola.pipelines.refine.passes import PIECE, one_pass
from moviola.pipelines.refine.settings import Plan
from moviola.pipelines.refine.shots import Shots

if TYPE_CHECKING:
    from moviola.metrics.results import Score


class Stage:
    """A video as it is after some number of passes; it can be read again and again.

    Args:
        open: gives its frames, uint8 (T, H, W, 3), in pieces of `PIECE` frames.
        drop: takes it away.
    """

    def __init__(
        self, open: Callable[[], Iterator[np.ndarray]], drop: Callable[[], object] = lambda: None
    ) -> None:
        self.frames, self.drop = open, drop


class Shelf(Protocol):
    """Where stages are kept."""

    first: Stage

    def put(self, number: int, frames: Iterable[np.ndarray]) -> Stage:
        """Keep the frames after pass `number` (from 1) and return them as a stage."""
        ...


class MemoryShelf:
    """Keeps stages in memory.

    Args:
        frames: the video before the first pass, uint8 (T, H, W, 3).
    """

    def __init__(self, frames: np.ndarray) -> None:
        self.first = _held(frames)

    def put(self, number: int, frames: Iterable[np.ndarray]) -> Stage:
        """See `Shelf`."""
        return _held(np.concatenate(list(frames)))


def _held(frames: np.ndarray) -> Stage:
    return Stage(lambda: (frames[start : start + PIECE] for start in range(0, len(frames), PIECE)))


class FileShelf:
    """Keeps stages in files without loss, so that memory does not grow with the length.

    Args:
        open: gives the video before the first pass, in pieces of `PIECE` frames.
        place: number of a pass (from 1) to the `.mkv` file to keep it in; folders are made.
    """

    def __init__(self, open: Callable[[], Iterator[np.ndarray]], place: Callable[[int], Path]) -> None:
        self.first, self._place = Stage(open), place

    def put(self, number: int, frames: Iterable[np.ndarray]) -> Stage:
        """See `Shelf`; `OutputError` where the disk is full."""
        path = self._place(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        fps = codec.DEFAULT_FPS  # only the frames are read back
        with codec.Writer(path, fps, lossless=True, preset="ultrafast") as writer:
            for part in frames:
                writer.write(Video(part, fps))
        return Stage(
            lambda: (piece.frames for piece in codec.stream(path, PIECE)),
            lambda: path.unlink(missing_ok=True),
        )


def make_stages(
    plan: Plan, shelf: Shelf, tick: Tick | None = None, keep: bool = True
) -> tuple[list[Stage], str]:
    """Make the passes of a plan one after the other.

    With "auto" iterations it ends with the first pass that changes less than the threshold, or at the limit; that pass
    counts.

    Args:
        plan: what to do. shelf: where stages are kept.
        tick: called with the number of frames that a pass has finished.
        keep: keep all stages; else all but the last two are dropped.

    Returns:
        The stages, the input first, the result last; and a sentence about why it ended, "" for a set number.
    """
    settings, made, why, shots = plan.settings, [shelf.first], "", Shots()
    auto = settings.iterations == "auto"
    limit = settings.limit if auto else int(settings.iterations)
    for number in range(limit):
        made.append(shelf.put(number + 1, one_pass(made[-1].frames(), plan, number, tick, shots)))
        if not keep and number > 1:
            made[-3].drop()
        if auto:
            change = mean_change(made[-2].frames(), made[-1].frames())
            why = f"pass {number + 1} changed {change:.3g} of 255 on average"
            if change < settings.threshold:
                return made, f"stopped by itself: {why}, less than {settings.threshold:g}"
    return made, f"stopped at the limit of {limit} passes: {why}" if auto else ""


def mean_change(before: Iterable[np.ndarray], after: Iterable[np.ndarray]) -> float:
    """Return the mean absolute difference of two videos cut into pieces alike, in levels of 0 to 255.

    Raises:
        InputError: they differ in length or size.
    """
    total, count = 0.0, 0
    for one, other in zip_longest(before, after):
        if one is None or other is None or one.shape != other.shape:
            raise InputError("videos of different length or size have no difference")
        total += float(np.abs(one.astype(np.int16) - other).sum(dtype=np.float64))
        count += one.size
    return total / count


class HeldOut:
    """Judges passes over a whole set by a metric against real clips, and says when to stop.

    Args:
        real: real clips that no refiner was trained on: a folder, zip or list file.
        metric: key of one metric of `moviola evaluate`.
        frames: of the shortest generated clip; at most 16 of each are looked at.
        device: where the metric runs.
    """

    def __init__(self, real: str | Path, metric: str, frames: int, device: str = "cpu") -> None:
        from moviola.data.sources import open_source
        from moviola.metrics.catalog import find_metric, renamed

        self.metric, self._renamed = find_metric(metric).key, renamed([metric])
        self._real, self._frames, self._device = open_source(real), min(16, frames), device
        self.values: list[float] = []
        self._loss: list[float] = []

    def judge(self, fake: Any) -> bool:
        """Score the set after the next pass (the first call: before any) and return whether it improved.

        Args:
            fake: whatever `moviola.evaluate` takes.
        """
        from moviola.metrics.protocol import find_protocol
        from moviola.pipelines.evaluate import evaluate

        protocol = find_protocol("quick").with_overrides([f"frames={self._frames}"])
        report = evaluate(self._real, fake, [self.metric], protocol, device=self._device, skip_bad=True)
        score = report[self.metric]
        self.values.append(score.value)
        self._loss.append(_loss(score))
        return len(self._loss) == 1 or self._loss[-1] < min(self._loss[:-1])

    @property
    def best(self) -> int:
        """Number of passes with the best score so far."""
        return int(np.argmin(self._loss))

    @property
    def note(self) -> str:
        """A sentence about what was found."""
        curve = ", ".join(f"{value:.4g}" for value in self.values)
        text = f"{self.metric} against the held-out clips after 0, 1, ... passes: {curve}; best after {self.best}"
        return "; ".join([text, *self._renamed])


def _loss(score: Score) -> float:
    """Return what shall fall: the distance from the real clips' figure where they have one, else by the direction.

    Less flicker than real video has is no gain but smoothing; so figures of single clips shall come close, not low.
    """
    if score.reference is not None:
        return abs(score.value - score.reference)
    if score.better == "neither":
        raise InputError(
            f"{score.metric} has no better direction and no figure of real clips to come closer to"
        )
    return score.value if score.better == "lower" else -score.value
