"""The sections of the page, each a function from the report to HTML, "" where there is nothing to show."""

from __future__ import annotations

import math
from html import escape

from moviola.metrics.results import Report, Score
from moviola.pipelines.evaluate_report.baseline import Change, Comparison
from moviola.pipelines.evaluate_report.clips import Gallery, Ranking, Shown
from moviola.pipelines.evaluate_report.markup import (
    badge,
    listing,
    paragraph,
    section,
    small,
    table,
)
from moviola.pipelines.evaluate_report.svg import (
    LEGEND,
    damage_strip,
    mark_sample,
    scale_of,
    score_strip,
)
from moviola.pipelines.evaluate_report.text import (
    BETTER,
    UNDAMAGED,
    count,
    extremes,
    figure,
    flat,
    floor,
    interval,
    level,
    network,
    notes,
    signed,
    title,
    undamaged,
    unseen,
)

_HOW_TO_READ = (
    (
        "Floor",
        "what two samples of the real clips score against each other at this N. A distance between sets never "
        "reaches zero: the fewer clips, the higher the floor. A score at its floor means that the generated clips "
        "cannot be told from real ones by this metric, with this many clips.",
    ),
    (
        "Interval",
        "found by drawing the clips again and again with replacement. It says how far the score would move with "
        "other clips of the same kind; it does not hold the bias that few clips bring, which the floor shows.",
    ),
    (
        "Infinity",
        "the score carried on along 1/N to infinitely many clips, which takes the bias away. Compare this one "
        "with figures made from another number of clips.",
    ),
    (
        "Network",
        "the frozen network behind a score and the start of the SHA-256 of its weights. Scores of different "
        "networks or protocols are different quantities.",
    ),
)


def warnings(report: Report) -> str:
    """Return what a reader must know before reading any number."""
    lines = notes(report)
    return section("warnings", "Before you read the numbers", listing(lines, "warnings")) if lines else ""


def scores(report: Report) -> str:
    """Return the strips with their legend, and the table of all figures."""
    strips = "".join(_strip_row(score) for score in report.scores.values())
    used = {"value"} | {
        name for name in LEGEND if any(getattr(s, name) is not None for s in report.scores.values())
    }
    legend = "".join(f"<li>{mark_sample(k)}{escape(text)}</li>" for k, text in LEGEND.items() if k in used)
    head = ["metric", "value", f"{level(report)} interval", "floor", "infinity", "real clips", "N", "network"]
    rows = [_score_row(score) for score in report.scores.values()]
    return section(
        "scores",
        "Scores",
        f'<ul class="legend">{legend}</ul><div class="strips">{strips}</div>',
        table("All scores; N is real + generated clips", head, rows, stacks=True),
    )


def _strip_row(score: Score) -> str:
    unit = f" {score.unit}" if score.unit else ""
    return (
        f'<div class="strip-row"><div><b>{escape(score.metric)}</b> {figure(score.value)}{escape(unit)}'
        f"<br>{small(BETTER[score.better])}</div>{score_strip(score)}</div>"
    )


def _score_row(score: Score) -> list[str]:
    said = title(score.metric)
    return [
        f"{escape(score.metric)}<br>{small(said)}" if said else escape(score.metric),
        f"<b>{figure(score.value)}</b> {small(score.unit)}<br>{small(BETTER[score.better])}",
        escape(interval(score)),
        escape(floor(score)),
        figure(score.infinity),
        figure(score.reference),
        f'<span class="whole">{count(score)}</span>',
        _network_cell(score),
    ]


def _network_cell(score: Score) -> str:
    if not score.network:
        return "none"
    sha = f'<br><small title="sha256 {score.network_sha256}">{escape(score.network_sha256[:12])}</small>'
    return escape(score.network) + (sha if score.network_sha256 else "")


