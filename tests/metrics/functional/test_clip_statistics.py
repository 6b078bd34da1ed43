"""Plain statistics of clips: each of a few told by hand, and flaws told apart."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import InputError
from moviola.data.corrupt import CORRUPTIONS, FAULTS
from moviola.metrics.functional.clip_statistics import clip_statistics


def clip(seed, frames=8, side=32):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    a, b, c, p = rng.uniform([0.2, 0.2, 0.2, 0], [0.5, 0.5, 0.5, 6])
    made = [
        np.stack([np.sin(a * x + 0.4 * t + p), np.sin(b * y - 0.3 * t), np.sin(c * (x + y) + 0.2 * t)], -1)
        for t in range(frames)
    ]
    return np.rint(128 + 70 * np.stack(made)).astype(np.uint8)


def test_values_by_hand():
    """A flat clip has no detail, no change and one level; its colour is its mean."""
    flat = np.zeros((4, 16, 16, 3), np.uint8) + np.array([32, 64, 96], np.uint8)
    values = clip_statistics(flat)
    assert values[:3].tolist() == [1, 2, 3]
    assert values[3] == pytest.approx(0, abs=1e-3)  # log (1 + 0)
    assert values[4] == pytest.approx(np.log(65))
    assert values[5:14] == pytest.approx(np.log(0.1), abs=1e-3)
    assert np.isfinite(values).all()


def test_chequers_are_diagonal():
    """A chequered pattern of one pixel has all its energy in the diagonal detail of the finest scale."""
    y, x = np.mgrid[:16, :16]
    board = np.where((x + y) % 2, 138, 118).astype(np.uint8)
    values = clip_statistics(np.broadcast_to(board[None, ..., None], (4, 16, 16, 3)))
    assert values[6] == pytest.approx(np.log(0.1 + 40**2), abs=1e-3)
    assert np.delete(values[5:14], 1) == pytest.approx(np.log(0.1), abs=1e-2)


def test_one_length_for_all_sizes():
    """The number of values does not depend on the clip."""
    assert {clip_statistics(clip(0, t, side)).shape for t, side in ((4, 16), (9, 31), (16, 48))} == {(33,)}


def test_tells_faults_apart():
    """The nearest mean shift of each fault, seen on other clips, is that fault's own."""

    def shifts(seeds):
        plain = np.mean([clip_statistics(clip(s)) for s in seeds], axis=0)
        rows = {}
        for name in FAULTS:
            corrupted = [CORRUPTIONS[name].apply(clip(s), 0.8, np.random.default_rng(s))[0] for s in seeds]
            row = np.mean([clip_statistics(c) for c in corrupted], axis=0) - plain
            rows[name] = row / np.linalg.norm(row)
        return rows

    first, second = shifts(range(8)), shifts(range(8, 16))
    right = [name == max(second, key=lambda other: first[name] @ second[other]) for name in first]
    assert np.mean(right) > 0.9


@pytest.mark.parametrize("shape", [(3, 16, 16, 3), (4, 15, 16, 3)])
def test_too_small(shape):
    """One line that says what is needed."""
    with pytest.raises(InputError, match="need 4 frames of 16x16 px or more"):
        clip_statistics(np.zeros(shape, np.uint8))
