"""The few pieces of HTML that the page repeats."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Cell = str  # HTML: whoever makes one has escaped what came from outside


def section(anchor: str, heading: str, *parts: str) -> str:
    """Return a section with a heading and an anchor; "" where all `parts` (HTML) are empty."""
    body = "".join(parts)
    if not body:
        return ""
    title = f'<h2 id="{anchor}-h">{escape(heading)}</h2>'
    return f'<section id="{anchor}" aria-labelledby="{anchor}-h">{title}{body}</section>'


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[Cell]], stacks: bool = False) -> str:
    """Return a table whose first column names the rows.

    Args:
        caption: plain text.
        head: plain text, a column each.
        rows: HTML cells.
        stacks: on a narrow screen show every row as a card; otherwise the table scrolls in its frame.
    """
    columns = "".join(f'<th scope="col" role="columnheader">{escape(name)}</th>' for name in head)
    body = "".join(_row(head, row) for row in rows)
    kind = ' class="stacks"' if stacks else ""
    inner = (
        f'<table{kind} role="table"><caption>{escape(caption)}</caption>'
        f'<thead role="rowgroup"><tr role="row">{columns}</tr></thead>'
        f'<tbody role="rowgroup">{body}</tbody></table>'
    )
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">{inner}</div>'


def _row(head: Sequence[str], row: Sequence[Cell]) -> str:
    first, *rest = row
    cells = "".join(
        f'<td role="cell" data-label="{escape(name)}"{"" if cell else " class=none"}><div>{cell or "–"}</div></td>'
        for name, cell in zip(head[1:], rest, strict=True)
    )
    return f'<tr role="row"><th scope="row" role="rowheader">{first}</th>{cells}</tr>'


def listing(lines: Sequence[str], kind: str = "") -> str:
    """Return plain-text `lines` as a list of the CSS class `kind`; "" for none."""
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="{kind}">{items}</ul>' if kind else f"<ul>{items}</ul>"


def paragraph(text: str, kind: str = "") -> str:
    """Return plain `text` as a paragraph of the CSS class `kind`."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def small(text: str) -> str:
    """Return plain `text` in small type, "" for none."""
    return f"<small>{escape(text)}</small>" if text else ""


def badge(text: str, kind: str) -> str:
    """Return a short mark of the CSS class `kind` with `text` in it."""
    return f'<span class="badge {kind}">{escape(text)}</span>'
