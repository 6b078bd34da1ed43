"""What the GAN-CLS objective updates, when, and by which losses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from moviola.models.textgan import (
    GanClsConfig,
    GanClsCriticConfig,
    GanClsDiscriminator,
    GanClsGenerator,
    ImageEncoder,
)
from moviola.training import checkpoint
from moviola.training.objectives.textgan_cls import GanClsObjective, GanClsObjectiveConfig

SLOTS = (3, 2)


class Frames:
    """Random frames and captions; `other` may be the same caption."""

    def sample(self, rng):
        return {
            "frame": rng.integers(0, 256, (16, 16, 3), dtype=np.uint8),
            "slots": rng.integers(1, 3, 2),
            "other": rng.integers(1, 3, 2),
        }


def objective(shown=None, **settings) -> GanClsObjective:
    """Small networks."""
    torch.manual_seed(0)
    sizes = GanClsCriticConfig(size=16, width=4, text=6, reduced=4)
    config = GanClsConfig(slots=SLOTS, size=16, latent=4, width=32, embedding=6, text=6, reduced=4)
    return GanClsObjective(
        GanClsGenerator(config),
        GanClsDiscriminator(sizes),
        ImageEncoder(sizes),
        GanClsObjectiveConfig(**settings),
        shown,
    )


def run(toys, folder, made: GanClsObjective, **settings) -> list[dict]:
    """Train it; return the log."""
    toys.trainer(made, folder, samples=Frames(), **settings).run()
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def snapshot(made: GanClsObjective) -> dict[str, torch.Tensor]:
    """Every weight, by module and name."""
    return {f"{k}.{n}": p.detach().clone() for k, m in made.modules.items() for n, p in m.named_parameters()}


def moved(made: GanClsObjective, before: dict[str, torch.Tensor]) -> set[str]:
    """The parts of which any weight has changed; captions are a part by themselves."""
    changed = {k for k, v in snapshot(made).items() if not torch.equal(v, before[k])}
    return {"captions" if k.startswith("first.caption") else k.split(".")[0] for k in changed}


def test_a_step_moves_what_it_should(toys, tmp_path):
    """While the ranking lasts, every network; after it, the generator and the critic, not the caption encoder."""
    made = objective(ranking_steps=5)
    before = snapshot(made)
    run(toys, tmp_path / "a", made, steps=1)
    assert moved(made, before) == {"first", "critic", "images", "captions"}
    made = objective(ranking_steps=0)
    before = snapshot(made)
    run(toys, tmp_path / "b", made, steps=2)
    assert moved(made, before) == {"first", "critic"}


def test_ranking_ends(toys, tmp_path):
    """The first `ranking_steps` lines hold its loss, no other."""
    log = run(toys, tmp_path, objective(ranking_steps=3), steps=6)
    assert ["text/loss" in line for line in log] == [True] * 3 + [False] * 3
    assert all({"critic/loss", "first/loss"} <= set(line) for line in log)


class Scores(torch.nn.Module):
    """A critic of given logits: by the first pixel of the frame and the first number of the text."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([1.0, 0.5]))

    def forward(self, frames, text):
        return self.weight[0] * frames[:, 0, 0, 0] * 3 + self.weight[1] * text[:, 0]


def bce(logits: np.ndarray, label: int) -> np.ndarray:
    """Binary cross-entropy of each, from its definition."""
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    return -np.log(p if label else 1 - p)


def test_losses_are_those_of_algorithm_1(toys, tmp_path):
    """BCE(real, 1) + (BCE(real under another caption, 0) + BCE(generated, 0)) / 2, then BCE(generated, 1).

    A caption that was drawn twice is no mismatch and costs nothing.
    """
    made = objective(ranking_steps=0)
    made.critic = made.modules["critic"] = Scores()
    calls = []
    forward = made.critic.forward
    made.critic.forward = lambda *a: calls.append((a[0].detach(), forward(*a).detach())) or forward(*a)
    trainer = toys.trainer(made, tmp_path, samples=Frames(), steps=1, batch=16, clip=0)
    batch = trainer.loader.make(0)
    twice = (batch["slots"] == batch["other"]).all(dim=1).numpy()
    assert twice.any() and not twice.all()
    trainer.run()
    (real_frames, real), (same_frames, other), (_, fake), (_, again) = calls
    assert torch.equal(real_frames, same_frames)
    mismatched = np.where(twice, 0, bce(other.numpy(), 0))
    expected = bce(real.numpy(), 1).mean() + (mismatched.mean() + bce(fake.numpy(), 0).mean()) / 2
    (line,) = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert line["critic/loss"] == pytest.approx(expected, rel=1e-4)
    assert line["first/loss"] == pytest.approx(bce(again.numpy(), 1).mean(), rel=1e-4)


def test_gradients_stay_finite_where_all_captions_are_the_same(toys, tmp_path):
    """A data set of one caption: no mismatch, nothing to rank, and still a step."""

    class One(Frames):
        def sample(self, rng):
            return super().sample(rng) | {"slots": np.array([1, 2]), "other": np.array([1, 2])}

    made = objective(ranking_steps=9)
    before = snapshot(made)
    toys.trainer(made, tmp_path, samples=One(), steps=2, save_every=0).run()
    assert all(p.isfinite().all() for m in made.modules.values() for p in m.parameters())
    assert moved(made, before) == {"first", "critic"}


def test_ranking_tells_captions_apart(toys, tmp_path):
    """Light and dark frames: afterwards each frame's vector is nearer to its own caption's than to the other's."""

    class Two(Frames):
        def sample(self, rng):
            made = super().sample(rng)
            made["frame"][:] = 250 if made["slots"][0] == 1 else 5
            return made

    made = objective(ranking_steps=60, learning_rate=2e-3)
    toys.trainer(made, tmp_path, samples=Two(), steps=60, batch=8, save_every=0, sample_every=0).run()
    frames = torch.tensor([0.96, -0.96])[:, None, None, None].expand(2, 3, 16, 16)
    with torch.no_grad():
        vectors = made.images.eval()(frames), made.generator.caption(torch.tensor([[1, 1], [2, 1]]))
    images, texts = (torch.nn.functional.normalize(v, dim=1) for v in vectors)
    s = images @ texts.T
    assert s[0, 0] > s[0, 1] and s[1, 1] > s[1, 0]


def test_resume_is_bit_exact(toys, tmp_path):
    """Stopped after 3 of 6 steps, before the ranking has ended, and resumed: the same bits everywhere."""
    made = {}
    for name, legs in (("whole", (6,)), ("halves", (3, 6))):
        for steps in legs:
            trainer = toys.trainer(
                objective(ranking_steps=4), tmp_path / name, samples=Frames(), steps=steps, ema=0.9
            )
            trainer.resume()
            trainer.run()
        made[name], _ = checkpoint.flatten(trainer.state())
    assert made["whole"].keys() == made["halves"].keys()
    assert all(torch.equal(t, made["halves"][k]) for k, t in made["whole"].items() if not k.startswith("rng"))


def test_preview(toys, tmp_path):
    """A row of real frames above a row of made ones."""
    shown = {
        "frame": torch.full((5, 16, 16, 3), 200, dtype=torch.uint8),
        "slots": torch.ones(5, 2, dtype=torch.int64),
    }
    run(toys, tmp_path, objective(shown), steps=1, sample_every=1)
    picture = Image.open(tmp_path / "samples" / "first-000001.png")
    assert picture.size == (80, 32) and picture.getpixel((3, 3)) == (200, 200, 200)
