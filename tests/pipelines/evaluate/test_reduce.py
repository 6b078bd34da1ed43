"""Means with their intervals, and the warnings that stand beside figures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moviola.metrics.catalog import Metric, find_metric
from moviola.metrics.video_distance import FrechetMeasure, KernelMeasure
from moviola.pipelines.evaluate import honesty
from moviola.pipelines.evaluate.assemble import Features
from moviola.pipelines.evaluate.reduce import Draws, Table, mean_interval, score_mean, score_set


def fvd(ddof: int = 1) -> Metric:
    return Metric(find_metric("fvd"), (Named(),), FrechetMeasure("named", "out", ddof))


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
    psnr = Metric(find_metric("psnr"), (Named(),), "psnr")
    score = score_mean(psnr, table(np.array([30, math.inf, np.nan])), None, Draws())
    assert score.value == math.inf and score.unit == "dB"
    assert any("1 of 3 clips are equal to their real clip" in text for text in score.warnings)
    assert any("1 of 3 clips give no figure" in text for text in score.warnings)


def test_set_scores_tell_of_few_clips():
    """Fewer than 2048 clips, fewer than features, at the floor: each is said, and not where it does not hold."""
    rng = np.random.default_rng(0)
    small = [table(rng.normal(size=(20, 1, 30))) for _ in range(2)]
    said = " ".join(score_set(fvd(), *small, Draws(draws=20)).warnings)
    assert "only 20 clips" in said and "no more clips (20) than features (30)" in said
    assert "the difference may be chance" in said or "sees no difference" in said
    kvd = Metric(find_metric("kvd"), (Named(),), KernelMeasure("named", "out"))
    assert "features" not in " ".join(score_set(kvd, *small, Draws(draws=20)).warnings)
    large = [table(rng.normal(m, 1, size=(2048, 1, 4))) for m in (0, 3)]
    score = score_set(fvd(), *large, Draws(draws=20))
    assert score.warnings == ()
    assert score.value == pytest.approx(36, rel=0.1) and score.network == "net"
    assert score.infinity == pytest.approx(36, rel=0.1)


def test_repeats_within_and_across():
    """Clips of the same frames are counted within a set, and those that both sets hold."""
    digest = np.arange(4, dtype=np.float32)[:, None].repeat(16, axis=1)
    real = Features((0, 1, 2), (), {"digest": digest[[0, 1, 1]]})
    fake = Features((0, 2), (), {"digest": digest[[1, 3]]})
    names = {"real": ["a", "b", "c"], "fake": ["x", "y", "z"]}
    found = honesty.of_repeats(real, fake, names)
    assert found == [
        "REAL: 1 of 3 clips repeat the frames of another (b, c); the set is smaller than N says",
        "clips that are in REAL and in FAKE, frame by frame: 1 (as x)",
    ]


def test_differing_codecs_and_rates_are_told(tmp_path, metrics, save_clips, clip):
    """An mp4 set against pictures at another rate."""
    from moviola.metrics.protocol import Protocol
    from moviola.pipelines.evaluate import evaluate

    real = save_clips(tmp_path / "real", {f"{i}.mp4": clip(i, height=32, width=32) for i in range(3)})
    fake = {f"{i}.npz": clip(9 + i, height=32, width=32).with_fps(25) for i in range(3)}
    report = evaluate(real, save_clips(tmp_path / "fake", fake), metrics("motion"), Protocol(frames=8))
    assert any("codecs of REAL and FAKE differ (h264 against npz)" in text for text in report.warnings)
    assert any("frame rates of REAL and FAKE differ (10 against 25)" in text for text in report.warnings)
    assert report.protocol["real"]["codecs"] == {"h264": 3}


def test_classes_are_counted_on_both_sides():
    assert honesty.count_classes(["a", "a", "b", None], ["a", "c", None]) == {"a": (2, 1)}
    assert honesty.of_classes({"a": (60, 50)}) == []
