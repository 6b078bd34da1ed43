"""The optimal keys against every possible choice, and predicted errors against a plain computation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError
from moviola.nn.flow_methods import NamedFlow
from moviola.selection.optimal import Costs, _windows, optimal, predict, predicted_error
from moviola.selection.select import uniform, with_budget


def random_costs(seed: int, n: int, reach: int) -> Costs:
    """Any numbers at all: dynamic programming needs no sense in them."""
    rng = np.random.default_rng(seed)
    between, tail = rng.random((2, n, reach + 1))
    return Costs(between, tail, np.zeros(n))


def brute_force(costs, count, force_last=False, cuts=(), min_gap=1):
    """The least cost over all subsets, each costed by looking its gaps up."""
    n, best = len(costs), np.inf
    for rest in itertools.combinations(range(1, n), count - 1):
        keys = (0, *rest)
        if not set(cuts) <= set(keys) or (force_last and keys[-1] != n - 1):
            continue
        total = 0.0
        for a, b in zip(keys, [*rest, n], strict=True):
            early = b < n and b - a < min_gap and b not in cuts and not (force_last and b == n - 1)
            if b - a > costs.max_gap or early:
                total = np.inf
                break
            total += (costs.tail if b == n or b in cuts else costs.between)[a, b - a]
        best = min(best, total)
    return best


@pytest.mark.parametrize("seed", range(12))
def test_no_subset_is_better(seed):
    """All subsets of ten frames, with and without cuts, a forced last key and a shortest gap."""
    rng = np.random.default_rng(100 + seed)
    costs = random_costs(seed, 10, int(rng.integers(3, 11)))
    cuts = sorted(rng.choice(np.arange(1, 10), size=seed % 3, replace=False).tolist())
    how = dict(force_last=bool(seed % 2), cuts=cuts, min_gap=1 + seed % 4 // 2)
    for count in range(1, 11):
        best = brute_force(costs, count, **how)
        if np.isinf(best):
            with pytest.raises(ConfigError, match=f"no {count} of 10 frames can be keys"):
                optimal(costs, count, **how)
            continue
        keys = optimal(costs, count, **how)
        assert len(keys) == count and keys[0] == 0 and set(cuts) <= set(keys)
        assert predicted_error(costs, keys, cuts) * 10 == pytest.approx(best)


def shifted(n: int, speed: float = 0.0, seed: int = 0) -> list[np.ndarray]:
    """Frames 48x64 of a smooth texture that moves to the left."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.random((1, 3, 12, 48), np.float32))
    wide = torch.nn.functional.interpolate(coarse, size=(48, 192), mode="bicubic")[0].clamp(0, 1)
    frames = (wide * 255).byte().permute(1, 2, 0).numpy()
    return [frames[:, round(i * speed) : round(i * speed) + 64].copy() for i in range(n)]


def still() -> NamedFlow:
    """A flow that sees no motion: propagation is then a plain cross-fade."""
    return NamedFlow("still", "", {}, lambda first, second: torch.zeros_like(first[:, :2]))


def moving(speed: int) -> NamedFlow:
    """The true flow of `shifted`: told by which of two frames comes first, read from a pixel that counts frames."""

    def estimate(first, second):
        sign = 1.0 if first[0, 2, 0, 0] < second[0, 2, 0, 0] else -1.0
        flow = torch.zeros_like(first[:, :2])
        flow[:, 0] = -speed * sign
        return flow

    return NamedFlow("moving", "", {}, estimate)


def brightness(frame: np.ndarray) -> np.ndarray:
    """BT.601, 0 to 255."""
    return frame.astype(np.float64) @ [0.299, 0.587, 0.114]


