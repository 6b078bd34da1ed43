"""Training samples without state: sample n of a run is a function of (seed, n) alone.

Nothing has to be saved to resume, and one device or eight see the same samples: rank r of w, at step s, takes the
numbers `(s * w + r) * batch ...`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from moviola.core.seeds import numpy_generator
from moviola.data.grammar import Grammar

Batch = dict[str, Tensor]
Sample = dict[str, np.ndarray]
Read = Callable[[np.ndarray], np.ndarray]
"""Frame numbers, int (N,), to uint8 (N, H, W, 3)."""


@dataclass(frozen=True)
class Clip:
    """One captioned clip that can be asked for any of its frames.

    Attributes:
        slots: int64 (S,), the caption.
        length: number of frames (of one cycle, where `cyclic`).
        cyclic: frame numbers count on over the end.
        read: frame numbers, int (N,), to uint8 (N, H, W, 3).
        differing: frame numbers and a random generator to where those frames would differ, bool (N, H, W), if one
            slot of the caption, drawn at random, were another; None where that cannot be known.
        loop: (start, stop) of frames that may follow one another again and again, in a clip that is not `cyclic`;
            None where it has none.
        flow: frame numbers, int (N,), and that of a first frame to where the pixels of those frames were in the first
            one, less their own place, px, x before y, float32 (N, 2, H, W); nan where nothing moves or it is not known.
            None where that cannot be known.
        other_look: a random generator to the reader of a clip that moves alike and looks different; None where none can
            be made.
        other_past: a random generator to the reader of a clip that looks alike and moves otherwise; None where none can
            be made.
        latent: float32 (L,), each about N(0, 1): what of the first frame the caption leaves open, such as a place; None
            where that is not known.
    """

    slots: np.ndarray
    length: int
    cyclic: bool
    read: Read
    differing: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None
    loop: tuple[int, int] | None = None
    latent: np.ndarray | None = None
    other_look: Callable[[np.random.Generator], Read] | None = None
    other_past: Callable[[np.random.Generator], Read] | None = None
    flow: Callable[[np.ndarray, int], np.ndarray] | None = None


class Clips(Protocol):
    """A set of captioned clips to draw from."""

    grammar: Grammar

    def draw(self, rng: np.random.Generator) -> Clip:
        """Draw one clip at random."""
        ...


class Samples(Protocol):
    """Makes one training sample from a random generator."""

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return named arrays of equal shapes for every call."""
        ...


class FirstFrames:
    """(frame, slots, other): a frame to make, its caption, and a caption of another clip.

    Args:
        clips: where clips come from.
        any_phase: take any frame of the clip, not only its first.
    """

    def __init__(self, clips: Clips, *, any_phase: bool = False) -> None:
        self.clips, self.any_phase = clips, any_phase

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return frame uint8 (H, W, 3), slots and other int64 (S,); where known, detail bool (H, W), latent (L,)."""
        clip = self.clips.draw(rng)
        index = int(rng.integers(clip.length)) if self.any_phase else 0
        other = _other_slots(self.clips, rng, lambda slots: not np.array_equal(slots, clip.slots))
        made: Sample = {"frame": clip.read(np.array([index]))[0], "slots": clip.slots, "other": other}
        if clip.differing:
            made["detail"] = clip.differing(np.array([index]), rng)[0]
        if clip.latent is not None:
            made["latent"] = clip.latent
        return made


def _other_slots(
    clips: Clips, rng: np.random.Generator, differs: Callable[[np.ndarray], bool], tries: int = 8
) -> np.ndarray:
    """Return the caption of a clip for which `differs`, or of the last one drawn where none was in so many tries."""
    for _ in range(tries):
        slots = clips.draw(rng).slots
        if differs(slots):
            break
    return slots


def contradicts(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether two captions, slots (S,), say another thing in a slot that both say."""
    return bool(((a != b) & (a > 0) & (b > 0)).any())


