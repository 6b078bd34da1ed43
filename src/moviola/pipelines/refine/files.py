"""Files in, files out: one video or a whole set, each output complete or not there at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from moviola.core.atomic import staged
from moviola.core.errors import ConfigError, InputError, OutputError
from moviola.core.progress import Tick
from moviola.core.provenance import as_if
from moviola.core.video import Video
from moviola.data import codec
from moviola.pipelines.refine.auto import FileShelf, HeldOut, Stage, make_stages
from moviola.pipelines.refine.inputs import UNREADABLE, Input, open_clips, open_one, output_names
from moviola.pipelines.refine.passes import notes_on, one_pass
from moviola.pipelines.refine.run import refine_stream
from moviola.pipelines.refine.settings import Plan
from moviola.pipelines.refine.shots import Shots
from moviola.pipelines.refine.trace import check_trace, write_trace


@dataclass(frozen=True)
class Refined:
    """A video that was refined and written.

    Attributes:
        output: where it is. frames, fps, width, height: of it, as of the input.
        iterations: passes that were made.
        notes: what was done to its size or length, and why it stopped, a sentence each.
        passes: figures of every pass where a trace was asked for, the input first.
    """

    output: str
    frames: int
    fps: float
    width: int
    height: int
    iterations: int
    notes: tuple[str, ...] = ()
    passes: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class RefinedSet:
    """A set of videos that was refined and written.

    Attributes:
        output: the folder. videos: in it.
        skipped: (name, reason) of what was left out. notes: what holds for all.
    """

    output: str
    videos: list[Refined]
    skipped: list[tuple[str, str]]
    notes: tuple[str, ...] = ()


def refine_file(
    path: str | Path,
    output: str | Path,
    plan: Plan,
    *,
    trace: str | Path | None = None,
    lossless: bool = False,
    tick: Tick | None = None,
) -> Refined:
    """Refine one video file; memory does not grow with its length.

    Args:
        path: a video file or a folder of frames. output: where to write; its extension decides the format.
        plan: what to do.
        trace: folder for every pass side by side and its figures; None for none.
        lossless: write every value as it is, where the format can.
        tick: called with the number of frames that a pass has finished.

    Raises:
        VideoReadError, FormatError: the video cannot be read. OutputError: nothing can be written there. WeightsError.
    """
    found = open_one(path)
    plan.note_on_footage([(found.height, found.width)])
    kept = None if trace is None else check_trace(trace)
    with _traced(kept) as folder:
        return _refine_one(found, str(output), plan, folder, lossless, tick)


def _refine_one(
    found: Input, output: str, plan: Plan, trace: Path | None, lossless: bool, tick: Tick | None
) -> Refined:
    """Refine one video into `output`, by a chain of passes where none has to be kept."""
    notes, passes, count = _notes(plan, found), [], plan.settings.iterations
    if count == 0 and trace is None and _copied(found, output, lossless):
        return _refined(found, output, 0, notes, passes)
    writer = _writer(output, found, lossless)
    if count == "auto" or trace is not None:
        with tempfile.TemporaryDirectory(prefix="moviola-refine-") as folder:
            shelf = _shelf(found, Path(folder))
            stages, why = make_stages(plan, shelf, tick, keep=trace is not None)
            notes, count = [*notes, *([why] if why else [])], len(stages) - 1
            if trace is not None:
                passes = write_trace(stages, trace, found.clock, found.pixel_aspect)
            _write(_with_sound(found, stages[-1]), writer)
    else:
        _write(refine_stream(found.pieces(True), plan, tick=tick), writer)
    return _refined(found, output, int(count), notes, passes)


def _notes(plan: Plan, found: Input) -> list[str]:
    notes = notes_on(plan, found.frames, found.height, found.width)
    return notes if plan.settings.iterations == 0 else [*notes, *found.notes]


def _copied(found: Input, output: str, lossless: bool) -> bool:
    """Copy a file byte for byte where it already is what was asked for; return whether it was."""
    path = found.path
    if path is None or path.is_dir() or lossless or path.suffix.lower() != Path(output).suffix.lower():
        return False
    with staged(output) as beside:
        shutil.copyfile(path, beside)
    return True


def _writer(output: str, found: Input, lossless: bool) -> codec.Writer:
    """Return what writes with the times and pixels of the input; what the format cannot hold is refused at once."""
    clock = found.clock
    return codec.Writer(output, clock.fps, clock.times, found.pixel_aspect, lossless=lossless)


def _write(pieces: Iterator[Video], writer: codec.Writer) -> None:
    with writer:
        for piece in pieces:
            writer.write(piece)


def _refined(
    found: Input, output: str, count: int, notes: Sequence[str], passes: list[dict[str, Any]]
) -> Refined:
    return Refined(
        output, found.frames, float(found.fps), found.width, found.height, count, tuple(notes), passes
    )


def _shelf(found: Input, folder: Path) -> FileShelf:
    return FileShelf(
        lambda: (piece.frames for piece in found.pieces(False)),
        lambda number: folder / f"pass-{number}.mkv",
    )


def _with_sound(found: Input, stage: Stage) -> Iterator[Video]:
    """Give a stage's frames the sound of the input; both come in pieces of one length."""
    for piece, frames in zip_longest(found.pieces(True), stage.frames()):
        yield piece.with_frames(frames)


