"""The third stage: the paint of the key frames carried to all others, a part of the video at a time."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from moviola.core.errors import InputError
from moviola.core.optional import is_installed, require
from moviola.core.processes import end_with_parent
from moviola.core.video import Video
from moviola.data import codec
from moviola.pipelines.restyle.footage import Footage
from moviola.pipelines.restyle.settings import RestyleConfig
from moviola.pipelines.restyle.work import load_picture
from moviola.propagation.flow import estimator
from moviola.propagation.matching import limit_cores, usable_cores
from moviola.propagation.propagate import Paint, PropagationConfig, propagate

_LARGE = 1_500_000  # px of a frame; a worker holds a part's frames several times
_LONG = 30_000_000  # px of all frames; below, starting a process takes longer than it saves


@dataclass(frozen=True)
class Part:
    """Frames that belong together: from one key to the frame before the next, or the head before the first key.

    Attributes:
        start, stop: frames [start, stop) that it writes.
        first, last: the keys it is painted from; None where there is none. `last` may be `stop`, a frame that the next
            part writes.
    """

    start: int
    stop: int
    first: int | None
    last: int | None

    @property
    def read(self) -> range:
        """The frames it looks at."""
        return range(self.start, self.stop + (self.last == self.stop))


def parts_of(keys: Sequence[int], count: int, cuts: Iterable[int] = ()) -> list[Part]:
    """Divide a video by its key frames.

    Paint is not carried over a cut: what comes before it is the tail of its shot.

    Args:
        keys: key frames, rising, at least one. count: frames of the video. cuts: first frames of new shots.
    """
    breaks, parts = set(cuts), []
    if keys[0] > 0:
        parts.append(Part(0, keys[0], None, keys[0]))
    for key, after in zip(keys, [*keys[1:], None], strict=True):
        if after is None:
            parts.append(Part(key, count, key, None))
        else:
            parts.append(Part(key, after, key, None if after in breaks else after))
    return parts


@dataclass(frozen=True)
class Job:
    """One part with all that a process needs to make it.

    Attributes:
        part: which. footage: the frames.
        painted: files of the painted first and last key, None where there is none.
        config: settings, and `how` the paint is carried. output: file to write.
        device: where the flow "raft" runs. own: paints a frame by itself, where the painter can.
    """

    part: Part
    footage: Footage
    painted: tuple[Path | None, Path | None]
    config: RestyleConfig
    how: PropagationConfig
    output: Path
    device: str = "cpu"
    own: Paint | None = None


def carry_part(job: Job) -> int:
    """Make one part and write it, complete or not at all, frame by frame; return its number of frames."""
    frames = job.footage.frames(job.part.read)
    first, last = (None if path is None else load_picture(path) for path in job.painted)
    config = job.config
    own = job.own
    if own is not None and not all(
        key is None or np.array_equal(key, own(frame))
        for key, frame in ((first, frames[0]), (last, frames[-1]))
    ):
        own = None  # painted over by hand: nothing of the filter's may come into it
    flow = estimator(config.flow, config.raft, job.device)
    painted = propagate(frames, first, last, job.how, flow=flow, own=own, folder=job.output.parent)
    count = job.part.stop - job.part.start
    with codec.Writer(
        job.output, codec.DEFAULT_FPS, lossless=True
    ) as writer:  # only the frames are read back
        for frame in islice(painted, count):
            writer.write(Video(frame[None], codec.DEFAULT_FPS))
    return count


def workers_for(jobs: Sequence[Job], size: tuple[int, int]) -> int:
    """Return how many parts to carry at a time where nobody says: 2 for long work on frames that are not large, else 1.

    Args:
        jobs: what is to be done. size: height and width of a frame, px.
    """
    pixels = size[0] * size[1]
    frames = sum(job.part.stop - job.part.start for job in jobs)
    return 2 if usable_cores() > 1 and pixels <= _LARGE and frames * pixels >= _LONG else 1


def carry_parts(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, int]]:
    """Make parts, `workers` at a time, each in a process of its own where there are several; yield them as they finish.

    A part that fails stops the others, and its error is raised; `InputError` where a process was ended from outside.
    """
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            yield job, carry_part(job)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (workers,)) as pool:
        running: dict[Future[int], Job] = {pool.submit(carry_part, job): job for job in jobs}
        try:
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        except BrokenProcessPool:
            raise InputError(
                "a process that carried paint was ended from outside, perhaps for lack of memory; --workers 1 takes "
                "less, --resume goes on"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin(workers: int) -> None:
    """Share the cores among the processes; end at once, without a traceback, where the whole group is told to.

    They end, too, when the process that they work for is gone, as it is after a hard kill.
    """
    end_with_parent()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    share = max(1, usable_cores() // workers)
    limit_cores(share)
    import torch

    torch.set_num_threads(share)
    if is_installed("cv2"):
        require("cv2", "propagation").setNumThreads(share)
