"""The page of a mended clip: before and after side by side, playing, and the curves of flicker, drift and seams.

One file that loads nothing; its looks are those of the page of an evaluation.
"""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from moviola.core.atomic import staged
from moviola.core.names import json_text, written
from moviola.core.video import Video
from moviola.pipelines.evaluate_report.clips import MAX_FRAMES, MAX_SIDE, MIN_SIDE
from moviola.pipelines.evaluate_report.markup import listing, paragraph, section
from moviola.pipelines.evaluate_report.write import PAGE_FILE, REPORT_FILE, check_folder
from moviola.pipelines.mend import tone
from moviola.pipelines.mend.drift import drift_of
from moviola.pipelines.mend.find import Faults, step_sizes
from moviola.pipelines.mend.footage import Footage
from moviola.pipelines.mend.look import Look
from moviola.pipelines.pages.media import fit
from moviola.pipelines.pages.render import asset

_WIDTH, _HEIGHT, _LEFT, _FOOT = 900, 180, 56, 24  # px of a plot, and the room for its numbers
_POINTS = 1200  # of a curve, at most

Curve = tuple[np.ndarray, np.ndarray]
"""Frame numbers and values."""


def write_report(
    folder: str | Path, before: Footage, after: Footage, looks: tuple[Look, Look], faults: Faults
) -> Path:
    """Write the page, `folder`/index.html, and its numbers beside it, `folder`/report.json.

    Args:
        folder: a new or empty folder, or one that holds an earlier page, which is replaced.
        before, after: the clips. looks: the first pass over each.
        faults: what was found in the first.

    Returns:
        The path of the page.

    Raises:
        OutputError: it cannot be written there; what stood there before still stands.
    """
    folder = check_folder(folder)
    page = build_page(before, after, looks, faults)
    with staged(folder, folder=True) as beside:
        (beside / PAGE_FILE).write_bytes(written(page))
        (beside / REPORT_FILE).write_text(json_text(faults.to_dict(), indent=1) + "\n", encoding="utf-8")
    return folder / PAGE_FILE


def build_page(before: Footage, after: Footage, looks: tuple[Look, Look], faults: Faults) -> str:
    """Return the page as HTML; arguments as `write_report`."""
    start = _start(before.count, faults)
    spans = (Video(f.span(start, start + MAX_FRAMES), f.clock.fps) for f in (before, after))
    clips = [fit(video, MIN_SIDE, MAX_SIDE) for video in spans]
    marks = faults.seams
    body = "".join(
        (
            section("found", "Found", listing(faults.lines()), listing(list(faults.notes))),
            section("clips", "Before and after", _player(clips, start)),
            section("slices", "A row of pixels through time", *_slices(clips)),
            section(
                "flicker",
                "Light from frame to frame",
                *_plots([light(look) for look in looks], marks, "levels"),
            ),
            section("seams", "Steps of colour", *_plots([_steps(look) for look in looks], marks, "levels")),
            section(
                "drift",
                "Slow change of the mean",
                *_plots([_drift(look, 0) for look in looks], marks, "levels"),
            ),
            section(
                "contrast",
                "Slow change of the contrast",
                *_plots([_drift(look, 1) for look in looks], marks, "%"),
            ),
        )
    )
    from moviola import __version__

    heading = f"{Path(before.name).name}, mended"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(heading)}</title><style>{asset('base.css')}{_asset('page.css')}{_CSS}</style></head>\n<body>"
        f"<header><h1>{escape(heading)}</h1></header>\n<main>{body}</main>\n"
        f"<footer>Made by moviola {escape(__version__)}. This page is one file: it loads nothing.</footer>"
        f"<script>{_asset('page.js')}</script></body></html>\n"
    )


_CSS = (
    ".plot{width:100%;height:auto;overflow:visible}.was{stroke:var(--floor)}.is{stroke:var(--mark)}"
    ".was,.is{fill:none;stroke-width:1.5}.seam{stroke:var(--soft);stroke-dasharray:2 3}"
    "video{max-width:100%;height:auto}.slices{display:flex;gap:8px}"
    ".slice{flex:1;min-width:0;width:50%;height:auto;image-rendering:pixelated}"
)


def _asset(name: str) -> str:
    return files("moviola.pipelines.evaluate_report").joinpath(name).read_text(encoding="utf-8")


