"""Figures by key, fed clip by clip, and what the package exports."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import moviola.metrics
from moviola.core.errors import InputError, UnknownNameError
from moviola.core.video import Video
from moviola.metrics import PSNR, ClipMetric, MotionDistance
from moviola.metrics.base import Sample
from moviola.metrics.functional.frechet import frechet_from_features
from moviola.metrics.fvmd import MotionExtractor


def clip(seed, frames=5, size=24):
    return Video(np.random.default_rng(seed).integers(0, 200, (frames, size, size, 3), np.uint8), 8)


def test_by_key():
    """A key gives what its own class gives, for pairs and for single clips."""
    by_key, own = ClipMetric("psnr", device="cpu"), PSNR()
    for seed in (0, 1):
        pair = clip(seed), clip(seed + 5)
        assert by_key.update(*pair) == own.update(*pair)
    assert by_key.compute() == own.compute()
    flicker = ClipMetric("flicker", device="cpu")
    frames = clip(0).frames
    assert flicker.update(clip(0)) == pytest.approx(
        np.abs(np.diff(frames.astype(float), 2, axis=0)).mean() / 4
    )


def test_caption_goes_with_the_clip():
    """What `update` is given as caption is the sample's."""

    class Length:
        name = "length"

        def __call__(self, sample):
            return {"length": np.float32(len(sample.caption or ""))}

    metric = ClipMetric("clip-score", extractor=Length(), output="length")
    assert metric.update(clip(0), caption="a dog runs") == 10 and metric.update(clip(0)) == 0


def test_keys_that_do_not_go():
    """A set metric and an unknown one."""
    with pytest.raises(InputError, match="fvd compares sets of clips and is no mean over clips"):
        ClipMetric("fvd")
    with pytest.raises(UnknownNameError, match="psnr"):
        ClipMetric("psn")


def test_motion_distance():
    """The Fréchet distance of the histograms, whatever the order and parts they come in."""
    real, fake = [clip(i) for i in range(3)], [clip(i) for i in range(3, 6)]
    extractor = MotionExtractor()
    features = [
        np.stack([extractor(Sample(video, "clip"))["histograms"] for video in videos])
        for videos in (real, fake)
    ]
    distance = MotionDistance()
    distance.update(fake[:1], real=False)
    distance.update(real, real=True)
    distance.update(fake[1:], real=False)
    assert distance.compute() == pytest.approx(frechet_from_features(*features), rel=1e-6)


@pytest.mark.parametrize("name", moviola.metrics.__all__)
def test_exports(name):
    """Each is a class with the four verbs."""
    found = getattr(moviola.metrics, name)
    assert found.__name__ == name
    assert all(callable(getattr(found, verb)) for verb in ("update", "compute", "reset", "merge"))
    assert name in dir(moviola.metrics)


def test_unknown_export():
    """As of any module."""
    with pytest.raises(AttributeError, match="has no attribute 'FVDD'"):
        _ = moviola.metrics.FVDD


def test_import_is_light():
    """Importing the package loads neither torch nor numpy."""
    code = "import sys, moviola.metrics; print([m for m in ('torch', 'numpy', 'av') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
