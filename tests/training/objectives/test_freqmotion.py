"""What the objective of the frequency-based motion GAN updates, when, and on which frames."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from moviola.models.freqmotion import (
    DiscriminatorConfig,
    FreqMotionConfig,
    FreqMotionGenerator,
    MotionReader,
    make_discriminator,
)
from moviola.training.loop import Context
from moviola.training.objectives.freqmotion import FreqMotionObjective, FreqMotionObjectiveConfig

FRAMES = 8
CRITICS = {
    "image": DiscriminatorConfig(kind="image", size=8, frames=1, widths=(4, 4)),
    "patch": DiscriminatorConfig(kind="patch-image", size=8, frames=1, widths=(4, 4)),
    "video": DiscriminatorConfig(kind="video", size=8, frames=FRAMES, widths=(4, 4)),
    "patches": DiscriminatorConfig(kind="patch-video", size=8, frames=FRAMES, widths=(4, 4)),
    "time": DiscriminatorConfig(kind="time-difference", size=8, frames=3, widths=(4, 4)),
}


class Numbered:
    """Clips whose frame k has the value 10 k everywhere."""

    def sample(self, rng):
        frames = np.broadcast_to(
            10 * np.arange(FRAMES, dtype=np.uint8)[:, None, None, None], (FRAMES, 8, 8, 3)
        )
        return {"frames": frames.copy()}


def objective(critics=("time",), shown=None, **settings) -> FreqMotionObjective:
    """Small networks."""
    torch.manual_seed(0)
    model = FreqMotionConfig(
        size=8, frames=FRAMES, content=4, motion=4, style=4, content_layers=1, features=4, widths=(4, 4)
    )
    discriminators = {name: make_discriminator(CRITICS[name]) for name in critics}
    config = FreqMotionObjectiveConfig(**{"augment": "", **settings})
    generator = FreqMotionGenerator(model)
    reader = MotionReader(CRITICS["time"], model.style, len(model.ranges)) if config.information else None
    return FreqMotionObjective(generator, discriminators, config, shown, reader)


def run(toys, folder, made, **settings) -> list[dict]:
    """Train it; return the log."""
    toys.trainer(made, folder, samples=Numbered(), **{"batch": 4, "sample_every": 0, **settings}).run()
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", CRITICS)
def test_one_step_with_each_kind(toys, tmp_path, name):
    """Both networks move; the critic's penalty falls on every second step."""
    made = objective([name], r1_every=2)
    before = {k: [p.detach().clone() for p in m.parameters()] for k, m in made.modules.items()}
    log = run(toys, tmp_path, made, steps=2, log_every=1)
    assert [f"{name}/r1" in line for line in log] == [False, True]
    for key, module in made.modules.items():
        moved = [not torch.equal(a, b) for a, b in zip(before[key], module.parameters(), strict=True)]
        assert sum(moved) > len(moved) / 2, key


def test_all_of_them_at_once(toys, tmp_path):
    """The generator's loss is the sum over discriminators."""
    log = run(
        toys,
        tmp_path,
        objective(list(CRITICS), augment="color,translation,cutout,flip"),
        steps=1,
        log_every=1,
    )
    terms = sum(log[0][f"generator/{name}"] for name in CRITICS)
    assert log[0]["generator/loss"] == pytest.approx(terms, rel=1e-5)


def test_windows_are_equally_spaced_and_inside(toys, tmp_path):
    """Three frames, any spacing that fits 8; real ones begin each by itself, drawn ones all at one time."""
    made = objective()
    context = Context(toys.trainer(made, tmp_path, samples=Numbered(), batch=4, sample_every=0))
    micro = {"frames": torch.from_numpy(np.stack([Numbered().sample(None)["frames"]] * 64))}
    spacings = set()
    for step in range(20):
        context.step = step
        window = made._windows("time", micro, context, "critic", 0)
        spacing = window.frames.diff(dim=1)
        assert window.frames.min() >= 0 and window.frames.max() < FRAMES
        assert torch.equal(spacing, spacing[:1, :1].expand(64, 2))
        assert torch.allclose(spacing[:, 0] * 2 / FRAMES, window.delta)
        assert torch.allclose(window.times.diff(dim=1), window.delta[:, None].expand(-1, 2))
        assert torch.equal(window.times, window.times[:1].expand(64, -1))
        assert window.times.min() >= -1 and window.times.max() < 1
        assert len(set(window.frames[:, 0].tolist())) == min(FRAMES - 2 * int(spacing[0, 0]), FRAMES)
        real = made._real(micro, window.frames)
        assert torch.allclose(real[:, :, 0, 0, 0], window.frames * 10 / 127.5 - 1, atol=1e-6)
        spacings.add(int(spacing[0, 0]))
    assert spacings == {1, 2, 3}