def test_without_motion_the_error_is_that_of_a_cross_fade():
    """Every gap of a clip of noise, computed by loops."""
    rng = np.random.default_rng(3)
    frames = [rng.integers(0, 256, (16, 20, 3), np.uint8) for _ in range(7)]
    costs = predict(frames, 5, flow=still())
    assert costs.max_gap == 5 and len(costs) == 7
    pictures = [brightness(frame) for frame in frames]
    for a in range(7):
        for g in range(1, 6):
            b = a + g
            inner = range(a + 1, min(b, 7))
            fades = [(b - i) / g * pictures[a] + (i - a) / g * pictures[min(b, 6)] for i in inner]
            between = sum(np.mean((fade - pictures[i]) ** 2) for fade, i in zip(fades, inner, strict=True))
            tail = sum(np.mean((pictures[a] - pictures[i]) ** 2) for i in inner)
            assert costs.between[a, g] == (pytest.approx(between, rel=1e-4) if b < 7 else np.inf)
            assert costs.tail[a, g] == (pytest.approx(tail, rel=1e-4) if b <= 7 else np.inf)


def test_what_leaves_the_frame_is_taken_from_the_other_key():
    """A camera at 4 px a frame, known exactly: between two keys nothing is lost, behind the last one the edge is."""
    frames = shifted(6, 4)
    for number, frame in enumerate(frames):
        frame[0, 0, 2] = 40 * number  # what `moving` reads
    costs = predict(frames, 5, size=48, flow=moving(4))
    marker = 2 * (0.114 * 255) ** 2 / (48 * 64)  # one pixel's blue may be anything, here and there
    assert costs.between[0, 2] < marker and costs.between[0, 5] < 4 * marker
    # one frame on, the strip of 4 columns at the right is new: the nearest column is read instead
    lost = brightness(frames[1])[:, 60:] - brightness(frames[0])[:, 63:]
    assert costs.tail[0, 2] == pytest.approx((lost**2).sum() / (48 * 64), abs=marker)
    assert costs.tail[0, 2] > 10 * marker


def test_a_still_clip_costs_nothing():
    """And any keys do."""
    costs = predict(shifted(8), 8)
    assert np.nanmax(np.where(np.isfinite(costs.between), costs.between, 0)) < 1e-3
    assert len(optimal(costs, 3)) == 3 and costs.change.max() < 0.05


def test_a_key_goes_to_the_frame_that_cannot_be_predicted():
    """A frame unlike all others is a key, and so are those beside it, that it can tell nothing about."""
    frames = shifted(13)
    frames[7] = np.random.default_rng(0).integers(0, 256, frames[7].shape, np.uint8)
    costs = predict(frames, 13)
    assert optimal(costs, 4) == [0, 6, 7, 8]
    assert predicted_error(costs, [0, 6, 7, 8]) < 1e-3
    for other in (uniform(13, count=4), with_budget(costs.change, 4)):
        assert predicted_error(costs, other) > 10


def test_nothing_is_carried_over_a_cut():
    """Keys on both sides; the frames before the cut are the tail of their shot."""
    frames = [*shifted(5, seed=1), *shifted(5, seed=2)]
    costs = predict(frames, 10)
    keys = optimal(costs, 2, cuts=[5])
    assert keys == [0, 5] and predicted_error(costs, keys, [5]) < 1e-3
    assert predicted_error(costs, keys) > 100  # not said to be a cut: a cross-fade of two scenes


def test_a_key_too_far_is_infinitely_bad():
    """A gap longer than what was looked at."""
    costs = random_costs(0, 9, 4)
    assert predicted_error(costs, [0, 5]) == np.inf
    with pytest.raises(ConfigError, match="no 2 of 9 frames can be keys with gaps of 1 to 4 frames"):
        optimal(costs, 2)


@pytest.mark.parametrize(("n", "reach"), [(1, 3), (5, 2), (7, 3), (4, 9)])
def test_windows(n, reach):
    """Each item with its neighbours."""
    seen = [(list(window), middle) for window, middle in _windows(range(n), reach)]  # type: ignore[arg-type]
    assert [window[middle] for window, middle in seen] == list(range(n))
    assert [window for window, _ in seen] == [
        [j for j in range(n) if max(0, i - reach) <= j <= i + reach][: len(window)]
        for i, (window, _) in enumerate(seen)
    ]
    assert all(window[-1] == min(n - 1, i + reach) for i, (window, _) in enumerate(seen))


def test_bad_input():
    """No gap, too many keys."""
    with pytest.raises(ConfigError, match="max_gap is 0"):
        predict([], 0)
    with pytest.raises(ConfigError, match="10 key frames are asked for; the video has 9 frames"):
        optimal(random_costs(0, 9, 4), 10)
