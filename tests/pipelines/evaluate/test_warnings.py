"""What there is to say of two sets before any figure is believed."""

from __future__ import annotations

import numpy as np

from moviola.pipelines.evaluate import warnings
from moviola.pipelines.evaluate.assemble import Features


def test_repeats_within_and_across():
    """Clips of the same frames are counted within a set, and those that both sets hold."""
    digest = np.arange(4, dtype=np.float32)[:, None].repeat(16, axis=1)
    real = Features((0, 1, 2), (), {"digest": digest[[0, 1, 1]]})
    fake = Features((0, 2), (), {"digest": digest[[1, 3]]})
    names = {"real": ["a", "b", "c"], "fake": ["x", "y", "z"]}
    found = warnings.of_repeats(real, fake, names)
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
    assert warnings.count_classes(["a", "a", "b", None], ["a", "c", None]) == {"a": (2, 1)}
