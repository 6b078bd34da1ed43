"""`moviola study`: a user study in one page, and what the answers say."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Json, Quiet, Seed, emit, example, say, takes_lists

if TYPE_CHECKING:
    from moviola.pipelines.study.make import Made
    from moviola.pipelines.study.results import Results, Verdict

_Folders = Annotated[
    list[Path],
    typer.Argument(metavar="A B ...", help="Folders or files of results, a method each; paired by name."),
]
_Page = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="FILE", help="The page, .html; its key is written beside it, .json."
    ),
]
_Criteria = Annotated[
    list[str] | None,
    typer.Option(
        "--criteria", metavar="A,B|NAME=QUESTION", help="What is asked; repeatable. Default: all five."
    ),
]
_Pairs = Annotated[
    int | None, typer.Option("--pairs", metavar="N", help="Show at most N pairs, evenly over the methods.")
]
_Catch = Annotated[
    int, typer.Option("--catch", metavar="N", help="Catch pairs: a clip against a damaged copy of itself.")
]
_Title = Annotated[str, typer.Option("--title", metavar="TEXT", help="Heading of the page.")]
_Side = Annotated[
    int, typer.Option("--side", metavar="PX", help="Longer side of a clip in the page, at most.")
]
_Seconds = Annotated[float, typer.Option("--seconds", metavar="S", help="Of each clip, at most.")]
_Format = Annotated[
    str, typer.Option("--format", metavar="KIND", help="Of the clips in the page: mp4 or webm.")
]
_MaxMb = Annotated[float, typer.Option("--max-mb", metavar="MB", help="Refuse a larger page.")]


@takes_lists("--criteria")
@example(
    "moviola study make ours theirs -o study.html",
    "moviola study make a b c -o study.html --pairs 30 --criteria visual-quality,coherence",
    'moviola study make a b -o hands.html --criteria "hands=Which hands look better?" --catch 3',
)
def make(
    results: _Folders,
    output: _Page,
    criteria: _Criteria = None,
    pairs: _Pairs = None,
    catch: _Catch = 2,
    title: _Title = "Which clip is better?",
    side: _Side = 512,
    seconds: _Seconds = 10.0,
    format: _Format = "mp4",
    max_mb: _MaxMb = 100.0,
    seed: Seed = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a page on which people compare the clips of methods in pairs, and save what they chose.

    The page is one file that loads nothing and names no method; which is which stands in the key beside it, which
    raters do not get. Sides and order are drawn by the seed. docs/study.md tells how to run a study.
    """
    started = time.perf_counter()
    from moviola.core.progress import progress
    from moviola.pipelines.study.clips import ClipSettings
    from moviola.pipelines.study.make import make_study

    values = {"side": side, "seconds": seconds, "format": format, "max_mb": max_mb}
    with progress("clips", None, quiet or json) as tick:
        made = make_study(
            results, output, criteria=criteria, pairs=pairs, catch=catch, title=title,
            settings=ClipSettings.make(values), seed=seed, tick=tick,
        )  # fmt: skip
    took = round(time.perf_counter() - started, 3)
    if json:
        emit(_made(made, took))
    _tell_made(made, took, quiet or json)


def _made(made: Made, seconds: float) -> dict[str, Any]:
    study = made.study
    return {
        "output": str(made.page),
        "key": str(made.key),
        "study": study.id,
        "methods": [method.name for method in study.methods],
        "criteria": [criterion.key for criterion in study.criteria],
        "pairs": sum(pair.damaged is None for pair in study.pairs),
        "catch": sum(pair.damaged is not None for pair in study.pairs),
        "clips": made.clips,
        "bytes": made.size,
        "seconds": seconds,
        "notes": list(made.notes),
    }


