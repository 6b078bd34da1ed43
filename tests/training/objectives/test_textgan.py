"""What the GAN objective updates, when, and with which captions."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image

from moviola.models.textgan import CriticConfig, FrameCritic, FrameGenerator, TextGANConfig
from moviola.training.objectives.textgan import TextGANObjective, TextGANObjectiveConfig

SLOTS = (3, 2)


class Frames:
    """Random frames and captions."""

    def sample(self, rng):
        import numpy as np

        return {
            "frame": rng.integers(0, 256, (16, 16, 3), dtype=np.uint8),
            "slots": rng.integers(1, 3, 2),
            "other": rng.integers(1, 3, 2),
        }


def objective(shown=None, **settings) -> TextGANObjective:
    """Small networks."""
    torch.manual_seed(0)
    return TextGANObjective(
        FrameGenerator(TextGANConfig(slots=SLOTS, size=16, latent=4, widths=(8, 8, 8, 8), condition=8)),
        FrameCritic(CriticConfig(slots=SLOTS, size=16, widths=(8, 8, 8, 8), condition=8)),
        TextGANObjectiveConfig(**settings),
        shown,
    )


def run(toys, folder, made: TextGANObjective, **settings) -> list[dict]:
    """Train it; return the log."""
    toys.trainer(made, folder, samples=Frames(), **settings).run()
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_lazy_r1_and_when_the_critic_joins(toys, tmp_path):
    """No critic before `adversarial_from`; then one critic step a step, and R1 every second one."""
    log = run(toys, tmp_path, objective(adversarial_from=3, r1_every=2), steps=7)
    assert [("critic/loss" in line, "critic/r1" in line) for line in log] == [
        (False, False),
        (False, False),
        (False, False),
        (True, True),
        (True, False),
        (True, True),
        (True, False),
    ]
    assert ["first/adversarial" in line for line in log] == [False] * 3 + [True] * 4


def test_r1_reaches_the_log(toys, tmp_path):
    """Penalties fall on steps whose number divides by `r1_every`, so log lines at the same steps hold them."""
    log = run(toys, tmp_path, objective(r1_every=2), steps=4, log_every=2)
    assert [line["step"] for line in log if "critic/r1" in line] == [2, 4]


@pytest.mark.parametrize("settings", [{"adversarial": 0.0}, {"r1": 0.0}])
def test_terms_that_are_off(toys, tmp_path, settings):
    """Weight 0 means the term is not computed."""
    made = objective(**settings)
    before = [p.detach().clone() for p in made.critic.parameters()]
    log = run(toys, tmp_path, made, steps=3)
    assert all("critic/r1" not in line for line in log)
    same = all(torch.equal(a, b) for a, b in zip(before, made.critic.parameters(), strict=True))
    assert same == (settings == {"adversarial": 0.0})


def test_generator_steps_leave_no_gradient_in_the_critic(toys, tmp_path):
    """The critic is frozen while the generator moves, and thawed after."""
    made = objective(adversarial_from=0, r1_every=2)
    seen = []
    forward = made.critic.forward
    made.critic.forward = lambda *a: (seen.append(next(made.critic.parameters()).requires_grad), forward(*a))[
        1
    ]
    run(toys, tmp_path, made, steps=2, save_every=0)
    assert seen == [True, False, True, True, False]  # critic, generator; critic, R1, generator
    assert all(p.requires_grad for p in made.critic.parameters())


def test_loss_of_the_generator(toys, tmp_path):
    """paired * (l1 + edges/2) + adversarial * (-score): recovered from the logged terms when edges are off."""
    (line,) = run(toys, tmp_path, objective(paired=3.0, edges=0.0, adversarial=0.25), steps=1, clip=0)
    assert line["first/loss"] == pytest.approx(
        3 * line["first/l1"] + 0.25 * line["first/adversarial"], rel=1e-4
    )


def test_learns_the_frame_of_its_caption(toys, tmp_path):
    """With the paired term, the mean colours of two captions are told apart."""

    class Two(Frames):
        def sample(self, rng):
            made = super().sample(rng)
            made["frame"][:] = 250 if made["slots"][0] == 1 else 5
            return made

    made = objective(adversarial=0.0, learning_rate=1e-2)
    toys.trainer(made, tmp_path, samples=Two(), steps=40, save_every=0).run()
    with torch.no_grad():
        light, dark = (
            made.generator.eval()(torch.tensor([[1, 1], [2, 1]]), torch.zeros(2, 4)).flatten(1).mean(1)
        )
    assert light - dark > 0.5


def test_preview(toys, tmp_path):
    """A row of real frames above a row of made ones."""
    shown = {
        "frame": torch.full((5, 16, 16, 3), 200, dtype=torch.uint8),
        "slots": torch.ones(5, 2, dtype=torch.int64),
    }
    run(toys, tmp_path, objective(shown), steps=1, sample_every=1)
    picture = Image.open(tmp_path / "samples" / "first-000001.png")
    assert picture.size == (80, 32) and picture.getpixel((3, 3)) == (200, 200, 200)
