"""Projection: a clip that the model drew is found again; what it cannot be given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError, InputError
from moviola.core.video import Video
from moviola.models.freqmotion import FreqMotionConfig, FreqMotionGenerator
from moviola.pipelines.edit.project import Projection, fit_clip, project, read_clip


@pytest.fixture(scope="module")
def model() -> FreqMotionGenerator:
    """A small one, untrained."""
    torch.manual_seed(0)
    config = FreqMotionConfig(
        size=16, content=8, motion=8, style=12, content_layers=1, features=8, widths=(8, 8, 8)
    )
    return FreqMotionGenerator(config).eval()


def test_a_drawn_clip_is_found_again(model):
    """The start among the drawn ones is the one that drew it; from another, the error falls by 6 dB or more."""
    clip = torch.cat(list(model.stream(0, 5, 8)))
    result = project(model, clip, steps=1, starts=8, rate=1e-6)
    assert result.start == 5 and result.psnr > 50 and result.motion == pytest.approx(1.0, abs=0.05)
    near = project(model, clip, steps=1, starts=4, rate=1e-6)
    better = project(model, clip, steps=120, starts=4)
    assert better.psnr > near.psnr + 6


def test_a_still_clip_gives_a_still_video(model):
    """And the measure of motion says so: a moving result over a clip without motion is large, a still one small."""
    clip = torch.cat(list(model.stream(0, 3, 1))).expand(6, -1, -1, -1) + 0.001 * torch.randn(6, 3, 16, 16)
    moving = project(model, clip, steps=1, starts=4, rate=1e-6)
    fitted = project(model, clip, steps=150, starts=4)
    assert fitted.motion < 0.3 * moving.motion


def test_nothing_of_the_model_is_changed(model):
    """Its weights keep their values and get no gradient."""
    before = [p.detach().clone() for p in model.parameters()]
    project(model, torch.zeros(2, 3, 16, 16), steps=2, starts=1)
    assert all(torch.equal(a, b) and b.grad is None for a, b in zip(before, model.parameters(), strict=True))


def test_clips_of_any_size(model):
    """Cropped to the middle and resized; too short is said."""
    video = Video(np.full((3, 20, 40, 3), 200, np.uint8), 8)
    assert fit_clip(model, video).shape == (3, 3, 16, 16)
    with pytest.raises(InputError, match="2 frames or more"):
        fit_clip(model, video[:1])
    with pytest.raises(ConfigError, match="at least 1"):
        project(model, torch.zeros(2, 3, 16, 16), steps=0)


def test_what_a_still_would_reach(model):
    """The PSNR of the mean picture, written out; nearly alike frames are told, and a result that stands still."""
    clip = torch.zeros(4, 3, 16, 16)
    clip[1:3] += 0.5
    result = project(model, clip, steps=1, starts=1)
    assert result.still == pytest.approx(10 * np.log10(4 / 0.0625)) and not result.is_still_near
    result = project(model, clip * 0.01, steps=1, starts=1)
    assert result.is_still_near and not result.stands_still
    frozen = Projection(result.codes, psnr=20.0, still=19.0, motion=0.1, start=0)
    assert frozen.stands_still and not frozen.is_still_near


def test_the_times_of_a_clip(model):
    """At twice the rate, the start that drew the clip is found where its times are given."""
    times = model.frame_times(16) / 2 - 0.5
    clip = torch.cat(list(model.stream_at(times, model.draw(0, [5]))))
    known = project(model, clip, times, steps=1, starts=8, rate=1e-6)
    unknown = project(model, clip, steps=1, starts=8, rate=1e-6)
    assert known.start == 5 and known.psnr > 50 > unknown.psnr + 10


def test_reading_a_clip(model, tmp_path):
    """As long as the model's window lasts at the clip's rate; a varying rate is made constant; what is refused."""
    frames = np.random.default_rng(0).integers(0, 256, (60, 20, 24, 3), dtype=np.uint8)
    Video(frames, 50).save(tmp_path / "fast.npz")
    clip, left_out = read_clip(model, tmp_path / "fast.npz")
    assert len(clip) == 32 and clip.fps == 50 and "the first 32 of 60" in left_out
    clip, left_out = read_clip(model, tmp_path / "fast.npz", frames=10, fps=25)
    assert len(clip) == 10 and clip.fps == 25 and left_out == ""
    assert np.array_equal(clip.frames, frames[:10])
    Video(frames[:4], 5, times=(0, 0.1, 0.5, 0.7)).save(tmp_path / "varies.npz")
    clip, _ = read_clip(model, tmp_path / "varies.npz", frames=4)
    assert clip.times is None and clip.fps == 5
    assert np.array_equal(clip.frames, frames[[0, 1, 1, 2]])
    with pytest.raises(InputError, match="too few frames: 60; this projection needs 61"):
        read_clip(model, tmp_path / "fast.npz", frames=61)
    with pytest.raises(ConfigError, match="2 or more"):
        read_clip(model, tmp_path / "fast.npz", frames=1)
