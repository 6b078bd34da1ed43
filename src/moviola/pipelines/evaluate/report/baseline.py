"""An earlier evaluation to compare with: what was gained and lost, by metric and by class.

The authors of REGIS report FVD by class before and after refining, and name the classes that gain most; so does this.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moviola.core.errors import InputError
from moviola.metrics.base import OLD_KEYS
from moviola.metrics.results import Report
from moviola.pipelines.evaluate.report.text import flat

REPORT_FILE = "report.json"


@dataclass(frozen=True)
class Change:
    """How one figure moved.

    Attributes:
        before: in the earlier evaluation. after: in this one.
        gain: how much better, more than 0; worse, less than 0; None for a metric without direction.
    """

    before: float
    after: float
    gain: float | None

    @property
    def percent(self) -> float | None:
        """The change in percent of the earlier figure, with the sign of `gain` where there is a direction."""
        moved = self.after - self.before if self.gain is None else self.gain
        return None if self.before == 0 else 100 * moved / abs(self.before)


@dataclass(frozen=True)
class Comparison:
    """This evaluation against an earlier one.

    Attributes:
        name: where the earlier one was read.
        scores: metric key to its change.
        classes: class label to metric key to its change.
        differs: protocol settings that are not the same, "key: before, now"; the figures compare only where none is.
    """

    name: str
    scores: dict[str, Change]
    classes: dict[str, dict[str, Change]]
    differs: tuple[str, ...] = field(default=())

    def largest(self, metric: str) -> tuple[str, str]:
        """Return the classes with the largest gain and the largest loss on `metric`, "" where none gained (lost)."""
        moves = {
            label: row[metric].gain
            for label, row in self.classes.items()
            if metric in row and row[metric].gain is not None
        }
        gains = {label: gain for label, gain in moves.items() if gain is not None}
        up = max(gains, key=gains.__getitem__, default="")
        down = min(gains, key=gains.__getitem__, default="")
        return (up if up and gains[up] > 0 else "", down if down and gains[down] < 0 else "")


def read_baseline(path: str | Path) -> dict[str, Any]:
    """Read what `moviola evaluate --json` printed or `--report` wrote (the folder, or its report.json).

    Raises:
        InputError: nothing is there, or it is no such file.
    """
    path = Path(path)
    file = path / REPORT_FILE if path.is_dir() else path
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        _numbers({key: score["value"] for key, score in values["scores"].items()})
        for row in values.get("classes", {}).values():
            _numbers(row)
        _rename(values["scores"], *values.get("classes", {}).values())
    except FileNotFoundError:
        raise InputError(
            f"no earlier evaluation at {file}; give what --json printed or --report wrote"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{file} is not the JSON of an evaluation; give what --json printed") from None
    return values


def compare(report: Report, earlier: Mapping[str, Any], name: str) -> Comparison:
    """Return how `report` differs from an earlier evaluation.

    Args:
        report: this evaluation.
        earlier: what `read_baseline` returned.
        name: what to call the earlier one.
    """
    better = {key: score.better for key, score in report.scores.items()}
    now = {key: score.value for key, score in report.scores.items()}
    then = {key: score["value"] for key, score in earlier["scores"].items()}
    classes = {
        label: _changes(row, earlier.get("classes", {}).get(label, {}), better)
        for label, row in report.classes.items()
    }
    known = {label: row for label, row in classes.items() if row}
    return Comparison(name, _changes(now, then, better), known, _differences(report, earlier))


def _changes(
    now: Mapping[str, float], then: Mapping[str, Any], better: Mapping[str, str]
) -> dict[str, Change]:
    found = {}
    for key, after in now.items():
        before = then.get(key)
        if before is None or not math.isfinite(after):
            continue
        sign = {"lower": -1.0, "higher": 1.0}.get(better.get(key, "neither"))
        found[key] = Change(before, after, None if sign is None else sign * (after - before))
    return found


def _differences(report: Report, earlier: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the settings that must be equal and are not: all but what describes the generated clips."""
    now, then = dict(flat(report.protocol)), dict(flat(earlier.get("protocol", {})))
    keys = [key for key in now if "fake" not in key and key in then]
    said = [f"{key}: {then[key]}, now {now[key]}" for key in keys if then[key] != now[key]]
    for key, score in report.scores.items():
        before = earlier["scores"].get(key, {})
        for what in ("network_sha256", "n_real", "n_fake"):
            if before.get(what) is not None and before[what] != getattr(score, what):
                said.append(f"{what} of {key}: {before[what]}, now {getattr(score, what)}")
    return tuple(said)


def _rename(*rows: dict[str, Any]) -> None:
    """Give metrics that had another key before the one they have now."""
    for row in rows:
        for old, new in OLD_KEYS.items():
            if old in row:
                row.setdefault(new, row.pop(old))


def _numbers(values: Mapping[str, Any]) -> None:
    for value in values.values():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise TypeError("not a number")
