"""The whole document, by the template `evaluate.html`. It names no other file and no network."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from moviola.metrics.results import Report
from moviola.pipelines.evaluate.report.baseline import Change, Comparison
from moviola.pipelines.evaluate.report.clips import Gallery
from moviola.pipelines.evaluate.report.strips import DamageStrip, damage_strip, scale_of, score_strip
from moviola.pipelines.evaluate.report.text import (
    BETTER,
    LEGEND,
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
from moviola.pipelines.pages.render import render


def build_page(
    report: Report, heading: str, gallery: Gallery | None = None, change: Comparison | None = None
) -> str:
    """Return the page of `report` as HTML.

    Args:
        report: what `moviola.evaluate` returned.
        heading: what was judged, plain text.
        gallery: clips to show.
        change: against an earlier evaluation.
    """
    gallery = gallery or Gallery()
    settings = _settings(report)
    damaged = _metrics(report.sanity)
    blind = {key: [name for name, missed in unseen(report, key).items() if missed] for key in damaged}
    words = dict(
        better=BETTER, change_texts=change_texts, count=count, figure=figure, floor=floor, interval=interval,
        level=level(report), title=title,
    )  # fmt: skip
    return render(
        "evaluate.html",
        report=report,
        heading=heading,
        gallery=gallery,
        change=change,
        settings=settings,
        protocol=report.protocol.get("name", ""),
        notes=notes(report),
        links=_links(report, gallery, change, settings),
        strips=[(score, score_strip(score)) for score in report.scores.values()],
        legend=_legend(report),
        class_changes=[] if change is None else list(_class_changes(change)),
        class_ends={
            key: extremes(report.classes, key, _better(report, key)) for key in _metrics(report.classes)
        },
        all_clips=["all clips", *(_whole(report, key) for key in _metrics(report.classes))],
        blind=[f"{key} does not see: {', '.join(names)}" for key, names in blind.items() if names],
        panels=[panel for key in damaged if (panel := _panel(report, key))],
        sanity_head=["damage", *damaged],
        sanity_rows=[
            [name, *(figure(row.get(key)) for key in damaged)] for name, row in report.sanity.items()
        ],
        **words,
    )


def change_texts(change: Change) -> list[str]:
    """Return a change as words: before, now, gain, percent."""
    gain = signed(change.gain) if change.gain is not None else ""
    percent = f"{round(change.percent, 1) + 0.0:+.1f} %" if change.percent else "0 %"
    return [figure(change.before), figure(change.after), gain, percent]


def _links(
    report: Report, gallery: Gallery, change: Comparison | None, settings: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return anchor and name of the sections that the page has."""
    links = {
        ("scores", "Scores"): True,
        ("change", "Gain and loss"): change is not None,
        ("clips", "Clips"): bool(gallery.rankings or gallery.real),
        ("classes", "By class"): bool(report.classes),
        ("sanity", "What the metrics see"): bool(report.sanity),
        ("protocol", "Protocol"): bool(settings),
        ("skipped", "Skipped"): bool(report.skipped),
        ("reading", "How to read this"): True,
    }
    return [link for link, is_there in links.items() if is_there]


def _legend(report: Report) -> list[tuple[str, str]]:
    """Return kind and meaning of the marks that the strips show."""
    scores = report.scores.values()
    used = {kind for kind in LEGEND if any(getattr(score, kind) is not None for score in scores)}
    return [(kind, text) for kind, text in LEGEND.items() if kind in used | {"value"}]


def _metrics(rows: dict[str, dict[str, float]]) -> list[str]:
    return list(dict.fromkeys(key for row in rows.values() for key in row))


def _better(report: Report, metric: str) -> str:
    return report.scores[metric].better if metric in report.scores else "neither"


def _whole(report: Report, metric: str) -> str:
    return figure(report.scores[metric].value) if metric in report.scores else ""


def _class_changes(change: Comparison) -> Iterator[tuple[str, list[tuple[str, Change]]]]:
    """Yield metric key and, for each class that has it, label and change."""
    for metric in _metrics(change.classes):  # type: ignore[arg-type]
        yield metric, [(label, row[metric]) for label, row in change.classes.items() if metric in row]


def _panel(report: Report, metric: str) -> dict[str, Any] | None:
    """Return what one metric makes of the damages: a caption, and rows of name, value and strip."""
    base, missed = undamaged(report, metric), unseen(report, metric)
    values = {
        name: row[metric]
        for name, row in report.sanity.items()
        if name != UNDAMAGED and math.isfinite(row.get(metric, math.nan))
    }
    scale = scale_of([*values.values(), base])
    if scale is None:
        return None
    rows: list[tuple[str, float, DamageStrip]] = []
    for name, value in values.items():
        is_missed = missed.get(name, False)
        words = f"{name}: {metric} {figure(value)}, undamaged {figure(base)}" + " not seen" * is_missed
        rows.append((name, value, damage_strip(value, base, scale, is_missed, words)))
    better = BETTER[report.scores[metric].better] if metric in report.scores else ""
    return {
        "caption": f"{metric}, {better}; the line is undamaged clips at {figure(base)}",
        "rows": rows,
    }


def _settings(report: Report) -> list[tuple[str, str]]:
    """Return every setting the scores were made under."""
    rows = list(flat(report.protocol))
    if not report.protocol.get("networks"):
        rows += [
            (f"network of {key}", network(score, 64))
            for key, score in report.scores.items()
            if score.network_sha256
        ]
    return rows
