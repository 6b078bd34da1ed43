"""Mending a video: in memory, or from file to file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moviola.core.atomic import staged
from moviola.core.progress import Tick
from moviola.core.video import Video
from moviola.data import codec
from moviola.pipelines.mend.find import Faults
from moviola.pipelines.mend.footage import Footage, open_footage, open_guide
from moviola.pipelines.mend.look import Look, look_at
from moviola.pipelines.mend.repair import Repair, plan
from moviola.pipelines.mend.settings import MendSettings, Seams


@dataclass(frozen=True)
class Mended:
    """A video that was mended and written.

    Attributes:
        output: where it is. frames, fps, width, height: of it, as of the input.
        faults: what was found and mended.
        how: "mended", "copied" (the file as it was, byte for byte) or "encoded" (clean, but of another format).
    """

    output: str
    frames: int
    fps: float
    width: int
    height: int
    faults: Faults
    how: str


def mend(
    video: Video | str | Path,
    *,
    guide: Video | str | Path | None = None,
    flicker: bool = False,
    seams: Seams | None = None,
    drift: bool = False,
    reference: np.ndarray | None = None,
    stills: bool = False,
    tick: Tick | None = None,
) -> Video:
    """Mend what a model left in a video: flicker, seams, drift, repeated frames. What is not broken stays.

    Where none of them is asked for, all are looked for, and what is found is mended; a clean clip comes back with its
    frames bit for bit. `moviola.pipelines.mend.find_faults` says what would be mended.

    Args:
        video: a Video, or the path of one; its length, size, rate and sound are kept.
        guide: the clip that it was made from, as long and of the same shape: motion is read there, where it is steady.
        flicker: light that comes and goes, of the whole picture and of parts of it.
        seams: places where one piece does not fit the next: "auto" finds them; or their first frames, ascending.
        drift: slow change of colour, contrast and sharpness against the first second of each shot.
        reference: picture whose mean and contrast the clip is given, uint8 (H, W, 3); with the drift taken off.
        stills: repeated frames, in whose places frames between are put.
        tick: called with the number of frames of each of the two passes.

    Returns:
        A `Video` of the same length, size and rate.

    Raises:
        InputError: one frame, a guide of another length or shape, OpenCV or SciPy missing. ConfigError: seams that
        are not inside the clip, or not ascending. VideoReadError, FormatError: a file cannot be read.
    """
    settings = MendSettings(flicker, seams, drift, stills, reference)
    footage = open_footage(video)
    opened = open_guide(guide, footage)
    repair = plan(_look(footage, opened, settings, tick), footage, settings)
    whole = video if isinstance(video, Video) else codec.read(video, audio=True)
    if not repair.changes:
        return whole
    out = np.empty_like(whole.frames)
    for t, frame in enumerate(repair.frames(Footage(whole), opened)):
        out[t] = frame
        if tick is not None:
            tick(1)
    return whole.with_frames(out)


def find_faults(
    video: Video | str | Path,
    settings: MendSettings | None = None,
    guide: Video | str | Path | None = None,
    tick: Tick | None = None,
) -> Faults:
    """Say what `mend` would mend; arguments and errors as there.

    Args:
        video: to look at. settings: what to look for; None for everything. guide, tick: as for `mend`.
    """
    settings = settings or MendSettings()
    footage = open_footage(video)
    return plan(_look(footage, open_guide(guide, footage), settings, tick), footage, settings).faults


def _look(footage: Footage, guide: Footage | None, settings: MendSettings, tick: Tick | None) -> Look:
    settings.seams_within(footage.count)
    return look_at(footage, guide, tick)


def mend_file(
    path: str | Path,
    output: str | Path,
    settings: MendSettings | None = None,
    *,
    guide: str | Path | None = None,
    lossless: bool = False,
    report: str | Path | None = None,
    tick: Tick | None = None,
) -> Mended:
    """Mend one video file; memory does not grow with its length.

    Args:
        path: a video file or a folder of frames. output: where to write; its extension decides the format.
        settings: what to mend; None for what is found. guide: as for `mend`.
        lossless: write every value as it is, where the format can.
        report: folder for a page with both videos side by side and the curves; None for none.
        tick: called with the number of frames of each of the two passes.

    Raises:
        as `mend`. OutputError: nothing can be written there.
    """
    settings = settings or MendSettings()
    footage = open_footage(path)
    opened = open_guide(guide, footage)
    clock = footage.clock
    writer = codec.Writer(output, clock.fps, clock.times, footage.pixel_aspect, lossless=lossless)
    look = _look(footage, opened, settings, tick)
    repair = plan(look, footage, settings)
    if not repair.changes and _copied(Path(path), output):
        how = "copied"
    else:
        how = "mended" if repair.changes else "encoded"
        with writer:
            for piece in mended_pieces(footage, repair, opened, tick):
                writer.write(piece)
    if report is not None:
        from moviola.pipelines.mend.report import write_report

        after = open_footage(output)
        write_report(report, footage, after, (look, look_at(after, opened)), repair.faults)
    height, width = footage.size
    return Mended(str(output), clock.count, float(clock.fps), width, height, repair.faults, how)


def mended_pieces(
    footage: Footage, repair: Repair, guide: Footage | None = None, tick: Tick | None = None
) -> Iterator[Video]:
    """Give the mended video in pieces, with its sound and times.

    Args:
        footage: the video. repair: what is to be done. guide: as for `mend`.
        tick: called with the number of frames done.
    """
    frames = repair.frames(footage, guide)
    for piece in footage.pieces(audio=True):
        done = np.empty_like(piece.frames)
        for i in range(len(piece)):
            done[i] = next(frames)
        yield piece.with_frames(done)
        if tick is not None:
            tick(len(piece))


def mend_stream(
    pieces: Iterable[Video], settings: MendSettings | None = None, tick: Tick | None = None
) -> Iterator[Video]:
    """Mend a video that comes piece by piece; it is kept without loss in a temporary file until all of it is seen.

    Args:
        pieces: Videos that follow each other, of one constant rate and without sound.
        settings: what to mend; None for what is found. tick: as for `mend`.

    Yields:
        Videos that follow each other, as many frames in all; a single frame as it is.
    """
    settings = settings or MendSettings()
    with tempfile.TemporaryDirectory(prefix="moviola-mend-") as folder:
        path = Path(folder) / "whole.mkv"
        writer: codec.Writer | None = None
        with ExitStack() as stack:
            for piece in pieces:
                writer = writer or stack.enter_context(codec.Writer(path, piece.fps, lossless=True))
                writer.write(piece)
        if writer is None or writer.frames < 2:
            yield from codec.stream(path) if writer is not None else ()
            return
        footage = open_footage(path)
        repair = plan(_look(footage, None, settings, tick), footage, settings)
        yield from mended_pieces(footage, repair, None, tick)


def _copied(path: Path, output: str | Path) -> bool:
    """Copy a file byte for byte where it already is what was asked for; return whether it was."""
    if path.is_dir() or path.suffix.lower() != Path(output).suffix.lower():
        return False
    with staged(output) as beside:
        shutil.copyfile(path, beside)
    return True
