"""Means with their intervals, and the warnings that stand beside figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moviola.metrics.kinds import PairMetric, SetMetric
from moviola.metrics.measures import FrechetMeasure, KernelMeasure
from moviola.metrics.scoring import Draws, Table, mean_interval


def fvd(ddof: int = 1) -> SetMetric:
    return SetMetric("fvd", extractor=Named(), output="out", measure=FrechetMeasure(ddof))


class Named:
    name = "named"

    def identity(self) -> dict[str, str]:
        return {"network": "net", "sha256": "1"}


def table(values: np.ndarray) -> Table:
    values = np.asarray(values, np.float64)
    return Table(values, tuple(f"c{i}" for i in range(len(values))), (None,) * len(values))


def test_a_new_name_moves_no_interval():
    """What was published as fvmd is fvmd-lk: the same draws; other metrics draw by their own key."""
    values = np.random.default_rng(0).normal(5, 2, 40)
    new, old, other = (mean_interval(values, Draws(draws=50), key) for key in ("fvmd-lk", "fvmd", "fvd"))
    assert new == old != other


def test_interval_of_a_mean_is_that_of_the_normal():
    """Of many normal values the bootstrap's interval is mean -+ 1.96 standard errors."""
    values = np.random.default_rng(0).normal(5, 2, 400)
    value, low, high = mean_interval(values, Draws(draws=4000), "x")
    error = 1.96 * values.std() / 20
    assert value == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((value - error, value + error), abs=0.1 * error)
    _, wide_low, wide_high = mean_interval(values, Draws(level=0.99, draws=4000), "x")
    assert wide_low < low < high < wide_high


def test_means_of_what_is_no_number():
    """NaN is left out and told; infinity stays; one value has no interval."""
    assert mean_interval(np.array([np.nan, 1.0, 3.0]), Draws(), "x")[0] == 2
    assert mean_interval(np.array([1.0]), Draws(), "x") == (1, None, None)
    assert mean_interval(np.array([1.0, math.inf]), Draws(), "x") == (math.inf, None, None)
    assert math.isnan(mean_interval(np.array([np.nan]), Draws(), "x")[0])
    psnr = PairMetric("psnr", extractor=Named(), output="psnr")
    score = psnr.score(None, table(np.array([30, math.inf, np.nan])), Draws())
    assert score.value == math.inf and score.unit == "dB"
    assert any("1 of 3 clips are equal to their real clip" in text for text in score.warnings)
    assert any("1 of 3 clips give no figure" in text for text in score.warnings)


def test_set_scores_tell_of_few_clips():
    """Fewer than 2048 clips, fewer than features, at the floor: each is said, and not where it does not hold."""
    rng = np.random.default_rng(0)
    small = [table(rng.normal(size=(20, 1, 30))) for _ in range(2)]
    said = " ".join(fvd().score(*small, Draws(draws=20)).warnings)
    assert "only 20 clips" in said and "no more clips (20) than features (30)" in said
    assert "the difference may be chance" in said or "sees no difference" in said
    kvd = SetMetric("kvd", extractor=Named(), output="out", measure=KernelMeasure())
    assert "features" not in " ".join(kvd.score(*small, Draws(draws=20)).warnings)
    large = [table(rng.normal(m, 1, size=(2048, 1, 4))) for m in (0, 3)]
    score = fvd().score(*large, Draws(draws=20))
    assert score.warnings == ()
    assert score.value == pytest.approx(36, rel=0.1) and score.network == "net"
    assert score.infinity == pytest.approx(36, rel=0.1)


def test_small_classes_are_told():
    """Of set metrics alone: a mean over few clips is no worse by class."""
    assert fvd().class_warnings({"a": (60, 50)}) == []
    few = fvd().class_warnings({"a": (60, 50), "b": (60, 49)})
    assert len(few) == 1 and few[0].startswith("1 of 2 classes have fewer than 50 clips on one side (b)")
    psnr = PairMetric("psnr", extractor=Named(), output="psnr")
    assert psnr.class_warnings({"b": (60, 49)}) == []
