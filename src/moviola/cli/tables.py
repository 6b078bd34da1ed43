"""Tables in the terminal: aligned columns where they fit, one figure a line where not."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Sequence

_WIDE = 10_000  # columns; a pipe or a file takes any


def width() -> int | None:
    """Return the columns of the terminal that stdout is; None for a pipe or a file, which take any."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(head: Sequence[str], rows: Sequence[Sequence[str]], room: int | None = None) -> list[str]:
    """Return lines of aligned columns; columns that are empty in every row are left out.

    Args:
        head: the columns' names; the first names the rows.
        rows: cells.
        room: columns of the terminal; a table that is wider is written as a block for each row. None: any width.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    used = [i for i in range(len(head)) if i == 0 or any(row[i] for row in rows)]
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for i in used:
        grid.add_column(Text(head[i]), no_wrap=True)
    for row in rows:
        grid.add_row(*(Text(row[i]) for i in used))
    console = Console(file=io.StringIO(), width=_WIDE, color_system=None, force_terminal=False)
    if room is not None and console.measure(grid).maximum > room:
        return _blocks([head[i] for i in used], [[row[i] for i in used] for row in rows])
    with console.capture() as capture:
        console.print(grid)
    return [line.rstrip() for line in capture.get().splitlines()]


def _blocks(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    indent = max(map(len, head[1:]), default=0)
    lines = []
    for name, *cells in rows:
        lines.append(name)
        lines += [f"  {title:<{indent}}  {cell}" for title, cell in zip(head[1:], cells, strict=True) if cell]
    return lines