class Histories:
    """(history, count, future, slots): frames before, how many are real, and the frames to predict.

    Args:
        clips: where clips come from.
        history: K, places in the history.
        future: number of frames to predict.
        single: share of samples whose history is one frame (0.3 in the form that works).
        full: share whose history has no empty place, as in all but the first steps of a roll-out; the rest are
            uniform over 1..K. A clip with too few frames holds its last one.
        restart: share of the single and partial histories of clips that repeat that begin at the clip's first frame,
            as they do when generating; the others, and all full ones, begin anywhere.
        cycle: most frames of a clip that repeats, up to its end, that are handed out for roll-outs of any length; 0 for
            none.
        begin: share of the samples that hand them out.
        other_look: share of the histories that show the same motion with another look, where the clips know one, so
            that looks have to come from the caption and the first frame.
        other_past: share of the samples whose roll-out begins with any frame of another motion of the same look,
            where the clips know one, as it does when the caption changes in the middle of a film.
        flow: also hand out where the pixels of the futures were in the first frame (`Clip.flow`).
        other: also draw a caption that contradicts the clip's (one of another clip, where eight draws find none).
    """

    def __init__(
        self,
        clips: Clips,
        history: int = 10,
        future: int = 1,
        single: float = 0.3,
        full: float = 0.35,
        restart: float = 0.8,
        cycle: int = 0,
        begin: float = 1 / 8,
        other_look: float = 0.0,
        *,
        other_past: float = 0.0,
        flow: bool = False,
        other: bool = False,
    ) -> None:
        self.other_look, self.other_past, self.flow = other_look, other_past, flow
        self.clips, self.history, self.future = clips, history, future
        self.cycle, self.begin = cycle, begin
        self.single, self.full, self.restart, self.other = single, full, restart, other

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return history uint8 (K, H, W, 3) right-aligned, count int64 (), future uint8 (F, H, W, 3), slots int64 (S,).

        Also `first`, the frame that the history's roll-out would have begun with, uint8 (H, W, 3), and `time`, how many
        frames after it the future begins, int64 (); where clips know it, detail bool (F, H, W); with `flow` that as
        well, float32 (F, 2, H, W), nan where it is not known; with `other` that as
        well, int64 (S,). With `cycle` also the frames of a roll-out up to the end of its first period, `cycle` uint8
        (cycle, H, W, 3); how many stand before that period, `lead`; its length, `period` (0 where none are handed out);
        and where known `cycle_detail`, bool.
        """
        clip = self.clips.draw(rng)
        room = clip.length if clip.cyclic else max(1, clip.length - self.future)
        most = self.history if clip.cyclic else min(self.history, room)
        draw = rng.random()
        count = (
            1
            if draw < self.single
            else most
            if draw < self.single + self.full
            else int(rng.integers(1, most + 1))
        )
        start = int(rng.integers(clip.length if clip.cyclic else room - count + 1))
        repeats = clip.cyclic or clip.loop is not None
        if repeats and count < self.history and rng.random() < self.restart:
            start = 0
        index = np.arange(start, start + count + self.future)
        frames = clip.read(index if clip.cyclic else index.clip(max=clip.length - 1))
        history = np.zeros((self.history, *frames.shape[1:]), np.uint8)
        history[self.history - count :] = self._seen(clip, index, frames, rng)[:count]
        made = {"history": history, "count": np.array(count), "future": frames[count:], "slots": clip.slots}
        if clip.differing:
            made["detail"] = clip.differing(index[count:], rng)
        first = np.array([start]) if count < self.history else self._first(clip, start, rng)
        made["first"] = frames[0] if count < self.history else clip.read(first)[0]
        made["time"] = start + count - first[0]
        if self.other_past and clip.other_past is not None and rng.random() < self.other_past:
            made["first"] = clip.other_past(rng)(rng.integers(clip.length, size=1))[0]
            if count < self.history:
                history[self.history - count] = made["first"]
        if self.flow:
            made["flow"] = self._flow(clip, index[count:], int(first[0]), made["future"])
        if self.other:
            made["other"] = _other_slots(self.clips, rng, lambda slots: contradicts(slots, clip.slots))
        return made | self._whole(clip, rng) if self.cycle else made

    def _seen(
        self, clip: Clip, index: np.ndarray, frames: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return what the history shows: the frames `index` of the clip, or those of another look."""
        if not self.other_look or clip.other_look is None or rng.random() >= self.other_look:
            return frames
        return clip.other_look(rng)(index)

    @staticmethod
    def _flow(clip: Clip, index: np.ndarray, first: int, future: np.ndarray) -> np.ndarray:
        """Return where the pixels of the frames `index` were in frame `first`, as far as that is known."""
        if clip.flow is None:
            return np.full((len(index), 2, *future.shape[1:3]), np.nan, np.float32)
        return clip.flow(index, first)

    def _first(self, clip: Clip, start: int, rng: np.random.Generator) -> np.ndarray:
        """Return the number of a first frame from which a roll-out may have come to frame `start`, int (1,)."""
        if clip.cyclic:
            return np.array([0 if rng.random() < self.restart else int(rng.integers(clip.length))])
        return np.array([int(rng.integers(start + 1))])

    def _whole(self, clip: Clip, rng: np.random.Generator) -> Sample:
        """Return the frames of a roll-out up to the end of its first period, now and then."""
        start, stop = (0, clip.length) if clip.cyclic else clip.loop or (0, 0)
        begin = 0 if rng.random() < self.restart else int(rng.integers(max(stop, 1)))
        lead, period = max(0, start - begin), stop - start
        if rng.random() >= self.begin or lead + period > self.cycle:
            lead = period = 0
        frames = np.zeros((self.cycle, *clip.read(np.array([0])).shape[1:]), np.uint8)
        index = begin + np.arange(lead + period)
        index = np.where(index < stop, index, index - period)
        if period:
            frames[: lead + period] = clip.read(index)
        made: Sample = {"cycle": frames, "lead": np.array(lead), "period": np.array(period)}
        if clip.differing:
            made["cycle_detail"] = np.zeros(frames.shape[:3], bool)
            if period:
                made["cycle_detail"][: lead + period] = clip.differing(index, rng)
        return made


def collate(samples: list[Sample]) -> Batch:
    """Stack samples into tensors; uint8 stays uint8."""
    return {k: torch.from_numpy(np.stack([s[k] for s in samples])) for k in samples[0]}


class Loader:
    """Batches by step number, one step ahead in a thread.

    Args:
        samples: makes one sample.
        batch: samples a batch, on this rank.
        seed: of the run.
        rank, world: place in and size of a distributed run.
    """

    def __init__(self, samples: Samples, batch: int, seed: int, rank: int = 0, world: int = 1) -> None:
        self.samples, self.batch, self.seed = samples, batch, seed
        self.rank, self.world = rank, world
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._ahead: tuple[int, Future[Batch]] | None = None

    def make(self, step: int) -> Batch:
        """Make the batch of `step` (from 0)."""
        first = (step * self.world + self.rank) * self.batch
        return collate(
            [self.samples.sample(numpy_generator(self.seed, first + i)) for i in range(self.batch)]
        )

    def __call__(self, step: int) -> Batch:
        """Return the batch of `step` and begin with the next."""
        ready = self._ahead
        batch = ready[1].result() if ready and ready[0] == step else self.make(step)
        self._ahead = (step + 1, self._pool.submit(self.make, step + 1))
        return batch

    def close(self) -> None:
        """Stop the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)
