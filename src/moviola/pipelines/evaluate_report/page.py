"""The whole document: head, sections in reading order, script. It names no other file and no network."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from moviola.metrics.results import Report
from moviola.pipelines.evaluate_report import sections
from moviola.pipelines.evaluate_report.baseline import Comparison
from moviola.pipelines.evaluate_report.clips import Gallery
from moviola.pipelines.evaluate_report.markup import paragraph
from moviola.pipelines.pages.render import asset

_LINKS = {
    "scores": "Scores",
    "change": "Gain and loss",
    "clips": "Clips",
    "classes": "By class",
    "sanity": "What the metrics see",
    "protocol": "Protocol",
    "skipped": "Skipped",
    "reading": "How to read this",
}


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
    body = "".join(
        (
            sections.warnings(report),
            sections.scores(report),
            sections.comparison(change),
            sections.clips(gallery or Gallery()),
            sections.classes(report),
            sections.sanity(report),
            sections.protocol(report),
            sections.skipped(report),
            sections.how_to_read(),
        )
    )
    links = " ".join(f'<a href="#{k}">{name}</a>' for k, name in _LINKS.items() if f'id="{k}"' in body)
    from moviola import __version__

    name = report.protocol.get("name", "")
    lead = f"protocol {name}; " if name else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(heading)}</title><style>{asset('base.css')}{_asset('page.css')}</style></head>\n<body>"
        f"<header><h1>{escape(heading)}</h1>"
        f"{paragraph(f'{lead}{len(report.scores)} metrics in {report.seconds:.0f} s', 'lead')}"
        f'<nav aria-label="Sections">{links}</nav></header>\n<main>{body}</main>\n'
        f"<footer>Made by moviola {escape(__version__)}. This page is one file: it loads nothing.</footer>"
        f"<script>{_asset('page.js')}</script></body></html>\n"
    )


def _asset(name: str) -> str:
    return files("moviola.pipelines.evaluate_report").joinpath(name).read_text(encoding="utf-8")
