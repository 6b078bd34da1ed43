"""The set distances against figures of somebody else's code; see tests/reference/set_distances.md."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from moviola.metrics.functional.frechet import frechet_from_features
from moviola.metrics.functional.inception import inception_score
from moviola.metrics.functional.kernel import kernel_distance_exact

FILE = Path(__file__).resolve().parents[2] / "reference" / "set_distances.json"
CASES = json.loads(FILE.read_text(encoding="utf-8"))["cases"]


def features(rows, d, seed):
    """The formula of make_set_distances.py."""
    i, j = np.ogrid[:rows, :d]
    mixed = ((i + 1) * 7919 + (j + 1) * 104729 + seed * 15485863) % 1000003
    drawn = (mixed * mixed) % 10007 / 10007 - 0.5
    return (drawn + 0.01 * seed) / (1 + j / 8)


@pytest.mark.parametrize("name", CASES)
def test_agrees(name):
    """Fréchet, kernel and inception figures of torch-fidelity."""
    case = CASES[name]
    x, y = features(case["n"], case["d"], 1), features(case["m"], case["d"], 2)
    exact = name == "plenty"
    assert frechet_from_features(x, y) == pytest.approx(case["frechet"], rel=1e-9 if exact else 1e-5)
    size = min(case["n"], case["m"])
    expected = case["kernel_of_equal_numbers"]
    assert kernel_distance_exact(x[:size], y[:size]) == pytest.approx(expected, rel=1e-8)
    odds = np.exp(8 * x)
    for splits, score in case["inception_of_softmax_8x"].items():
        got = inception_score(odds / odds.sum(axis=1, keepdims=True), int(splits))
        assert got == pytest.approx(score, rel=1e-9)