def comparison(found: Comparison | None) -> str:
    """Return what changed since an earlier evaluation."""
    if found is None:
        return ""
    rows = [[escape(key), *_change_cells(change)] for key, change in found.scores.items()]
    head = ["metric", "before", "now", "gain", "percent"]
    return section(
        "change",
        "Gain and loss",
        paragraph(
            f"Against {found.name}. A gain is a change for the better, whatever the metric's direction."
        ),
        _differs(found),
        table("Change of each score", head, rows, stacks=True) if rows else "",
        _class_changes(found),
    )


def _differs(found: Comparison) -> str:
    if not found.differs:
        return ""
    return paragraph("The two were not made in the same way, so their figures may not compare:") + listing(
        found.differs, "warnings"
    )


def _change_cells(change: Change) -> list[str]:
    gain = signed(change.gain) if change.gain is not None else ""
    percent = f"{round(change.percent, 1) + 0.0:+.1f} %" if change.percent else "0 %"
    return [figure(change.before), figure(change.after), gain, percent]


def _class_changes(found: Comparison) -> str:
    parts = []
    metrics = dict.fromkeys(key for row in found.classes.values() for key in row)
    for metric in metrics:
        up, down = found.largest(metric)
        rows = []
        for label, row in found.classes.items():
            if metric in row:
                mark = badge("largest gain", "good") if label == up else ""
                mark += badge("largest loss", "bad") if label == down else ""
                rows.append([f"{escape(label)} {mark}", *_change_cells(row[metric])])
        parts.append(table(f"{metric} by class", ["class", "before", "now", "gain", "percent"], rows))
    return "".join(parts)


def classes(report: Report) -> str:
    """Return the table by class, the best and the worst class of each metric marked."""
    if not report.classes:
        return ""
    metrics = list(dict.fromkeys(key for row in report.classes.values() for key in row))
    better = {key: report.scores[key].better if key in report.scores else "neither" for key in metrics}
    ends = {key: extremes(report.classes, key, better[key]) for key in metrics}
    rows = []
    for label, row in report.classes.items():
        cells = []
        for key in metrics:
            mark = badge("worst", "bad") if label == ends[key].worst else ""
            mark += badge("best", "good") if label == ends[key].best else ""
            cells.append(f"{figure(row.get(key))} {mark}".strip())
        rows.append([escape(label), *cells])
    whole = ["all clips", *(figure(report.scores[k].value) if k in report.scores else "" for k in metrics)]
    return section(
        "classes",
        "By class",
        paragraph("A class has fewer clips than the whole, so its distances stand higher."),
        table("Scores of each class", ["class", *metrics], [*rows, whole]),
    )


def sanity(report: Report) -> str:
    """Return what each metric makes of damaged copies of the real clips: strips and a table."""
    if not report.sanity:
        return ""
    metrics = list(dict.fromkeys(key for row in report.sanity.values() for key in row))
    panels = "".join(_panel(report, key) for key in metrics)
    blind = [line for key in metrics if (line := _blind(report, key))]
    rows = [[escape(name), *(figure(row.get(key)) for key in metrics)] for name, row in report.sanity.items()]
    return section(
        "sanity",
        "What the metrics see",
        paragraph(
            "The real clips against damaged copies of themselves. The line is what undamaged clips score: other "
            "real ones for a distance, the same ones for a figure of single clips. A damage that scores no worse, or "
            "worse by less than a twentieth of what the worst damage does, the metric does not see with so many "
            "clips: do not use it to claim that such damage is absent."
        ),
        listing(blind, "warnings"),
        f'<div class="panels">{panels}</div>',
        table("Score of each damage", ["damage", *metrics], rows),
    )