def refine_set(
    path: str | Path,
    output: str | Path,
    plan: Plan,
    *,
    trace: str | Path | None = None,
    held_out: str | Path | None = None,
    metric: str = "fvmd-lk",
    layout: str = "auto",
    skip_bad: bool = False,
    suffix: str | None = None,
    lossless: bool = False,
    tick: Tick | None = None,
) -> RefinedSet:
    """Refine every video of a set; the folder appears when all are done.

    Args:
        path: a folder, zip or list file. output: the folder to make; new or empty.
        plan: what to do; "auto" stops for each video by itself, or, with `held_out`, for all at once.
        trace: folder for a trace of each video, in a folder of its name; None for none.
        held_out: real clips; "auto" stops when the metric against them stops improving, and keeps the best pass.
        metric: key of the metric for that.
        layout: of the set. skip_bad: leave out what cannot be read, and name it.
        suffix: of the outputs; None for those of the inputs. lossless: as for `refine_file`.
        tick: called with the number of frames that a pass has finished.

    Raises:
        VideoReadError, FormatError: a video cannot be read. OutputError: nothing can be written there. WeightsError.
        ConfigError: `held_out` without "auto".
    """
    clips, skipped = open_clips(path, layout, skip_bad)
    names = output_names(clips, suffix)
    plan.note_on_footage((clip.height, clip.width) for clip in clips)
    target, kept = _new_folder(output), None if trace is None else check_trace(trace)
    if held_out is not None and (plan.settings.iterations != "auto" or trace is not None):
        raise ConfigError("a held-out set goes with iterations auto, and without a trace")
    with staged(target, folder=True) as folder, _traced(kept) as traces:
        if held_out is not None:
            judge = HeldOut(held_out, metric, min(clip.frames for clip in clips), str(plan.device))
            videos, notes = _until_best(clips, names, folder, plan, judge, path, lossless, tick)
        else:
            videos, notes = [], ()
            for clip, name in zip(clips, names, strict=True):
                below = None if traces is None else _below(traces, name)
                try:
                    with _alone(clip, place := _place(folder, name), below is not None):
                        videos.append(_refine_one(clip, place, plan, below, lossless, tick))
                except UNREADABLE as error:
                    if not skip_bad:
                        raise
                    skipped.append((clip.name, str(error)))
                    if below is not None:
                        shutil.rmtree(below, ignore_errors=True)
        if not videos:
            raise InputError(f"no clip of {path} can be read; the first: {skipped[0][1]}")
    told = [_moved(video, folder, target) for video in videos]
    return RefinedSet(str(target), told, skipped, notes)


def _until_best(
    clips: Sequence[Input],
    names: Sequence[str],
    folder: Path,
    plan: Plan,
    judge: HeldOut,
    path: str | Path,
    lossless: bool,
    tick: Tick | None,
) -> tuple[list[Refined], tuple[str, ...]]:
    """Make pass after pass of the whole set until the metric stops improving; write the best one."""
    places = [_place(folder, name) for name in names]
    writers = [_writer(place, clip, lossless) for clip, place in zip(clips, places, strict=True)]
    with tempfile.TemporaryDirectory(prefix="moviola-refine-") as temporary:
        rows = [_set_shelf(clip, name, Path(temporary)) for clip, name in zip(clips, names, strict=True)]
        stages, cuts = [[shelf.first for shelf in rows]], [Shots() for _ in rows]
        judge.judge(path)
        for number in range(plan.settings.limit):
            before = stages[-1]
            stages.append(
                [
                    shelf.put(number + 1, one_pass(stage.frames(), plan, number, tick, shots))
                    for shelf, stage, shots in zip(rows, before, cuts, strict=True)
                ]
            )
            if not judge.judge(Path(temporary) / str(number + 1)):
                break
        videos = []
        for clip, place, writer, stage in zip(clips, places, writers, stages[judge.best], strict=True):
            with _alone(clip, place, not judge.best, judge.best):
                _write(_with_sound(clip, stage), writer)
            videos.append(_refined(clip, place, judge.best, _notes(plan, clip), []))
    return videos, (judge.note,)


def _alone(
    clip: Input, place: str, is_part: bool = False, passes: int | None = None
) -> AbstractContextManager[None]:
    """Let an output of a set hold the record of a run that makes it alone, where there is such a run.

    Args:
        clip, place: what becomes of what.
        is_part: there is none.
        passes: that were made, where that was found out with all of the set.
    """
    if is_part or clip.file is None:
        return nullcontext()
    changes: dict[str, Any] = dict.fromkeys(("layout", "skip-bad", "suffix", "held-out", "metric"))
    if passes is not None:
        changes |= {"iterations": str(passes), "limit": None}
    return as_if(place, input=str(clip.file), **changes)


def _set_shelf(clip: Input, name: str, folder: Path) -> FileShelf:
    return FileShelf(
        lambda: (piece.frames for piece in clip.pieces(False)),
        lambda number: folder / str(number) / (name.rstrip("/") + ".mkv"),
    )


def _place(folder: Path, name: str) -> str:
    """Return where an output goes, with the folders above it made; a name that ends in / stays so."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"{path}/" if name.endswith("/") else str(path)


def _below(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def _moved(video: Refined, folder: Path, target: Path) -> Refined:
    values = {**video.__dict__, "output": video.output.replace(str(folder), str(target), 1)}
    return Refined(**values)


def _new_folder(output: str | Path) -> Path:
    """Return the output folder where it is new or empty."""
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise OutputError(
            f"cannot write {folder}: the input is a set and goes to a folder, and this is a file"
        )
    held = next(iter(folder.iterdir()), None) if folder.exists() else None
    if held is not None:
        raise OutputError(f"cannot write {folder}: the folder holds {held.name}; name a new or empty folder")
    return folder


@contextmanager
def _traced(folder: Path | None) -> Iterator[Path | None]:
    """Give a hidden folder for traces that takes the name of `folder` when the block ends well; None for none."""
    if folder is None:
        yield None
        return
    with staged(folder, folder=True) as hidden:
        yield hidden