def _start(count: int, faults: Faults) -> int:
    """Return the first frame that is shown: a few before the first seam or repeat, else the first of all."""
    first = min([*faults.seams[:1], *(r[0] for r in faults.repeats[:1])], default=0)
    return max(0, min(first - MAX_FRAMES // 3, count - MAX_FRAMES))


def _player(clips: Sequence[Video], start: int) -> str:
    both = Video.side_by_side(list(clips), gap=0)  # a gap would be white on a dark page, too
    with tempfile.TemporaryDirectory() as folder:
        data = both.save(Path(folder) / "both.mp4", crf=23, pix_fmt="yuv420p", audio=False).read_bytes()
    uri = f"data:video/mp4;base64,{base64.b64encode(data).decode()}"
    said = f"left before, right after; frames {start} to {start + len(both) - 1}"
    return (
        '<p class="controls" hidden><button type="button">Pause</button> <button type="button">Slow</button></p>'
        f'<figure><video src="{uri}" width="{2 * both.width}" height="{2 * both.height}" autoplay loop muted '
        f'playsinline controls aria-label="{said}"></video><figcaption>{said}</figcaption></figure>'
    )


def _slices(clips: Sequence[Video]) -> list[str]:
    """Return two pictures, before and after: the middle row of every frame, one below the other."""
    from PIL import Image

    pictures = []
    for clip, said in zip(clips, ("before", "after"), strict=True):
        rows, buffer = clip.frames[:, clip.height // 2], io.BytesIO()
        Image.fromarray(rows).save(buffer, "PNG")
        uri = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        size = f'width="{rows.shape[1]}" height="{len(rows)}"'
        pictures.append(f'<img class="slice" src="{uri}" {size} alt="{said}">')
    return [
        f'<div class="slices">{"".join(pictures)}</div>',
        paragraph("Time runs downwards; left before, right after. Flicker is stripes across.", "note"),
    ]


def light(look: Look) -> Curve:
    """Return the light of a clip along motion, levels since the first frame."""
    mass = look.mass.astype(np.float32)
    steps = tone.mean_shift(look.transfers, mass).mean(-1)
    steps[look.cuts] = 0
    return np.arange(len(look)), np.cumsum(steps)


def _steps(look: Look) -> Curve:
    size = step_sizes(look)
    size[look.cuts] = 0
    return np.arange(len(look)), size


def _drift(look: Look, which: int) -> Curve:
    drift = drift_of(look.samples, None)
    values = drift.mean.mean(-1) if which == 0 else 100 * (drift.gain.mean(-1) - 1)
    return drift.frames, values


def _plots(curves: Sequence[Curve], marks: Sequence[int], unit: str) -> list[str]:
    """Return a drawing of the curve before and the one after on one scale; seams are marked."""
    low = min(float(values.min(initial=0)) for _, values in curves)
    high = max(float(values.max(initial=0)) for _, values in curves)
    low, high = (low, high) if high - low > 1e-3 else (low - 1, high + 1)
    last = max(int(frames[-1]) for frames, _ in curves) or 1

    def place(frame: Any, value: Any) -> tuple[Any, Any]:
        across = _LEFT + (_WIDTH - _LEFT) * np.asarray(frame) / last
        return across, 6 + (_HEIGHT - _FOOT - 6) * (high - np.asarray(value)) / (high - low)

    parts = [_axis(place, low, high, last, unit)]
    for mark in marks:
        x, _ = place(mark, low)
        parts.append(f'<line class="seam" x1="{x:.1f}" x2="{x:.1f}" y1="6" y2="{_HEIGHT - _FOOT}"/>')
    for (frames, values), kind in zip(curves, ("was", "is"), strict=True):
        chosen = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), _POINTS)).astype(int))
        x, y = place(frames[chosen], values[chosen])
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        parts.append(f'<polyline class="{kind}" points="{points}"/>')
    said = f"before and after, {unit}"
    svg = f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{said}">{"".join(parts)}</svg>'
    return [svg, paragraph("red before, blue after" + ("; dotted seams" if marks else ""), "note")]


def _axis(place: Any, low: float, high: float, last: int, unit: str) -> str:
    left, foot = place(0, low)
    lines = [f'<line class="axis" x1="{left}" x2="{_WIDTH}" y1="{foot:.1f}" y2="{foot:.1f}"/>']
    for value in (low, high):
        _, y = place(0, value)
        lines.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.1f}</text>')
    lines.append(f'<text x="{_LEFT - 6}" y="{(6 + foot) / 2 + 4:.1f}" text-anchor="end">{unit}</text>')
    for frame, anchor in ((0, "start"), (last, "end")):
        x, _ = place(frame, low)
        lines.append(f'<text x="{x:.1f}" y="{_HEIGHT - 6}" text-anchor="{anchor}">frame {frame}</text>')
    return "".join(lines)
