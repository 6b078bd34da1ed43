"""Values of metrics by method: what `moviola evaluate --json` printed for each, matched with a study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moviola.core.errors import InputError, check_name
from moviola.pipelines.evaluate.report.baseline import read_baseline
from moviola.pipelines.study.records import Study


@dataclass(frozen=True)
class MetricValues:
    """One metric of every method.

    Attributes:
        metric: its key.
        better: "lower" or "higher".
        values: a method each, in the order of the study; None where there is none.
    """

    metric: str
    better: str
    values: tuple[float | None, ...]


def read_metrics(study: Study, words: Sequence[str]) -> list[MetricValues]:
    """Return the metrics that have a direction and a value of two methods or more.

    Args:
        study: the key.
        words: FILE (matched by the path that was judged) or METHOD=FILE each; files as `moviola evaluate --json`
            prints or `--report` writes.

    Raises:
        InputError: a file that is none, or of no method; two of one method; or no metric of two methods.
    """
    reports: dict[int, tuple[str, dict[str, Any]]] = {}
    for word in words:
        number, file, report = _report(study, word)
        if number in reports:
            raise InputError(f"{reports[number][0]} and {file} both judge {study.methods[number].name}")
        reports[number] = (file, report["scores"])
    keys = dict.fromkeys(key for _, scores in reports.values() for key in scores)
    found = [values for key in keys if (values := _values(study, reports, key)) is not None]
    if words and not found:
        raise InputError("--scores hold no metric with a direction for two methods or more")
    return found


def _report(study: Study, word: str) -> tuple[int, str, dict[str, Any]]:
    """Return which method a report judges, its file, and what it holds."""
    names = [method.name for method in study.methods]
    name, sign, file = word.partition("=")
    if sign and not Path(word).exists():
        check_name("method", name, names)
        return names.index(name), file, read_baseline(file)
    report = read_baseline(word)
    fake = report.get("protocol", {}).get("fake", {})
    path = fake.get("path", "") if isinstance(fake, dict) else ""
    number = _judged(study, str(path))
    if number is None:
        judged = path or "no named path"
        raise InputError(f"{word} judges {judged}, which is no method of the study; write METHOD={word}")
    return number, word, report


def _judged(study: Study, path: str) -> int | None:
    """Return the method whose clips lie at a path, else the one method of its last part."""
    if not path:
        return None
    whole = [Path(method.path).resolve() for method in study.methods]
    if Path(path).resolve() in whole:
        return whole.index(Path(path).resolve())
    last = [number for number, place in enumerate(whole) if place.name == Path(path).name]
    return last[0] if len(last) == 1 else None


def _values(study: Study, reports: dict[int, tuple[str, dict[str, Any]]], key: str) -> MetricValues | None:
    found: list[float | None] = []
    better = "neither"
    for number in range(len(study.methods)):
        score = reports[number][1].get(key) if number in reports else None
        value = score["value"] if score is not None else None
        found.append(float(value) if value is not None and math.isfinite(value) else None)
        better = score.get("better", better) if score is not None else better
    if better not in ("lower", "higher") or sum(value is not None for value in found) < 2:
        return None
    return MetricValues(key, better, tuple(found))
