"""The inception score against the formula and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy

from moviola.core.errors import InputError
from moviola.metrics.functional import inception as module
from moviola.metrics.functional.inception import (
    inception_from_sums,
    inception_score,
    inception_scores_counted,
    inception_sums,
)


def probabilities(n=40, classes=7, seed=0, alpha=0.3):
    """Rows that sum to 1."""
    return np.random.default_rng(seed).dirichlet(np.full(classes, alpha), size=n)


def direct(p):
    """exp of the mean Kullback-Leibler divergence from the marginal, with SciPy's entropy."""
    return float(np.exp(np.mean([entropy(row, p.mean(axis=0)) for row in p])))


@pytest.mark.parametrize("block", [1 << 21, 50])
def test_against_the_formula(monkeypatch, block):
    """One split, in blocks of any size; float32 as networks give it."""
    monkeypatch.setattr(module, "BLOCK_VALUES", block)
    p = probabilities()
    assert inception_score(p) == pytest.approx(direct(p), rel=1e-10)
    assert inception_score(p.astype(np.float32)) == pytest.approx(direct(p), rel=1e-5)


def test_splits():
    """Consecutive parts, averaged."""
    p = probabilities(41)
    expected = np.mean([direct(p[a:b]) for a, b in ((0, 13), (13, 27), (27, 41))])
    assert inception_score(p, splits=3) == pytest.approx(expected, rel=1e-10)


def test_limits():
    """Sure and even over all classes: their number. Unsure, or always the same: 1. Zeros do no harm."""
    assert inception_score(np.eye(5)[[0, 1, 2, 3, 4] * 4]) == pytest.approx(5, rel=1e-12)
    assert inception_score(np.full((6, 5), 0.2)) == pytest.approx(1, rel=1e-12)
    assert inception_score(np.eye(5)[[2] * 6]) == pytest.approx(1, rel=1e-12)


def test_frames_are_rows():
    """(clips, frames, classes) counts every frame; a clip that counts twice stands for a copy."""
    p = probabilities(24).reshape(8, 3, 7)
    assert inception_score(p) == pytest.approx(direct(p.reshape(-1, 7)), rel=1e-10)
    counts = np.array([[0, 2, 1, 1, 0, 3, 1, 0], [1] * 8])
    copies = np.repeat(p, counts[0], axis=0).reshape(-1, 7)
    expected = [direct(copies), direct(p.reshape(-1, 7))]
    np.testing.assert_allclose(inception_scores_counted(p, counts), expected, rtol=1e-10)


def test_shards_add_up():
    """The sums of parts are those of the whole."""
    p = probabilities(30)
    parts = [inception_sums(part, np.ones((1, len(part)))) for part in np.array_split(p, 7)]
    marginal, negentropy = (sum(part[i] for part in parts) for i in (0, 1))
    assert inception_from_sums(marginal, negentropy, np.array([30]))[0] == pytest.approx(direct(p), rel=1e-10)


def test_bad_input():
    """Logits, values that are no numbers, more splits than clips."""
    p = probabilities(6)
    logits, bad = p.copy(), p.copy()
    logits[4] *= 3
    bad[2, 1] = np.nan
    with pytest.raises(InputError, match=r"clip 4: .* summing to 1"):
        inception_score(logits)
    with pytest.raises(InputError, match=r"clip 0: .* summing to 1"):
        inception_score(np.log(p))
    with pytest.raises(InputError, match=r"clip 2 .* not finite"):
        inception_score(bad)
    with pytest.raises(InputError, match="in 7 splits"):
        inception_score(p, splits=7)
