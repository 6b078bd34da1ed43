"""Every pass side by side, and in figures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from moviola.core.atomic import write_atomic
from moviola.core.errors import OutputError
from moviola.core.times import Clock
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.folders import folder_place
from moviola.data.pictures import write_png
from moviola.metrics.functional.sharpness import gradient_energy
from moviola.metrics.functional.temporal import motion_magnitude, second_difference
from moviola.pipelines.refine.auto import Stage, mean_change

FILES = ("trace.mp4", "trace.png", "trace.json")
COLUMNS = 8
"""Frames of each pass in the contact sheet."""
PAIRS = 32
"""Pairs of frames, spread evenly, whose motion is measured at most."""


def check_trace(folder: str | Path) -> Path:
    """Return `folder` where a trace may be written to it: new, empty, or with an earlier trace only.

    Raises:
        OutputError: its parent is missing, a file is in its place, or it holds anything else.
    """
    folder = folder_place(folder)
    for path in folder.rglob("*") if folder.exists() else ():
        if path.is_file() and path.name not in FILES:
            raise OutputError(
                f"cannot write {folder}: the folder holds {path.name}; name a new or empty folder"
            )
    return folder


def write_trace(
    stages: Sequence[Stage], folder: Path, clock: Clock, pixel_aspect: Fraction
) -> list[dict[str, Any]]:
    """Write trace.mp4 (side by side), trace.png (a row a pass) and trace.json (figures) into a folder.

    Args:
        stages: the input and what each pass made of it.
        folder: where; it exists.
        clock: when each frame is shown. pixel_aspect: width over height of a pixel.

    Returns:
        What trace.json holds: `figures` of each stage, the input first.
    """
    frames, rate = clock.count, codec.DEFAULT_FPS
    with codec.Writer(folder / FILES[0], clock.fps, clock.times, pixel_aspect) as writer:
        for pieces in _together(stages):
            writer.write(Video.side_by_side([Video(piece, rate) for piece in pieces]))
    write_png(folder / FILES[1], contact_sheet(stages, frames))
    rows = [
        {"pass": number, **figures(stage, frames), **_changes(stages, number)}
        for number, stage in enumerate(stages)
    ]
    write_atomic(folder / FILES[2], (json.dumps({"passes": rows}, indent=2) + "\n").encode())
    return rows


def _together(stages: Sequence[Stage]) -> Iterator[tuple[np.ndarray, ...]]:
    """Go through all stages in step."""
    with ExitStack() as stack:
        streams = [stage.frames() for stage in stages]
        for stream in streams:
            stack.callback(getattr(stream, "close", lambda: None))
        yield from zip(*streams, strict=True)


def contact_sheet(stages: Sequence[Stage], frames: int) -> np.ndarray:
    """Return evenly spaced frames of each stage in a row of its own, the input on top, uint8 (H, W, 3)."""
    chosen = set(_spread(frames, COLUMNS))
    cells = [frame for stage in stages for i, frame in enumerate(_each(stage)) if i in chosen]
    return Video(np.stack(cells), 1).contact_sheet(columns=len(chosen))


def figures(stage: Stage, frames: int) -> dict[str, float | None]:
    """Measure a video, holding three frames at a time.

    Args:
        stage: the video. frames: their number.

    Returns:
        "sharpness": mean gradient energy (`metrics.functional.sharpness`). "flicker": levels of 0 to 255. "motion":
        percent of the height per frame, over at most `PAIRS` pairs. None where there are too few frames or pixels.
    """
    sharp: list[float] = []
    swing: list[float] = []
    motion: list[float] = []
    pairs = set(_spread(frames - 1, PAIRS))
    before: list[np.ndarray] = []
    for i, frame in enumerate(_each(stage)):
        if min(frame.shape[:2]) > 1:
            sharp.append(gradient_energy(frame[None]))
        if len(before) == 2:
            swing.append(second_difference(before[0], before[1], frame))
        if before and i - 1 in pairs:
            motion.append(_motion(before[-1], frame))
        before = [*before[-1:], frame]
    named = {"sharpness": sharp, "flicker": swing, "motion": motion}
    return {name: float(np.mean(values)) if values else None for name, values in named.items()}


def _changes(stages: Sequence[Stage], number: int) -> dict[str, float]:
    """Return how far a stage is from the one before and from the input, mean absolute, levels of 0 to 255."""
    before = stages[max(0, number - 1)]
    return {
        "change": mean_change(before.frames(), stages[number].frames()),
        "change_from_input": mean_change(stages[0].frames(), stages[number].frames()),
    }


def _motion(first: np.ndarray, second: np.ndarray) -> float:
    from moviola.nn.flow import lucas_kanade

    one, other = Video(first[None], 1).to_tensor(), Video(second[None], 1).to_tensor()
    return float(motion_magnitude(lucas_kanade(one, other)))


def _each(stage: Stage) -> Iterator[np.ndarray]:
    return (frame for piece in stage.frames() for frame in piece)


def _spread(count: int, most: int) -> list[int]:
    """Return at most `most` of the numbers below `count`, spread evenly."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist() if count > 0 else []
