"""Paired figures of whole clips."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moviola.core.errors import InputError
from moviola.core.video import Video
from moviola.metrics.base import PairExtractor, Sample
from moviola.metrics.options import MetricOptions
from moviola.metrics.paired import (
    MSE,
    MSSSIM,
    PSNR,
    SSIM,
    make_comparison,
    make_ms_ssim,
    make_mse,
    make_psnr,
    make_ssim,
)
from moviola.metrics.protocol import Protocol


def clip(seed=0, frames=3, size=24, name="a.mp4"):
    pixels = np.random.default_rng(seed).integers(40, 200, (frames, size, size, 3), np.uint8)
    return Sample(Video(pixels, 8), name)


def brighter(sample, levels):
    return Sample(Video(sample.video.frames + np.uint8(levels), 8), "b.mp4")


def test_psnr_of_a_clip():
    """One frame of three is 10 levels off: the error of the clip is 100/3, no mean of figures."""
    real = clip()
    frames = real.video.frames.copy()
    frames[1] += 10
    psnr, _ = make_comparison("psnr")
    out = psnr(real, Sample(Video(frames, 8), "b.mp4"))
    assert isinstance(psnr, PairExtractor)
    assert out["psnr"].shape == () and out["psnr"].dtype == np.float32
    assert float(out["psnr"]) == pytest.approx(10 * math.log10(255**2 / (100 / 3)), rel=1e-6)
    assert float(psnr(real, real)["psnr"]) == 100


def test_ssim_against_another_library():
    """The mean over frames of scikit-image's figure."""
    metrics = pytest.importorskip("skimage.metrics")
    real, fake = clip(0), clip(1)
    expected = np.mean(
        [
            metrics.structural_similarity(
                a,
                b,
                channel_axis=-1,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=255,
            )
            for a, b in zip(real.video.frames, fake.video.frames, strict=True)
        ]
    )
    assert float(make_comparison("ssim")[0](real, fake)["ssim"]) == pytest.approx(expected, abs=1e-6)


def test_shapes_that_differ():
    """Both clips and the way out are named."""
    with pytest.raises(
        InputError, match=r"psnr compares clips of one shape: a\.mp4 is 3 frames of 24x24, b\.mp4 is 4 frames"
    ):
        make_comparison("psnr")[0](clip(), clip(frames=4, name="b.mp4"))


def test_frames_that_are_too_small():
    """The clip is named."""
    with pytest.raises(InputError, match=r"b\.mp4: .*160 px"):
        make_comparison("ms-ssim")[0](clip(), clip(1, name="b.mp4"))


def test_classes():
    """Two pairs, 10 and 20 levels apart."""
    mse, psnr, ssim = MSE(), PSNR(), SSIM()
    for metric in (mse, psnr, ssim):
        for levels in (10, 20):
            metric.update(clip().video, brighter(clip(), levels).video)
    assert mse.compute() == pytest.approx((100 + 400) / 2)
    both = [10 * math.log10(255**2 / error) for error in (100, 400)]
    assert psnr.compute() == pytest.approx(np.mean(both), rel=1e-6)
    assert 0.9 < ssim.compute() < 1
    large = clip(size=176, frames=1).video
    assert MSSSIM().update(large, large) == pytest.approx(1)


@pytest.mark.parametrize(
    ("make", "name"), [(make_mse, "mse"), (make_psnr, "psnr"), (make_ssim, "ssim"), (make_ms_ssim, "ms-ssim")]
)
def test_factories(make, name):
    """Each gives its own figure."""
    extractor, output = make(Protocol(), "cpu", MetricOptions())
    assert output == extractor.name == name and extractor.identity()["settings"]
