"""Make docs/leaderboard.md from the measured runs in docs/leaderboard: python scripts/leaderboard.py (make leaderboard)

A run is what `benchmarks/regis_leaderboard.py` wrote. Nothing on the page is written by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from moviola.core.atomic import write_atomic

DOCS = Path(__file__).resolve().parents[1] / "docs"
RUNS, PAGE = DOCS / "leaderboard", DOCS / "leaderboard.md"
INTRO = """# What refining is worth

Made by `make leaderboard` from the runs in `docs/leaderboard`; not written by hand. FVD of refined clips of every
embedded generator against real clips that are not their counterparts, with 95 % intervals over resampled clips; *lower
by* is against the clips as generated, with the interval of the difference (the same resampled clips on both sides): a
gain is certain where its interval is above 0. I is how often a clip is refined. FVD of so few clips is biased upwards:
compare it within a table only. Motion is mean optical flow, px a frame; warp error and flicker as in
[evaluate](evaluate.md).

```bash
python benchmarks/regis_leaderboard.py runs/leaderboard --sprites PARTS --actions STRIPS --smileys FACES
make leaderboard
```
"""


def figure(value: float | None, digits: int = 1) -> str:
    """Return a figure for the table, "" for none."""
    return "" if value is None else f"{value:.{digits}f}"


def row(name: str, values: dict[str, float]) -> str:
    """Return one row: FVD, interval, gain, and what must not be lost."""
    gain = ""
    if name != "generated" and "gain %" in values:
        low, high = values["gain low %"], values["gain high %"]
        gain = f"{values['gain %']:.1f} % ({low:.1f} to {high:.1f})"
        gain = f"**{gain}**" if low > 0 else gain
    interval = f"{figure(values.get('low'), 0)} to {figure(values.get('high'), 0)}" if "low" in values else ""
    cells = [
        "as generated" if name == "generated" else name,
        figure(values.get("value")), interval, gain, figure(values.get("motion"), 2),
        figure(values.get("warp error"), 4), figure(values.get("flicker"), 2), figure(values.get("sharpness"), 0),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def section(run: dict[str, Any]) -> str:
    """Return the part of one generator."""
    columns = ("clips", "FVD", "interval", "lower by", "motion", "warp error", "flicker", "sharpness")
    head = f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"
    rows = [row("real", run["real"]), *(row(name, values) for name, values in run["rows"].items())]
    text = (
        f"## {run['generator']}\n\n{run['clips']} + {run['clips']} clips of 16 frames; real: {run['real clips']}. "
        f"{run['date']}, {run['hardware']}.\n\n{head}\n" + "\n".join(rows) + "\n"
    )
    return text + (classes(run["classes"]) if run["classes"] else "")


def classes(found: dict[str, dict[str, float]]) -> str:
    """Return FVD by class."""
    names = list(next(iter(found.values())))
    columns = ("class", *("as generated" if name == "generated" else name for name in names))
    head = f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"
    rows = [
        f"| {label} | {' | '.join(figure(values[n]) for n in names)} |" for label, values in found.items()
    ]
    return f"\n{head}\n" + "\n".join(rows) + "\n"


def page() -> str:
    """Return the page."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RUNS.glob("*.json"))]
    return "\n".join([INTRO, *map(section, runs)])


if __name__ == "__main__":
    write_atomic(PAGE, page().encode())
