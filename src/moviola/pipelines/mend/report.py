"""The page of a mended clip: before and after side by side, playing, and the curves of flicker, drift and seams.

One file that loads nothing; its looks are those of the page of an evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from moviola.core.atomic import staged
from moviola.core.names import json_text, written
from moviola.core.video import Video
from moviola.data.pictures import png_bytes
from moviola.pipelines.evaluate.report.clips import MAX_FRAMES, MAX_SIDE, MIN_SIDE
from moviola.pipelines.evaluate.report.write import PAGE_FILE, REPORT_FILE, check_folder
from moviola.pipelines.mend import tone
from moviola.pipelines.mend.drift import drift_of
from moviola.pipelines.mend.find import Faults, step_sizes
from moviola.pipelines.mend.footage import Footage
from moviola.pipelines.mend.look import Look
from moviola.pipelines.pages.media import data_uri, encode, fit
from moviola.pipelines.pages.render import render

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
    curves = {
        ("flicker", "Light from frame to frame", "levels"): light,
        ("seams", "Steps of colour", "levels"): _steps,
        ("drift", "Slow change of the mean", "levels"): partial(_drift, which=0),
        ("contrast", "Slow change of the contrast", "%"): partial(_drift, which=1),
    }
    return render(
        "mend.html",
        heading=f"{Path(before.name).name}, mended",
        found=faults.lines(),
        notes=list(faults.notes),
        both=_player(clips, start),
        slices=_slices(clips),
        plots=[
            (anchor, title, _plot([curve(look) for look in looks], faults.seams, unit))
            for (anchor, title, unit), curve in curves.items()
        ],
    )


def _start(count: int, faults: Faults) -> int:
    """Return the first frame that is shown: a few before the first seam or repeat, else the first of all."""
    first = min([*faults.seams[:1], *(r[0] for r in faults.repeats[:1])], default=0)
    return max(0, min(first - MAX_FRAMES // 3, count - MAX_FRAMES))


def _player(clips: Sequence[Video], start: int) -> dict[str, Any]:
    both = Video.side_by_side(list(clips), gap=0)  # a gap would be white on a dark page, too
    words = f"left before, right after; frames {start} to {start + len(both) - 1}"
    data = data_uri("video/mp4", encode(both))
    return {"data": data, "width": 2 * both.width, "height": 2 * both.height, "words": words}


def _slices(clips: Sequence[Video]) -> list[dict[str, Any]]:
    """Return two pictures, before and after: the middle row of every frame, one below the other."""
    pictures = []
    for clip, words in zip(clips, ("before", "after"), strict=True):
        rows = clip.frames[:, clip.height // 2]
        data = data_uri("image/png", png_bytes(rows))
        pictures.append({"data": data, "width": rows.shape[1], "height": len(rows), "words": words})
    return pictures


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


def _plot(curves: Sequence[Curve], marks: Sequence[int], unit: str) -> dict[str, Any]:
    """Return what a drawing shows: the curve before and the one after on one scale, seams, numbers at the axes."""
    low = min(float(values.min(initial=0)) for _, values in curves)
    high = max(float(values.max(initial=0)) for _, values in curves)
    low, high = (low, high) if high - low > 1e-3 else (low - 1, high + 1)
    last = max(int(frames[-1]) for frames, _ in curves) or 1
    bottom = _HEIGHT - _FOOT

    def across(frame: Any) -> Any:
        return _LEFT + (_WIDTH - _LEFT) * np.asarray(frame) / last

    def down(value: Any) -> Any:
        return 6 + (bottom - 6) * (high - np.asarray(value)) / (high - low)

    lines = []
    for (frames, values), kind in zip(curves, ("was", "is"), strict=True):
        chosen = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), _POINTS)).astype(int))
        points = zip(across(frames[chosen]), down(values[chosen]), strict=True)
        lines.append((kind, " ".join(f"{x:.1f},{y:.1f}" for x, y in points)))
    foot = float(down(low))
    return {
        "width": _WIDTH, "height": _HEIGHT, "left": _LEFT, "bottom": bottom, "foot": f"{foot:.1f}", "unit": unit,
        "beside": [
            *((float(down(value)) + 4, f"{value:.1f}") for value in (low, high)), ((6 + foot) / 2 + 4, unit),
        ],
        "below": [(float(across(0)), "frame 0", "start"), (float(across(last)), f"frame {last}", "end")],
        "seams": [float(across(mark)) for mark in marks],
        "curves": lines,
    }  # fmt: skip
