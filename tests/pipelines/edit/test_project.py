"""Projection: a clip that the model drew is found again; what it cannot be given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError, InputError
from moviola.core.video import Video
from moviola.models.freqmotion import FreqMotionConfig, FreqMotionGenerator
from moviola.pipelines.edit.project import fit_clip, project


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
