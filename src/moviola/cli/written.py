"""What verbs that draw videos share: where they go, writing in pieces, contact sheets, spans of time."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from moviola.core.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from moviola.core.video import Video

SHEET_FRAMES = 32
"""Frames of a contact sheet."""


def check_output(output: str, sheet: Path | None, upscale: int = 1) -> None:
    """Check where a video and its sheet go, before anything heavy is loaded.

    Raises:
        FormatError: an extension that no video has, or a sheet that is no PNG. OutputError: a folder that does not
        exist. ConfigError: an `upscale` below 1.
    """
    from moviola.data.codec.formats import write_suffix
    from moviola.data.pictures import check_png

    write_suffix(output)
    if upscale < 1:
        raise ConfigError(f"--upscale is {upscale}; it must be at least 1")
    if sheet is not None:
        check_png(sheet, "a contact sheet")
    path = Path(output)
    if not path.parent.is_dir():
        raise OutputError(f"no folder {path.parent} to write {path.name} into; make it first")


def write_pieces(
    pieces: Iterable[Video],
    output: str,
    fps: Fraction,
    frames: int,
    upscale: int,
    quiet: bool,
    sheet: Path | None = None,
) -> Video:
    """Write a video in pieces, and its sheet; return its first frames.

    Args:
        pieces: the video.
        output: where to write.
        fps: frames a second.
        frames: how many there will be.
        upscale: repeat every pixel so often each way.
        quiet: no progress bar.
        sheet: where a contact sheet of the first 32 frames goes, too.
    """
    from moviola.core.progress import progress
    from moviola.core.video import Video
    from moviola.data.codec import Writer

    head: list[Video] = []
    with Writer(output, fps) as writer, progress("generating", frames, quiet) as tick:
        for piece in pieces:
            piece = piece.scale(upscale)
            writer.write(piece)
            tick(len(piece))
            if sum(map(len, head)) < SHEET_FRAMES:
                head.append(piece)
    first = Video.concat(head)[:SHEET_FRAMES]
    if sheet is not None:
        write_sheet([first], sheet)
    return first


def write_sheet(videos: list[Video], path: Path) -> None:
    """Write a contact sheet of videos of one size as PNG, up to eight frames a row."""
    from moviola.core.video import Video
    from moviola.data.pictures import write_png

    write_png(path, Video.concat(videos).contact_sheet(columns=min(8, len(videos[0]))))


def read_span(text: str | None) -> tuple[float, float] | None:
    """Return the two seconds of "0:4"; None for None.

    Raises:
        ConfigError: something else.
    """
    if text is None:
        return None
    begin, sign, end = text.partition(":")
    try:
        if sign:
            return float(begin or 0), float(end)
    except ValueError:
        pass
    raise ConfigError(f"--time is {text!r}; it is two seconds, such as 0:4")