def _tell_made(made: Made, seconds: float, quiet: bool) -> None:
    values = _made(made, seconds)
    size = f"{made.clips} clips, {made.size / 1e6:.1f} MB, {seconds:.1f} s"
    say(f"page      {made.page} ({size})", quiet=quiet)
    say(f"key       {made.key} (keep it: answers are read with it, and it names the methods)", quiet=quiet)
    say(f"pairs     {values['pairs']} and {values['catch']} to catch who does not look", quiet=quiet)
    say(f"methods   {', '.join(values['methods'])}", quiet=quiet)
    say(f"criteria  {', '.join(values['criteria'])}", quiet=quiet)
    for note in made.notes:
        say(f"note: {note}", quiet=quiet)


_Key = Annotated[
    Path, typer.Argument(metavar="STUDY", help="The key, .json, that study make wrote beside the page.")
]
_Answers = Annotated[
    list[Path], typer.Argument(metavar="ANSWERS ...", help="Files that raters saved, or folders of them.")
]
_Scores = Annotated[
    list[str] | None,
    typer.Option("--scores", metavar="FILE", help="evaluate --json of a method, or METHOD=FILE; repeatable."),
]
_Report = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Also write a page, .html.")]
_Allow = Annotated[
    int, typer.Option("--allow-failed", metavar="N", help="Count raters who failed up to N catch pairs.")
]
_Draws = Annotated[int, typer.Option("--draws", metavar="N", help="Resamplings behind an interval.")]


@takes_lists("--scores")
@example(
    "moviola study read study.json answers-anna.json answers-ben.json",
    "moviola study read study.json answers --report results.html --scores ours.json theirs.json",
)
def read(
    study: _Key,
    answers: _Answers,
    scores: _Scores = None,
    report: _Report = None,
    allow_failed: _Allow = 0,
    draws: _Draws = 2000,
    seed: Seed = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what raters say: Bradley-Terry scores with intervals, agreement, and which metrics agree with people.

    Raters who fail a catch pair are named and left out. docs/study.md tells how to read the figures.
    """
    from moviola.pipelines.study.page import check_page, write_page
    from moviola.pipelines.study.results import read_study

    if report is not None:
        check_page(report)
    results = read_study(study, answers, scores=scores or (), allowed=allow_failed, draws=draws, seed=seed)
    page = None if report is None else write_page(results, report)
    if json:
        emit({**results.to_dict(), "report": page})
    for line in _lines(results):
        say(line, quiet=quiet or json)
    if page is not None:
        say(f"report    {page}", quiet=quiet or json)


def _lines(results: Results) -> list[str]:
    """Return the results for people, line by line."""
    counted = sum(rater.counted for rater in results.raters)
    pairs = sum(pair.damaged is None for pair in results.study.pairs)
    methods = len(results.study.methods)
    lines = [f"{pairs} pairs of {methods} methods, {counted} of {len(results.raters)} raters counted"]
    lines += [f"warning: {note}" for note in results.notes]
    for verdict in results.verdicts:
        lines += ["", *_verdict_lines(verdict)]
    if results.metrics:
        lines += ["", "Kendall's tau of each metric's order and people's"]
        lines += [f"  {line}" for line in _metric_lines(results)]
    return lines


def _verdict_lines(verdict: Verdict) -> list[str]:
    from moviola.cli.tables import table
    from moviola.pipelines.study.page import percent, signed, standing_cells

    head = ["method", "score", "interval", "won", "interval ", "comparisons"]
    rows = [standing_cells(standing) for standing in verdict.standings]
    agreement = [f"alpha {signed(verdict.alpha)}"] if verdict.alpha is not None else []
    agreement += [f"the same choice in {percent(verdict.same)}"] if verdict.same is not None else []
    said = f" ({', '.join(agreement)})" if agreement else ""
    return [
        f"{verdict.title}{said}",
        *(f"  {line}" for line in (table(head, rows) if rows else ["no scores"])),
    ]


def _metric_lines(results: Results) -> list[str]:
    from moviola.cli.tables import table
    from moviola.pipelines.study.page import tau

    by = {(entry.metric, entry.criterion): entry for entry in results.agreement}
    head = ["metric", *(verdict.title for verdict in results.verdicts)]
    rows = [
        [v.metric, *(tau(by.get((v.metric, c.criterion))) for c in results.verdicts)] for v in results.metrics
    ]
    return table(head, rows)
