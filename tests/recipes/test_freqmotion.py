"""Recipes of the frequency-based motion GAN: from no data and from videos, resumed, under two processes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from moviola.core.errors import ConfigError, InputError
from moviola.core.video import Video
from moviola.data import codec
from moviola.models.catalog import load_generator
from moviola.recipes.catalog import find
from moviola.recipes.freqmotion import freqmotion_paper, freqmotion_toy
from moviola.recipes.train import next_command, train

SHORT = [
    "trainer.steps=4", "trainer.save_every=2", "trainer.sample_every=0", "trainer.batch=4", "trainer.tensorboard=false",
    "objective.r1_every=2",
]  # fmt: skip


def test_from_nothing_to_a_model_folder(tmp_path):
    """The folder draws videos, and what comes next is said."""
    run = find("freqmotion_debug")(None).with_overrides(SHORT)
    train(run, tmp_path / "m", quiet=True)
    model = load_generator(tmp_path / "m")
    assert next(model.stream(0, 0, 5)).shape == (5, 3, 16, 16)
    assert next_command(run, tmp_path / "m") == f"moviola sample {tmp_path / 'm'} -o DIR"


def test_resumed_is_the_uninterrupted_run(tmp_path):
    """Two steps, then two more: the same model folder, byte for byte."""
    recipe = find("freqmotion_debug")
    train(recipe(None).with_overrides(SHORT), tmp_path / "whole", quiet=True)
    train(recipe(None).with_overrides([*SHORT, "trainer.steps=2"]), tmp_path / "parts", quiet=True)
    train(recipe(None).with_overrides(SHORT), tmp_path / "parts", resume=True, quiet=True)
    whole, parts = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_anyones_videos(tmp_path, monkeypatch):
    """Files of any size; a folder without a video of enough frames says how many are needed and how many there are."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "videos").mkdir()
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (20, 24, 40, 3), dtype=np.uint8)
    codec.write(Video(frames, 12), tmp_path / "videos" / "a.npz")
    recipe = find("freqmotion_debug")
    train(recipe(tmp_path / "videos").with_overrides(SHORT), tmp_path / "m", quiet=True)
    assert load_generator(tmp_path / "m").height == 16
    with pytest.raises(InputError, match="no video of 31 frames, which 16 frames at a stride of 2 need"):
        train(
            recipe(tmp_path / "videos").with_overrides([*SHORT, "data.stride=2"]), tmp_path / "n", quiet=True
        )


def test_discriminators_must_fit():
    """Another size, more frames than the model makes, a name that is taken."""
    for change in ("critic.time.size=32", "critic.time.frames=17"):
        run = find("freqmotion_debug")(None)
        widths = ["critic.time.widths=[8,8,8,8]"] if "size" in change else []
        with pytest.raises(ConfigError, match=r"critic\.time"):
            run.with_overrides([change, *widths]).build()


def test_settings_of_the_paper(tmp_path):
    """Batch 8, Adam 2e-3 (in the objective's defaults), EMA 0.5^(8 / 10000), R1 10 every 16, latents of 512."""
    run = freqmotion_paper(tmp_path)
    assert (run.model.size, run.model.content, run.model.motion, run.model.features) == (256, 512, 512, 512)
    assert (run.objective.r1, run.objective.r1_every, run.objective.learning_rate) == (10.0, 16, 2e-3)
    assert run.trainer.ema == pytest.approx(0.99944561, abs=1e-7)
    assert {c.kind for c in run.critic.values()} == {"image", "video"}


def test_banks_of_the_toy_hold_its_frequencies():
    """0.90, 1.80 and 3.59 radians a time unit, each in a bank of its own."""
    run = freqmotion_toy()
    for speed, (low, high) in zip((2, 4, 8), run.model.ranges, strict=True):
        assert low < run.data.toy.omega(speed) < high
