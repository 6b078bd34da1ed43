"""Progress on a terminal, lines of it for a program that asks for them, silence everywhere else."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_SILENT: list[bool] = []
_HUB_SWITCH = "HF_HUB_DISABLE_PROGRESS_BARS"
LINES_SWITCH = "MOVIOLA_PROGRESS"
"""An environment variable; "lines" writes progress to stderr, quiet or not, each time as `LINE` and a JSON object."""
LINE = "moviola: progress "
_PERIOD = 0.2  # seconds from line to line, at least


def bars_are_shown() -> bool:
    """Return whether progress has a terminal to be shown on, and nobody asked for silence."""
    return not _SILENT and sys.stderr.isatty()


@contextmanager
def silence(wanted: bool = True) -> Iterator[None]:
    """Show no bars inside the block: neither ours nor those of huggingface_hub, loaded before or in the block.

    Args:
        wanted: False changes nothing.
    """
    if not wanted:
        yield
        return
    before, library = os.environ.get(_HUB_SWITCH), sys.modules.get("huggingface_hub.utils")
    shown = library is not None and before is None and not library.are_progress_bars_disabled()
    os.environ[_HUB_SWITCH] = "1"
    _SILENT.append(True)
    if shown and library is not None:
        library.disable_progress_bars()
    try:
        yield
    finally:
        _SILENT.pop()
        os.environ.pop(_HUB_SWITCH, None)
        if before is not None:
            os.environ[_HUB_SWITCH] = before
        if shown and library is not None:
            library.enable_progress_bars()


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

    Raises:
        BrokenPipeError: lines were asked for, and who asked is gone.
    """
    if os.environ.get(LINES_SWITCH) == "lines":
        lines = _Lines(title, total, start)
        yield lines.tick
        lines.write()
        return
    if quiet or not bars_are_shown():
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


class _Lines:
    """Progress as lines on stderr: {"title": ..., "done": ..., "total": ..., "text": ...}."""

    def __init__(self, title: str, total: int | None, done: int) -> None:
        self._title, self._total, self._done, self._text = title, total, done, ""
        self.write()

    def tick(self, advance: int = 1, text: str = "") -> None:
        """See `Tick`; some steps share a line."""
        self._done += advance
        self._text = text
        if time.monotonic() - self._written >= _PERIOD:
            self.write()

    def write(self) -> None:
        """Write the line of what is done by now."""
        self._written = time.monotonic()
        state = {"title": self._title, "done": self._done, "total": self._total, "text": self._text}
        print(LINE + json.dumps(state), file=sys.stderr, flush=True)
