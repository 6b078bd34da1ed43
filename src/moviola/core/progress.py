"""Progress on a terminal, silence everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Tick(Protocol):
    """Called with the number of finished steps and a short text to show beside the bar."""

    def __call__(self, advance: int = 1, text: str = "") -> None:
        """Say that `advance` more steps are done."""


def _nothing(advance: int = 1, text: str = "") -> None:
    return None


@contextmanager
def progress(title: str, total: int | None, quiet: bool = False, start: int = 0) -> Iterator[Tick]:
    """Show a bar with the time left while the block runs; silent with `quiet` or when stderr is no terminal.

    Args:
        title: a few words.
        total: number of steps, or None when it is not known.
        quiet: show nothing.
        start: steps already done (a resumed run).
    """
    if quiet or not sys.stderr.isatty():
        yield _nothing
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total, completed=start, text="")

        def tick(advance: int = 1, text: str = "") -> None:
            bar.update(task, advance=advance, text=text)

        yield tick
