"""What `moviola evaluate` prints for people."""

from __future__ import annotations

from collections.abc import Sequence

from moviola.cli.tables import table
from moviola.metrics.base import MetricSpec
from moviola.metrics.protocol import Protocol
from moviola.metrics.results import Report, Score
from moviola.pipelines.evaluate.report.baseline import Comparison
from moviola.pipelines.evaluate.report.text import (
    extremes,
    figure,
    floor,
    interval,
    level,
    network,
    notes,
    signed,
    unseen,
)

_MOST_ROWS = 12  # of the table by class and of what was skipped; --json and --report hold all


def report_lines(
    report: Report, protocol: Protocol, change: Comparison | None = None, room: int | None = None
) -> list[str]:
    """Return the evaluation as text: scores, what changed, classes, damages, protocol, warnings.

    Args:
        report: what `moviola.evaluate` returned.
        protocol: what it was made under.
        change: against an earlier evaluation.
        room: columns of the terminal, None for any.
    """
    head = [
        "metric",
        "value",
        f"{level(report)} interval",
        "floor",
        "infinity",
        "real",
        "better",
        "N",
        "network",
    ]
    blocks = [table(head, [_score_row(score) for score in report.scores.values()], room)]
    blocks += [_change_lines(change, room)] if change else []
    blocks += [_class_lines(report, room)] if report.classes else []
    blocks += [_sanity_lines(report, room)] if report.sanity else []
    blocks += [[f"protocol  {protocol.text()}", *_set_lines(report)]]
    blocks += [_skipped_lines(report)]
    blocks += [[f"warning   {text}" for text in notes(report)]]
    blocks += [[f"took      {report.seconds:.1f} s"]]
    lines: list[str] = []
    for block in filter(None, blocks):
        lines += ["", *block] if lines else block
    return lines


def _score_row(score: Score) -> list[str]:
    return [
        score.metric,
        f"{figure(score.value)} {score.unit}".strip(),
        interval(score),
        floor(score),
        figure(score.infinity),
        figure(score.reference),
        "" if score.better == "neither" else score.better,
        f"{score.n_real} + {score.n_fake}",
        network(score),
    ]


def _change_lines(change: Comparison, room: int | None) -> list[str]:
    rows = []
    for key, move in change.scores.items():
        gain = signed(move.gain) if move.gain is not None else ""
        percent = f"{move.percent:+.1f} %" if move.percent else ""
        up, down = change.largest(key)
        rows.append([key, figure(move.before), figure(move.after), gain, percent, up, down])
    head = ["metric", "before", "now", "gain", "percent", "class of largest gain", "class of largest loss"]
    notes = [f"not the same  {line}" for line in change.differs]
    return [f"against {change.name}:", *table(head, rows, room), *notes]


def _class_lines(report: Report, room: int | None) -> list[str]:
    metrics = list(dict.fromkeys(key for row in report.classes.values() for key in row))
    better = {key: report.scores[key].better if key in report.scores else "neither" for key in metrics}
    ends = {key: extremes(report.classes, key, better[key]) for key in metrics}
    rows = []
    for label, row in list(report.classes.items())[:_MOST_ROWS]:
        marks = {
            key: " worst" * (ends[key].worst == label) + " best" * (ends[key].best == label)
            for key in metrics
        }
        rows.append([label, *(figure(row.get(key)) + marks[key] for key in metrics)])
    lines = table(["class", *metrics], rows, room)
    left = len(report.classes) - len(rows)
    if left > 0:
        lines.append(f"and {left} more; --json and --report name them all")
        lines += [f"{key}: best {e.best}, worst {e.worst}" for key, e in ends.items() if e.best]
    return lines


def _sanity_lines(report: Report, room: int | None) -> list[str]:
    metrics = list(dict.fromkeys(key for row in report.sanity.values() for key in row))
    missed = {key: unseen(report, key) for key in metrics}
    rows = [
        [name, *(figure(row.get(key)) + " unseen" * missed[key].get(name, False) for key in metrics)]
        for name, row in report.sanity.items()
    ]
    return ["REAL against damaged copies of itself:", *table(["damage", *metrics], rows, room)]


def _skipped_lines(report: Report) -> list[str]:
    lines = [f"skipped   {name} ({which}): {why}" for which, name, why in report.skipped[:_MOST_ROWS]]
    left = len(report.skipped) - len(lines)
    return [*lines, f"          and {left} more; --json and --report name them all"] if left else lines


def _set_lines(report: Report) -> list[str]:
    """Say of each set where it is, how many clips it gave and its fingerprint, and what decoded it."""
    lines = []
    for which in ("real", "fake"):
        said = report.protocol.get(which) or {}
        parts = [f"{key} {value}" for key, value in said.items() if key in ("layout", "videos", "clips")]
        if said.get("fingerprint"):
            parts.append(f"fingerprint {str(said['fingerprint'])[:12]}")
        if said:
            lines.append(f"{which:<8}  {said.get('path') or 'given in Python'}: {', '.join(parts)}")
    if report.protocol.get("decoder"):
        lines.append(f"decoder   {report.protocol['decoder']}")
    return lines


def listing(
    metrics: Sequence[MetricSpec], protocols: Sequence[Protocol], room: int | None = None
) -> list[str]:
    """Return the table of metrics and what each needs, and the named protocols."""
    rows = [
        [m.key, m.kind, "" if m.better == "neither" else m.better, m.unit, m.needs or "nothing", m.title]
        for m in metrics
    ]
    lines = table(["metric", "kind", "better", "unit", "needs", "what"], rows, room)
    lines += [
        "",
        "kind: set = all clips against all clips; paired = clip against clip; video = each clip alone",
        "",
    ]
    return lines + [f"protocol  {protocol.text()}" for protocol in protocols]
