"""Cutting a grid: one video that shows many clips side by side, as papers publish them, into its clips."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from moviola.core.atomic import new_folder
from moviola.core.errors import ConfigError, FormatError
from moviola.data.codec import Writer, probe, stream


def cut_grid(
    grid: str | Path,
    out: str | Path,
    rows: int,
    columns: int,
    gap: int = 0,
    crf: int = 0,
    tick: Callable[[int], object] = lambda n: None,
) -> list[str]:
    """Write every cell of a grid video as a clip of its own: `out/r00c00.mp4`, `out/r00c01.mp4`, ...

    Args:
        grid: the video.
        out: a new or empty folder.
        rows: cells down.
        columns: cells across.
        gap: pixels between neighbouring cells; none around the whole.
        crf: H.264 quality, 0 (nothing lost but the rounding of colours) to 51.
        tick: called with 1 after each row of cells.

    Returns:
        The names written.

    Raises:
        ConfigError: rows, columns or gap out of range.
        FormatError: cells of equal whole size do not fill the frame.
        VideoReadError: the video cannot be decoded.
        OutputError: the folder holds something, or cannot be written.
    """
    if rows < 1 or columns < 1 or gap < 0:
        raise ConfigError(
            f"a grid has at least 1 row and 1 column and a gap of 0 or more, not {rows}, {columns}, {gap}"
        )
    info = probe(grid)
    height, width = _cell(info.height, rows, gap), _cell(info.width, columns, gap)
    if not height or not width:
        raise FormatError(
            f"{grid} is {info.width}x{info.height}: {columns} x {rows} equal cells with a gap of {gap} do not fill it"
        )
    names = []
    with new_folder(Path(out)) as folder:
        for row in range(rows):  # a row at a time, so that few encoders are open
            files = [f"r{row:02d}c{column:02d}.mp4" for column in range(columns)]
            with ExitStack() as stack:
                writers = [
                    stack.enter_context(Writer(folder / file, info.fps, crf=crf, pix_fmt="yuv444p"))
                    for file in files
                ]
                for piece in stream(grid, batch=4):
                    for column, writer in enumerate(writers):
                        writer.write(piece.crop(row * (height + gap), column * (width + gap), height, width))
            names += files
            tick(1)
    return names


def _cell(side: int, count: int, gap: int) -> int:
    """Return the side of a cell, or 0 where cells do not fill the side."""
    room = side - gap * (count - 1)
    return room // count if room >= count and room % count == 0 else 0
