"""The motion distance: what it sees and what it does not."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import ConfigError
from moviola.core.video import Video
from moviola.data.toys import digits
from moviola.metrics.base import Extractor, Sample
from moviola.metrics.fvmd import MARGIN, SIDE, SIZE, MotionExtractor, make_fvmd
from moviola.metrics.options import MetricOptions
from moviola.metrics.protocol import Protocol


@pytest.fixture(scope="module")
def extractor():
    return MotionExtractor()


def pan(step, frames=8, size=64, seed=0):
    """Smooth noise that goes right by `step` px a frame."""
    rng = np.random.default_rng(seed)
    grid = rng.uniform(0, 1, (size // 4, size // 2, 3))
    from PIL import Image

    wide = np.asarray(
        Image.fromarray((grid * 255).astype(np.uint8)).resize((2 * size, size), Image.Resampling.BICUBIC)
    )
    cut = [wide[:, size // 2 - step * t : size // 2 - step * t + size] for t in range(frames)]
    return Video(np.stack(cut), 8)


def test_tracks(extractor):
    """2 px of 64 are 8 px of 256: every inner point of the grid follows."""
    tracks = extractor.tracks(pan(2, frames=4))
    assert tracks.shape == (4, SIDE * SIDE, 2) and tracks.dtype == np.float32
    assert tracks[0].min() == MARGIN and tracks[0].max() == SIZE - 1 - MARGIN
    inner = tracks[0, :, 0] < SIZE - 60
    moves = (tracks[3] - tracks[0])[inner]
    assert np.median(moves, axis=0) == pytest.approx([24, 0], abs=0.5)
    assert np.abs(moves - [24, 0]).max(axis=1).mean() < 1


def test_histograms(extractor):
    """A pan fills the sector that points right, and has hardly any acceleration; a still has nothing at all."""
    out = extractor(Sample(pan(1, frames=16), "pan"))["histograms"]
    assert isinstance(extractor, Extractor)
    assert out.shape == (1024,) and out.dtype == np.float32
    speed, change = out[:512], out[512:]
    by_sector = speed.reshape(-1, 8).sum(0)
    assert by_sector.argmax() == 4 and by_sector[4] > 0.5 * by_sector.sum()
    assert change.sum() < 0.2 * speed.sum()
    still = extractor(Sample(pan(0, frames=16), "still"))["histograms"]
    assert np.abs(still).max() < 1e-3


def test_long_clips(extractor):
    """31 frames are two pieces of 16 that share a frame; their histograms are averaged."""
    video = pan(1, frames=31)
    whole = extractor(Sample(video, "whole"))["histograms"]
    pieces = [extractor(Sample(piece, "piece"))["histograms"] for piece in (video[:16], video[15:])]
    assert whole == pytest.approx(np.mean(pieces, axis=0), abs=1e-5)


def test_too_short(extractor):
    """The clip and the rule are named."""
    with pytest.raises(ConfigError, match=r"pan\.mp4 has 3 frames; fvmd-lk needs clips of at least 4 frames"):
        extractor(Sample(pan(1, frames=3), "pan.mp4"))


def test_it_sees_broken_motion(extractor):
    """Other digits in motion score near real ones; the same clips frozen or shuffled score far away."""
    config = digits.Config(size=48, frames=12, elements=(1, 1))

    def features(seed, change=lambda frames: frames):
        clips = [digits.make(i, seed, config).video for i in range(8)]
        return np.stack(
            [
                extractor(Sample(Video(change(clip.frames), 8), f"clip {i}"))["histograms"]
                for i, clip in enumerate(clips)
            ]
        ).astype(np.float64)

    def shuffled(frames):
        return frames[np.random.default_rng(0).permutation(len(frames))]

    *_, measure = make_fvmd(Protocol(), "cpu", MetricOptions())
    real = features(0)
    good = measure.score(real, features(1))
    frozen = measure.score(real, features(1, lambda frames: frames[:1].repeat(len(frames), axis=0)))
    broken = measure.score(real, features(1, shuffled))
    assert good < 0.7 * frozen and good < 0.7 * broken


def test_identity(extractor):
    """The tracker is named, so that the figure is not mistaken for the published one."""
    assert extractor.identity()["network"] == "LK tracks" and extractor.identity()["span"] == "16"
