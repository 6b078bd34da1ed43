"""Refining a video: in memory, or piece by piece."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from moviola.core.progress import Tick
from moviola.core.video import Video
from moviola.models.protocols import Refiner
from moviola.pipelines.refine.auto import MemoryShelf, make_stages
from moviola.pipelines.refine.passes import chain
from moviola.pipelines.refine.settings import Plan, RefineSettings, make_plan


def refine(
    video: Video,
    model: str | Path | Refiner = "regis-u",
    iterations: int | str = 2,
    *,
    settings: RefineSettings | None = None,
    device: str = "cpu",
    tick: Tick | None = None,
    **changes: Any,
) -> Video:
    """Move a generated video closer to real video by passing it through a refiner again and again.

    Source: REGIS, "Refining Generated Videos via Iterative Stylistic Redesigning".

    Args:
        video: any length, size and rate; its sound and the times of its frames are kept.
        model: a catalog name, a folder that `moviola train` wrote, or a loaded `Refiner`.
        iterations: passes; 0 returns the video as it is; "auto" stops when a pass changes little.
        settings: everything else; None for the defaults. changes: fields of `RefineSettings` to change:
            `corruption="held-block"`, `keep_known=True`, `text="..."`, `label="..."`, `size="resize"`, `overlap=4`,
            `seed=1` ...
        device: where to run a network given by name or folder.
        tick: called with the number of frames that a pass has finished.

    Returns:
        A `Video` of the same length, size and rate.

    Raises:
        UnknownNameError, ConfigError, WeightsError: as `make_plan`.
    """
    plan = make_plan(model, settings, device, **{**changes, "iterations": iterations})
    plan.note_on_footage([(video.height, video.width)])
    if plan.settings.iterations == "auto":
        stages, _ = make_stages(plan, MemoryShelf(video.frames), tick, keep=False)
        return video.with_frames(np.concatenate(list(stages[-1].frames())))
    refined = np.concatenate(list(chain([video.frames], plan, tick)))
    return video.with_frames(refined)


def refine_stream(
    pieces: Iterable[Video], plan: Plan, iterations: int | None = None, tick: Tick | None = None
) -> Iterator[Video]:
    """Refine a video piece by piece; memory does not grow with its length.

    Args:
        pieces: Videos that follow each other, as `moviola.data.codec.stream` yields them.
        plan: what to do.
        iterations: passes; None for those of the plan, which must not be "auto" then.
        tick: called with the number of frames that a pass has finished.

    Yields:
        Videos of the same lengths, in the same order, each with the sound and times of the piece it came from.

    Raises:
        ConfigError: "auto", which needs the whole video: see `moviola.pipelines.refine.auto`.
    """
    waiting: deque[Video] = deque()  # the pieces that are under way, with a pixel of each frame

    def frames() -> Iterator[np.ndarray]:
        for piece in pieces:
            waiting.append(piece.with_frames(piece.frames[:, :1, :1].copy()))
            yield piece.frames

    held = np.empty(0, np.uint8)
    for part in chain(frames(), plan, tick, iterations):
        held = np.concatenate([held, part]) if len(held) else part
        while waiting and len(held) >= len(waiting[0]):
            piece = waiting.popleft()
            yield piece.with_frames(held[: len(piece)])
            held = held[len(piece) :]