def test_windows_begin_where_the_span_says(toys, tmp_path):
    """The paper's one window [-1, 1); with a span, later ones, too."""
    micro = {"frames": torch.from_numpy(np.stack([Numbered().sample(None)["frames"]] * 2))}
    for span, latest in ((0.0, 1.0), (6.0, 7.0)):
        made = objective(span=span)
        context = Context(
            toys.trainer(made, tmp_path / str(span), samples=Numbered(), batch=4, sample_every=0)
        )
        times = torch.cat([made._windows("time", micro, context, step).times for step in range(100)])
        assert times.min() >= -1 and latest - 1 < times.max() < latest


def test_lazy_adam():
    """Rate and second beta to the power 16 / 17 for discriminators, first beta 0; the generator's stay."""
    optimizers = objective().optimizers()
    assert optimizers["generator"].param_groups[0]["betas"] == (0.0, 0.99)
    group = optimizers["time"].param_groups[0]
    assert group["lr"] == pytest.approx(2e-3 * 16 / 17)
    assert group["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))
    assert objective(lazy_adam=False).optimizers()["time"].param_groups[0]["lr"] == 2e-3


def test_path_lengths(toys, tmp_path):
    """The penalty falls on its steps, and its running mean is saved with the run."""
    made = objective(path_length=2.0, path_every=2)
    log = run(toys, tmp_path, made, steps=4, log_every=1)
    assert ["generator/path" in line for line in log] == [False, True, False, True]
    assert made.modules["path_mean"].value > 0


def test_same_draw_for_all_frames_of_a_clip():
    """Augmented stills stay stills; contrast turns about one mean of the whole clip."""
    from moviola.training.augment import diff_augment_clips

    def draw():
        return torch.Generator().manual_seed(5)

    still = torch.rand(6, 1, 3, 16, 16, generator=torch.Generator().manual_seed(0)).expand(-1, 4, -1, -1, -1)
    for policy in ("color", "translation", "cutout", "flip", "color,translation,cutout,flip"):
        out = diff_augment_clips(still, draw(), policy)
        assert torch.allclose(out, out[:, :1].expand_as(out), atol=1e-6), policy
        assert not torch.allclose(out, still, atol=1e-3), policy
    clip = torch.rand(6, 4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    out = diff_augment_clips(clip, draw(), "color")
    # grey clips are not touched by saturation: one factor about one mean, and one offset
    grey = clip.mean(dim=2, keepdim=True).expand_as(clip)
    out = diff_augment_clips(grey, draw(), "color")
    factor = (out - out.mean(dim=(1, 2, 3, 4), keepdim=True)) / (
        grey - grey.mean(dim=(1, 2, 3, 4), keepdim=True)
    )
    assert torch.allclose(factor, factor[:, :1, :1, :1, :1].expand_as(factor), atol=1e-2)
    flipped = diff_augment_clips(clip, draw(), "flip")
    assert all(torch.equal(a, b) or torch.equal(a, b.flip(-1)) for a, b in zip(flipped, clip, strict=True))


def test_resumed_is_bit_exact(toys, tmp_path):
    """Stopped after 3 of 5 steps and gone on: the weights of an uninterrupted run."""
    settings = {"batch": 4, "sample_every": 0, "save_every": 3, "log_every": 0}
    whole = toys.trainer(objective(r1_every=2), tmp_path / "a", samples=Numbered(), steps=5, **settings)
    whole.run()
    toys.trainer(objective(r1_every=2), tmp_path / "b", samples=Numbered(), steps=3, **settings).run()
    resumed = toys.trainer(objective(r1_every=2), tmp_path / "b", samples=Numbered(), steps=5, **settings)
    assert resumed.resume() and resumed.step == 3
    resumed.run()
    for key, module in whole.objective.modules.items():
        for a, b in zip(module.parameters(), resumed.objective.modules[key].parameters(), strict=True):
            assert torch.equal(a, b), key


def test_previews(toys, tmp_path):
    """A row for each real clip, then one for each drawn."""
    shown = {"frames": torch.from_numpy(np.stack([Numbered().sample(None)["frames"]] * 2))}
    run(toys, tmp_path, objective(shown=shown), steps=1, sample_every=1)
    picture = Image.open(tmp_path / "samples" / "clips-000001.png")
    assert picture.size == (8 * FRAMES, 8 * (2 + 8))


def test_reader_is_trained_with_the_generator(toys, tmp_path):
    """The reader moves; its loss of each bank, weighted, counts once, for the first discriminator."""
    made = objective(["time", "image"], information=0.5)
    before = [p.detach().clone() for p in made.modules["reader"].parameters()]
    log = run(toys, tmp_path, made, steps=1, log_every=1)
    banks = [value for key, value in log[0].items() if key.startswith("generator/bank")]
    assert len(banks) == len(made.generator.banks)
    terms = log[0]["generator/time"] + log[0]["generator/image"] + sum(banks)
    assert log[0]["generator/loss"] == pytest.approx(terms, rel=1e-5)
    after = made.modules["reader"].parameters()
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert "reader" not in made.averaged
