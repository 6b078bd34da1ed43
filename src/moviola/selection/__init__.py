"""Which frames matter: measures of change, shots, and the choice of key frames. See docs/keyframes.md."""

from __future__ import annotations

from moviola.selection.change import MEASURES, ChangeMeasure, change_measure
from moviola.selection.select import algorithm_1, explicit, uniform, with_budget
from moviola.selection.shots import CutFinder, cuts, shots

__all__ = [
    "MEASURES",
    "ChangeMeasure",
    "CutFinder",
    "algorithm_1",
    "change_measure",
    "cuts",
    "explicit",
    "shots",
    "uniform",
    "with_budget",
]
