"""The results of a study as a page: one file that loads nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moviola.core.errors import FormatError
from moviola.core.names import written
from moviola.data.folders import file_place
from moviola.pipelines.evaluate.report.strips import Scale, scale_of
from moviola.pipelines.evaluate.report.text import figure
from moviola.pipelines.pages.render import render
from moviola.pipelines.study.results import Duel, MetricAgreement, Results, Standing, Verdict


def check_page(path: str | Path) -> Path:
    """Return where a page of results goes.

    Raises:
        FormatError: no .html. OutputError: no such folder.
    """
    place = file_place(path)
    if place.suffix.lower() not in (".html", ".htm"):
        raise FormatError(f"a report is a page; {path} does not end in .html")
    return place


def write_page(results: Results, path: str | Path) -> Path:
    """Write the page of results; it replaces what stood there.

    Raises:
        FormatError, OutputError: as `check_page`, and where it cannot be written.
    """
    from moviola.core.atomic import write_atomic

    place = check_page(path)
    write_atomic(place, written(build_page(results)))
    return place


def build_page(results: Results) -> str:
    """Return the page of results as HTML."""
    return render(
        "study_read.html",
        results=results,
        heading=f"{len(results.study.methods)} methods, judged by people",
        pairs=sum(pair.damaged is None for pair in results.study.pairs),
        verdicts=[_verdict(verdict) for verdict in results.verdicts],
        agreement=_table(results),
        level=f"{100 * results.level:g} %",
    )


def _verdict(verdict: Verdict) -> dict[str, Any]:
    """Return what the template shows of one criterion: strips on one scale that holds 0."""
    ends = [end for s in verdict.standings for end in (s.low, s.high, s.score)]
    scale = scale_of([*ends, 0.0])
    strips = [] if scale is None else [_strip(scale, s.score, s.low, s.high) for s in verdict.standings]
    ticks = [] if scale is None else [(scale.place(tick), f"{tick:.3g}") for tick in scale.ticks()]
    return {
        "verdict": verdict, "rows": list(zip(verdict.standings, strips, strict=False)), "ticks": ticks,
        "zero": 0.0 if scale is None else scale.place(0.0), "alpha": signed(verdict.alpha),
        "same": percent(verdict.same),
        "standings": [standing_cells(standing) for standing in verdict.standings],
        "duels": [_duel_cells(duel) for duel in verdict.duels],
    }  # fmt: skip


def _strip(scale: Scale, value: float, low: float | None, high: float | None) -> dict[str, float | None]:
    left, right = (None, None) if low is None or high is None else (scale.place(low), scale.place(high))
    return {
        "at": scale.place(value),
        "left": left,
        "width": None if left is None or right is None else right - left,
    }


def _table(results: Results) -> list[list[str]]:
    """Return a row for each metric: its values, and its tau by each criterion."""
    rows = []
    for values in results.metrics:
        by = {entry.criterion: entry for entry in results.agreement if entry.metric == values.metric}
        named = zip(results.study.methods, values.values, strict=True)
        names = (f"{method.name} {figure(value)}" for method, value in named if value is not None)
        cells = [tau(by.get(verdict.criterion)) for verdict in results.verdicts]
        rows.append([f"{values.metric} ({values.better} is better)", ", ".join(names), *cells])
    return rows


def standing_cells(standing: Standing) -> list[str]:
    """Return a row of a table: method, score, its interval, share won, its interval, comparisons."""
    return [
        standing.method,
        signed(standing.score),
        between(standing.low, standing.high),
        percent(standing.rate),
        spread(standing.rate_low, standing.rate_high),
        str(standing.comparisons),
    ]


def _duel_cells(duel: Duel) -> list[str]:
    counts = [str(count) for count in (duel.won, duel.tied, duel.lost)]
    return [f"{duel.one} against {duel.two}", *counts, percent(duel.rate), spread(duel.low, duel.high)]


def signed(value: float | None) -> str:
    """Return a score with its sign and two decimals, "" for None."""
    return "" if value is None else f"{value:+.2f}"


def between(low: float | None, high: float | None) -> str:
    """Return an interval of scores, "" where there is none."""
    return "" if low is None or high is None else f"{low:+.2f} to {high:+.2f}"


def percent(value: float | None) -> str:
    """Return a share in percent, "" for None."""
    return "" if value is None else f"{100 * value:.0f} %"


def spread(low: float | None, high: float | None) -> str:
    """Return an interval of shares, "" where there is none."""
    return "" if low is None or high is None else f"{100 * low:.0f} to {100 * high:.0f} %"


def tau(entry: MetricAgreement | None) -> str:
    """Return Kendall's tau with its interval, "" where it cannot be told."""
    if entry is None or entry.tau is None:
        return ""
    inner = between(entry.low, entry.high)
    return f"{entry.tau:+.2f} ({inner})" if inner else f"{entry.tau:+.2f}"
