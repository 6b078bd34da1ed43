"""Searching patches: costs and votes against plain loops, the search against trying every place."""

from __future__ import annotations

import itertools
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from moviola.core.errors import InputError, UnknownNameError
from moviola.propagation.guides import grid
from moviola.propagation.matching import matcher
from moviola.propagation.patchmatch import CHANNELS, Problem, features, frame_around

NUMBA = pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="no Numba"))
BACKENDS = [NUMBA, "torch"]
FACTORS = np.array([0.5, 0.5, 0.5, 1.4, 1.4, 1.4, 0.7, 0])


def smooth(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture with structure at a few pixels, float32 (height, width, 3) in 0 .. 255."""
    picture = np.random.default_rng(seed).random((height + 4, width + 4, 3))
    picture = sum(picture[i : height + i, j : width + j] for i in range(5) for j in range(5))
    low, high = picture.min(), picture.max()
    return ((picture - low) / (high - low) * 255).astype(np.float32)


def problem(source: tuple[int, int] = (11, 13), target: tuple[int, int] = (9, 10), **changes) -> Problem:
    """A small problem with all there is: paint, colours, edges, and positions that pull by different forces."""
    rng = np.random.default_rng(3)
    (h, w), (height, width) = source, target
    style, patch = smooth(h, w, 1), changes.pop("patch", 5)
    one = features(style, smooth(h, w, 2), smooth(h, w, 3)[..., 0])
    two = features(smooth(height, width, 4), smooth(height, width, 5), smooth(height, width, 6)[..., 0])
    values = {
        "source": frame_around(one, FACTORS, patch),
        "target": frame_around(two, FACTORS, patch),
        "style": style,
        "centre": (rng.random((height, width, 2)) * [w, h]).astype(np.float32),
        "pull": (rng.random((height, width)) * 50).astype(np.float32),
        "patch": patch,
        "scale": 0.5,
    }
    return Problem(**{**values, **changes})


def cost_by_loops(p: Problem, y: int, x: int, sy: int, sx: int) -> float:
    """The cost of one match, summed up pixel by pixel."""
    total = float(p.pull[y, x]) * ((sx - p.centre[y, x, 0]) ** 2 + (sy - p.centre[y, x, 1]) ** 2)
    for dy, dx in itertools.product(range(p.patch), repeat=2):
        for c in range(CHANNELS):
            total += (float(p.source[sy + dy, sx + dx, c]) - float(p.target[y + dy, x + dx, c])) ** 2
    return total


def all_costs(p: Problem) -> np.ndarray:
    """Every match of every pixel, (H, W, h, w)."""
    height, width = p.pull.shape
    h, w = p.style.shape[:2]
    views = np.lib.stride_tricks.sliding_window_view
    ones = views(p.source.astype(np.float64), (p.patch, p.patch), axis=(0, 1)).reshape(h * w, -1)
    twos = views(p.target.astype(np.float64), (p.patch, p.patch), axis=(0, 1)).reshape(height * width, -1)
    costs = ((twos[:, None] - ones[None]) ** 2).sum(-1).reshape(height, width, h, w)
    away = ((grid(h, w)[None, None] - p.centre[:, :, None, None]) ** 2).sum(-1)
    return costs + p.pull[..., None, None] * away


def random_field(p: Problem, seed: int = 0) -> np.ndarray:
    """Random places in the source, int32 (H, W, 2)."""
    h, w = p.style.shape[:2]
    return np.floor(np.random.default_rng(seed).random((*p.pull.shape, 2)) * [w, h]).astype(np.int32)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("patch", [1, 3, 5])
def test_cost_is_the_sum_of_squares(backend, patch):
    """The cost of a field is what loops over pixels and channels make of it."""
    p = problem(patch=patch)
    field = random_field(p)
    cost = matcher(p, field, backend).cost
    for y, x in itertools.product(range(0, 9, 4), range(0, 10, 3)):
        assert cost[y, x] == pytest.approx(cost_by_loops(p, y, x, field[y, x, 1], field[y, x, 0]), rel=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_search_finds_the_best(backend):
    """Where the target is made of pieces of the source, nearly every pixel gets the best of all places."""
    p = problem(source=(24, 21), target=(20, 26), pull=np.zeros((20, 26), np.float32))
    p.target[:12] = np.concatenate([p.source[9:21, 6:], p.source[3:15, :11]], axis=1)[:, :30]
    p.target[12:] = np.concatenate([p.source[:12, 8:], p.source[10:22, 2:19]], axis=1)[:, :30]
    best = all_costs(p).min((2, 3))
    found = matcher(p, random_field(p), backend)
    for number in range(12):
        found.improve(24, seed=number, number=number)
    assert (found.cost >= best * (1 - 1e-5) - 1e-3).all()
    assert (found.cost <= best * (1 + 1e-5) + 1e-3).mean() > 0.9
    assert found.cost.sum() < 1.05 * best.sum()


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_pass_makes_a_match_worse(backend):
    """Costs only fall, the field stays inside the source, and what is kept belongs to it."""
    p = problem()
    found = matcher(p, random_field(p), backend)
    for number in range(4):
        before = found.cost.copy()
        found.improve(3, seed=1, number=number)
        assert (found.cost <= before).all()
    field = found.field
    assert (field >= 0).all() and (field <= [12, 10]).all()
    np.testing.assert_allclose(found.cost, matcher(p, field, backend).cost, rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_offer_is_taken_where_it_is_better(backend):
    """Of two fields every pixel gets the better match; neither array is written to."""
    p = problem()
    one, two = random_field(p, 1), random_field(p, 2)
    copies = one.copy(), two.copy()
    costs = matcher(p, one, backend).cost.copy(), matcher(p, two, backend).cost.copy()
    found = matcher(p, one, backend)
    found.offer(two)
    np.testing.assert_allclose(found.cost, np.minimum(*costs), rtol=1e-6)
    assert (found.field == np.where((costs[1] < costs[0])[..., None], two, one)).all()
    assert (one == copies[0]).all() and (two == copies[1]).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_vote_is_the_mean_of_all_patches(backend):
    """Each pixel is the weighted mean of what the patches over it put there, counted by loops."""
    p = problem()
    field, weight = random_field(p), np.random.default_rng(1).random((9, 10)).astype(np.float32) + 0.1
    vote = matcher(p, field, backend).vote(weight, p.style)
    for y, x in itertools.product(range(9), range(10)):
        total, weights = np.zeros(3), 0.0
        for dy, dx in itertools.product(range(-2, 3), repeat=2):
            if not (0 <= y + dy < 9 and 0 <= x + dx < 10):
                continue
            sx, sy = field[y + dy, x + dx] - [dx, dy]
            if 0 <= sx < 13 and 0 <= sy < 11:
                total += weight[y + dy, x + dx] * p.style[sy, sx]
                weights += weight[y + dy, x + dx]
        np.testing.assert_allclose(vote[y, x], total / weights, rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_new_paint_is_compared(backend):
    """After repainting, costs are those of the new paint, mixed with the previous frame's by its share."""
    before, picture = smooth(9, 10, 7), smooth(9, 10, 8)
    p = problem(memory=(before, np.full((9, 10, 1), 0.25, np.float32)))
    found = matcher(p, random_field(p), backend)
    found.repaint(picture)
    inner = p.target[2:-2, 2:-2, :3]
    np.testing.assert_allclose(inner, 0.5 * (0.75 * picture + 0.25 * before), rtol=1e-5)
    y, x = 4, 6
    sx, sy = found.field[y, x]
    assert found.cost[y, x] == pytest.approx(cost_by_loops(p, y, x, sy, sx), rel=1e-5)


def test_crowding_counts_the_uses():
    """A source pixel's crowding is the mean use of its patch, over the use under even spread."""
    p = problem(uniformity=7.0)
    field = random_field(p)
    field[:5] = [6, 4]
    crowd = p.crowd(field)
    uses = np.zeros((11, 13))
    for x, y in field.reshape(-1, 2):
        uses[y, x] += 1
    for y, x in [(4, 6), (0, 0), (10, 12), (5, 8)]:
        part = uses[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
        assert crowd[y, x] == pytest.approx(7.0 * part.mean() / (90 / 143))
    assert not problem().crowd(field).any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_crowding_spreads_the_matches(backend):
    """Where all places fit equally well, a price on crowding makes more of the source be used."""
    used = []
    for uniformity in (0.0, 50.0):
        p = problem(source=(20, 20), target=(20, 20), uniformity=uniformity)
        p.source[:], p.target[:], p.pull[:] = 0, 0, 0
        found = matcher(p, np.full((20, 20, 2), 5, np.int32), backend)
        for number in range(4):
            found.improve(16, seed=number, number=number)
        used.append(len(np.unique(found.field.reshape(-1, 2), axis=0)))
    assert used[0] == 1 and used[1] > 25


@pytest.mark.skipif(find_spec("numba") is None, reason="no Numba")
def test_threads_do_not_matter():
    """One, two or five threads make the same bytes, also where strips of rows meet."""
    results = []
    for threads in (1, 2, 5):
        p = problem(source=(40, 30), target=(70, 33), uniformity=3.0)
        found = matcher(p, random_field(p), "numba", threads=threads)
        for number in range(3):
            found.improve(8, seed=4, number=number)
        results.append(
            (found.field.tobytes(), found.cost.tobytes(), found.vote(found.cost, p.style).tobytes())
        )
    assert results[0] == results[1] == results[2]


def test_unknown_search():
    """Another backend is refused, and so is Numba on a GPU."""
    p = problem()
    with pytest.raises(UnknownNameError, match="numba"):
        matcher(p, random_field(p), "nunba")
    with pytest.raises(InputError, match="torch"):
        matcher(p, random_field(p), "numba", device="cuda")


def test_without_numba(monkeypatch):
    """Where Numba is missing, "auto" takes PyTorch and "numba" says how to install it."""
    monkeypatch.setitem(sys.modules, "numba", None)
    p = problem()
    assert type(matcher(p, random_field(p))).__name__ == "TorchMatcher"
    with pytest.raises(InputError, match=r"needs Numba; run in .*pip install"):
        matcher(p, random_field(p), "numba")
