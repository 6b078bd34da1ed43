"""Writing the page: beside its place, then renamed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviola.core.errors import OutputError
from moviola.core.names import json_text, written
from moviola.core.progress import Tick
from moviola.data.folders import folder_place
from moviola.metrics.results import Report
from moviola.pipelines.evaluate.report.baseline import REPORT_FILE, compare
from moviola.pipelines.evaluate.report.clips import Gallery, gather
from moviola.pipelines.evaluate.report.page import build_page

if TYPE_CHECKING:
    from moviola.pipelines.evaluate.inputs import Given, VideoSet

PAGE_FILE = "index.html"


def check_folder(folder: str | Path) -> Path:
    """Return `folder` where a page may be written to it: it is new, empty, or holds an earlier page only.

    Raises:
        OutputError: its parent is missing, a file is in its place, or it holds anything else.
    """
    folder = folder_place(folder)
    for entry in folder.iterdir() if folder.exists() else ():
        if entry.name not in (PAGE_FILE, REPORT_FILE):
            raise OutputError(
                f"cannot write {folder}: the folder holds {entry.name}; name a new or empty folder"
            )
    return folder


def write_report(
    report: Report,
    folder: str | Path,
    real: Given | None = None,
    fake: Given | None = None,
    *,
    heading: str = "",
    baseline: tuple[str, dict[str, Any]] | None = None,
    each: int = 4,
    tick: Tick | None = None,
) -> Path:
    """Write the page of an evaluation, `folder`/index.html, and its numbers beside it, `folder`/report.json.

    Args:
        report: what `moviola.evaluate` returned.
        folder: a new or empty folder, or one that holds an earlier page, which is replaced when the new one is whole.
        real: the real clips, as they were given to `moviola.evaluate`, to show some of them; None shows none.
        fake: the generated clips, as they were given, to show the worst and best of them; None shows none.
        heading: title of the page; "" makes one from the names of the sources.
        baseline: name and values (`baseline.read_baseline`) of an earlier evaluation to compare with.
        each: clips to show at either end of a ranking, at least 1.
        tick: called after each clip that was embedded.

    Returns:
        The path of the page.

    Raises:
        OutputError: it cannot be written there; what stood there before still stands.
    """
    from moviola.core.atomic import staged
    from moviola.pipelines.evaluate.inputs import open_set

    folder = check_folder(folder)
    gallery = Gallery()
    if real is not None and fake is not None:
        sets = open_set(real, "REAL"), open_set(fake, "FAKE")
        gallery = gather(report, *sets, each, tick=tick)
        heading = heading or _heading(*sets)
    change = compare(report, baseline[1], baseline[0]) if baseline else None
    page = build_page(report, heading or "Evaluation", gallery, change)
    numbers = json_text(_plain(report.to_dict(per_clip=True)), indent=1)
    with staged(folder, folder=True) as beside:
        (beside / PAGE_FILE).write_bytes(written(page))
        (beside / REPORT_FILE).write_text(numbers + "\n", encoding="utf-8")
    return folder / PAGE_FILE


def _heading(real: VideoSet, fake: VideoSet) -> str:
    names = [Path(one.path).name or one.path for one in (fake, real)]
    return f"{names[0] or 'generated clips'} against {names[1] or 'real clips'}"


def _plain(value: Any) -> Any:
    """Return `value` with what JSON lacks (NaN, infinities) as None, and anything unknown as text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