def _panel(report: Report, metric: str) -> str:
    base, missed = undamaged(report, metric), unseen(report, metric)
    values = {
        name: row[metric]
        for name, row in report.sanity.items()
        if name != UNDAMAGED and math.isfinite(row.get(metric, math.nan))
    }
    scale = scale_of([*values.values(), base])
    if scale is None:
        return ""
    rows = []
    for name, value in values.items():
        word = "not seen" if missed.get(name) else ""
        said = f"{name}: {metric} {figure(value)}, undamaged {figure(base)} {word}".rstrip()
        strip = damage_strip(value, base, scale, missed.get(name, False), said)
        rows.append(f"<div>{escape(name)}</div>{strip}<div>{figure(value)} {small(word)}</div>")
    better = BETTER[report.scores[metric].better] if metric in report.scores else ""
    line = f"{metric}, {better}; the line is undamaged clips at {figure(base)}"
    return (
        f'<figure><figcaption>{escape(line)}</figcaption><div class="damages">{"".join(rows)}</div></figure>'
    )


def _blind(report: Report, metric: str) -> str:
    names = [name for name, missed in unseen(report, metric).items() if missed]
    return f"{metric} does not see: {', '.join(names)}" if names else ""


def clips(gallery: Gallery) -> str:
    """Return the players: worst beside best for each ranking, then some real clips."""
    if not gallery.rankings and not gallery.real:
        return ""
    controls = '<p class="controls" hidden><button>Pause</button> <button>Slow</button></p>'
    return section(
        "clips",
        "Worst and best clips",
        controls,
        "".join(_ranking(ranking) for ranking in gallery.rankings),
        f"<h3>Real clips, to compare</h3>{_players(gallery.real, 'real')}" if gallery.real else "",
        paragraph(gallery.note, "note") if gallery.note else "",
    )


def _ranking(ranking: Ranking) -> str:
    said = f" ({ranking.figure})" if ranking.figure else ""
    sides = f"<div><h4>Worst</h4>{_players(ranking.worst, 'worst')}</div>"
    if ranking.best:
        sides += f"<div><h4>Best</h4>{_players(ranking.best, 'best')}</div>"
    return f'<h3>By {escape(ranking.metric + said)}</h3><div class="sides">{sides}</div>'


def _players(shown: tuple[Shown, ...], kind: str) -> str:
    return f'<div class="clips">{"".join(_player(clip, kind) for clip in shown)}</div>'


def _player(clip: Shown, kind: str) -> str:
    below = f"{escape(clip.name)}" + (f"<br><b>{escape(clip.said)}</b>" if clip.said else "")
    if not clip.data:
        return f'<figure class="lost"><p>{escape(clip.why)}</p><figcaption>{below}</figcaption></figure>'
    said = f"{kind} clip {clip.name}" + (f", {clip.said}" if clip.said else "")
    return (
        f'<figure><video src="{clip.data}" poster="{clip.poster}" width="{clip.width}" height="{clip.height}" '
        f'autoplay loop muted playsinline controls aria-label="{escape(said)}"></video>'
        f"<figcaption>{below}</figcaption></figure>"
    )


def protocol(report: Report) -> str:
    """Return every setting the scores were made under."""
    rows = [[escape(key), escape(value)] for key, value in flat(report.protocol)]
    for key, score in report.scores.items():
        if score.network_sha256 and not report.protocol.get("networks"):
            rows.append([escape(f"network of {key}"), escape(network(score, 64))])
    body = "".join(f'<tr><th scope="row">{key}</th><td>{value}</td></tr>' for key, value in rows)
    inner = (
        f'<table class="protocol"><caption>How the scores were made</caption><tbody>{body}</tbody></table>'
    )
    return section("protocol", "Protocol", inner if rows else "")


def skipped(report: Report) -> str:
    """Return what was left out, and why."""
    rows = [[escape(name), escape(which), escape(why)] for which, name, why in report.skipped]
    if not rows:
        return ""
    return section(
        "skipped", f"Skipped: {len(rows)}", table("Left out", ["clip", "set", "reason"], rows, stacks=True)
    )


def how_to_read() -> str:
    """Return the meaning of the columns."""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in _HOW_TO_READ)
    return section("reading", "How to read this", f"<dl>{items}</dl>")
