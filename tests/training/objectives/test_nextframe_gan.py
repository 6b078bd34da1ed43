"""What the adversarial next-frame objective updates, when, and with which captions."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from moviola.core.ranges import to_network
from moviola.core.seeds import torch_generator
from moviola.models.nextframe import NextFrameConfig, NextFrameCriticConfig, make_critic, make_next_frame
from moviola.training.checkpoint import flatten
from moviola.training.objectives.nextframe import NextFrameObjective, NextFrameObjectiveConfig
from moviola.training.objectives.nextframe_gan import (
    NextFrameGANObjective,
    NextFrameGANObjectiveConfig,
    turn_at,
)

SLOTS = (3, 2)
PLAIN = NextFrameObjectiveConfig(noise=0, edges=0, square=0)


class Clips:
    """Random histories of 1 to 4 frames with two captions."""

    def sample(self, rng):
        return {
            "history": rng.integers(0, 256, (4, 16, 16, 3), dtype=np.uint8),
            "count": rng.integers(1, 5),
            "future": rng.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8),
            "slots": rng.integers(1, 3, 2),
            "other": rng.integers(1, 3, 2),
        }


def objective(sees: str = "history", form: str = "film", **settings) -> NextFrameGANObjective:
    """Small networks."""
    torch.manual_seed(0)
    small = (
        {"widths": (8, 8, 8, 8), "condition": 8}
        if form == "film"
        else {"filters": 2, "hidden": 8, "dropout": 0.5}
    )
    model = NextFrameConfig.make({"form": form, "slots": SLOTS, "size": 16, "history": 4, **small})
    critic = NextFrameCriticConfig.make(
        {"sees": sees, "slots": SLOTS, "size": 16, "history": 4, "widths": (8, 8, 8, 8), "condition": 8}
    )
    config = NextFrameGANObjectiveConfig.make({"pixel": PLAIN.model_dump(), "augment": "", **settings})
    return NextFrameGANObjective(make_next_frame(model), make_critic(critic), config)


def run(toys, folder, made: NextFrameGANObjective, **settings) -> list[dict]:
    """Train it; return the log."""
    toys.trainer(made, folder, samples=Clips(), **{"sample_every": 0, "batch": 4, **settings}).run()
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


class FakeContext:
    """A step number, seeded generators, and `update` that takes notes instead of moving weights."""

    def __init__(self, step: int = 0) -> None:
        self.step, self.updates = step, []

    def generator(self, *names):
        return torch_generator(0, *names)

    def update(self, name, loss, micros):
        terms = loss(micros[0], 0)
        self.updates.append((name, len(micros[0]["slots"]), set(terms)))
        return {f"{name}/{k}": v.item() for k, v in terms.items()}


def batch(size: int = 4) -> dict[str, torch.Tensor]:
    """One batch of `Clips`."""
    rng = np.random.default_rng(0)
    made = [Clips().sample(rng) for _ in range(size)]
    return {k: torch.from_numpy(np.stack([m[k] for m in made])) for k in made[0]}


def row(schedule: str, steps: int, **settings) -> str:
    """A letter a step: p pixel, a adversarial, b both, c the critic alone; capital where the critic moves, too."""
    config = NextFrameGANObjectiveConfig.make({"schedule": schedule, **settings})
    letters = {(True, False): "p", (False, True): "a", (True, True): "b", (False, False): "c"}
    turns = [turn_at(config, step) for step in range(steps)]
    made = [(letters[t.pixel > 0, t.adversarial > 0], t.critic) for t in turns]
    return "".join(letter.upper() if critic else letter for letter, critic in made)


def test_schedules():
    """Pixel loss alone, the critic alone, then what the schedule says."""
    begin = {"adversarial_from": 2, "pretrain": 3}
    assert row("ours", 8, **begin) == "ppCCCBBB"
    assert row("mixed", 8, **begin) == "ppCCCBBB"
    assert row("adversarial", 8, **begin) == "ppCCCAAA"
    assert row("alternating", 12, **begin, period=2) == "ppCCCppAAppA"
    assert row("alternating", 400) == ("p" * 100 + "A" * 100) * 2
    steps = {turn_at(NextFrameGANObjectiveConfig(pretrain=1, critic_steps=5), step).critic for step in (0, 1)}
    assert steps == {1, 5}
    weights = [
        turn_at(NextFrameGANObjectiveConfig(schedule=s, adversarial=0.1), 0)[1:] for s in ("ours", "mixed")
    ]
    assert weights == [(1.0, 0.1), (1.0, 1.0)]


def test_the_order_of_updates():
    """Pretraining takes the whole batch once; then so many parts of it for the critic, and the last for the network."""
    made = objective(schedule="mixed", pretrain=1, critic_steps=3)
    assert made.critic.config.sees == "history"
    context = FakeContext(0)
    made.step([batch(6)], context)
    assert [update[:2] for update in context.updates] == [("critic", 6)]
    context = FakeContext(1)
    made.step([batch(6)], context)
    assert [update[:2] for update in context.updates] == [("critic", 2)] * 3 + [("next", 2)]
    assert {"l1", "adversarial", "loss"} <= context.updates[-1][2]
    parts = made._parts([batch(6)])
    assert torch.equal(torch.cat([p[0]["history"] for p in parts]), batch(6)["history"])


class Judge(nn.Module):
    """In the critic's place: the brightness of the frame plus 100 for captions that begin with 2."""

    def __init__(self) -> None:
        super().__init__()
        self.config = NextFrameCriticConfig(slots=SLOTS, size=16, history=4)
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.seen = []

    def forward(self, history, count, frame, slots):
        self.seen.append((history.detach(), frame.detach(), slots))
        return self.scale * (frame.mean(dim=(1, 2, 3)) + 100.0 * (slots[:, 0] == 2))


def judged(**settings) -> tuple[NextFrameGANObjective, Judge]:
    """An objective with the judge."""
    made, judge = objective(**settings), Judge()
    made.critic = judge
    return made, judge


def test_hinge_by_hand():
    """Lim and Ye's loss of the true frames, the generated ones, and the true ones under captions that contradict."""
    made, judge = judged()
    data = batch()
    data["slots"] = torch.tensor([[1, 1], [1, 1], [1, 1], [1, 1]])
    data["other"] = torch.tensor(
        [[2, 1], [1, 1], [0, 1], [2, 0]]
    )  # contradicts, equal, leaves open, contradicts
    scalars = made.step([data], FakeContext())
    real = to_network(data["future"])[:, 0]
    with torch.no_grad():
        fake = made.network(to_network(data["history"]), data["count"], data["slots"])
    levels = [x.mean(dim=(1, 2, 3)).numpy() for x in (real, fake)]
    wrong = levels[0][[0, 3]] + 100
    expected = np.maximum(0, 1 - levels[0]).mean()
    expected += (np.maximum(0, 1 + levels[1]).mean() + np.maximum(0, 1 + wrong).mean()) / 2
    assert scalars["critic/loss"] == pytest.approx(expected, rel=1e-4)
    assert scalars["critic/other"] == pytest.approx(wrong.mean(), rel=1e-4)
    assert scalars["next/adversarial"] == pytest.approx(-levels[1].mean(), rel=1e-3, abs=1e-5)
    histories = [history for history, _, _ in judge.seen]
    assert all(
        torch.equal(history, histories[0]) for history in histories
    )  # one history for real and generated


def test_without_a_contradiction_no_caption_is_wrong():
    """A batch whose other captions only leave open, or `mismatched` off: two terms."""
    data = batch()
    data["other"] = data["slots"] * torch.tensor([1, 0])
    assert "critic/other" not in judged()[0].step([data], FakeContext())
    data["other"] = 3 - data["slots"]
    assert "critic/other" in judged()[0].step([data], FakeContext())
    assert "critic/other" not in judged(mismatched=False)[0].step([data], FakeContext())


def test_the_sources_cross_entropy():
    """`loss=logistic` is the binary cross-entropy of probabilities, as PyTorch computes it."""
    made, judge = judged(loss="logistic", schedule="adversarial", mismatched=False)
    data = batch()
    scalars = made.step([data], FakeContext())
    real, fake = (judge(frame, None, frame, data["slots"]) for _, frame, _ in judge.seen[:2])
    expected = F.binary_cross_entropy_with_logits(real, torch.ones(4))
    expected = expected + F.binary_cross_entropy_with_logits(fake, torch.zeros(4))
    assert scalars["critic/loss"] == pytest.approx(expected.item(), rel=1e-4)
    wanted = F.binary_cross_entropy_with_logits(fake, torch.ones(4)).item()
    assert scalars["next/loss"] == pytest.approx(wanted, rel=1e-3, abs=1e-5)


def test_mixed_is_one_to_one():
    """The pixel loss plus the critic's; a pixel turn is the plain objective's loss, to the bit."""
    data = batch()
    made, _ = judged(schedule="mixed")
    scalars = made.step([data], FakeContext())
    assert scalars["next/loss"] == pytest.approx(scalars["next/l1"] + scalars["next/adversarial"], rel=1e-5)
    made, _ = judged(adversarial_from=1)
    plain = NextFrameObjective(made.network, PLAIN).predict(data, FakeContext(), 0)
    assert made.step([data], FakeContext())["next/loss"] == plain.terms["loss"].item()


def moved(made: NextFrameGANObjective, before: dict[str, dict[str, torch.Tensor]]) -> set[str]:
    """Names of the networks whose parameters changed."""
    return {
        name
        for name, module in made.modules.items()
        if any(not torch.equal(p, before[name][key]) for key, p in module.named_parameters())
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"adversarial_from": 9}, {"next"}),
        ({"pretrain": 9}, {"critic"}),
        ({}, {"next", "critic"}),
        ({"schedule": "adversarial", "loss": "logistic"}, {"next", "critic"}),
        ({"schedule": "alternating"}, {"next"}),
    ],
)
@pytest.mark.parametrize(
    ("sees", "form"), [("history", "film"), ("frame", "faithful2d"), ("frame", "unet3d")]
)
def test_one_step_moves_what_it_should(toys, tmp_path, sees, form, settings, expected):
    """And nothing else, for every form and critic."""
    made = objective(sees, form, **settings)
    before = {n: {k: p.detach().clone() for k, p in m.named_parameters()} for n, m in made.modules.items()}
    run(toys, tmp_path, made, steps=1)
    assert moved(made, before) == expected
    assert all(p.requires_grad for p in made.critic.parameters())


def test_lazy_r1(toys, tmp_path):
    """Every second step with a critic, in our schedule only; a linear critic's penalty is known."""
    log = run(toys, tmp_path / "a", objective(adversarial_from=2, r1_every=2), steps=6)
    assert ["critic/r1" in line for line in log] == [False, False, False, True, False, True]
    assert not any(
        "critic/r1" in line for line in run(toys, tmp_path / "b", objective(schedule="mixed", r1_every=1))
    )
    made, _ = judged()
    penalty = made._penalty(batch(), FakeContext(), 0)
    assert penalty["r1"].item() == pytest.approx(1 / (3 * 16 * 16), rel=1e-4)  # |grad of a mean of n|^2 = 1/n
    assert penalty["loss"].item() == pytest.approx(0.5 * 16 / (3 * 16 * 16), rel=1e-4)


@pytest.mark.parametrize(("sees", "form"), [("history", "film"), ("frame", "faithful2d")])
def test_resume_is_bit_exact(toys, tmp_path, sees, form):
    """Stopped in the critic's turn of an alternating run and gone on with: the same bits, statistics included."""
    settings = {"schedule": "alternating", "period": 2, "pretrain": 1, "critic_steps": 2}
    whole = toys.trainer(objective(sees, form, **settings), tmp_path / "a", samples=Clips(), sample_every=0)
    whole.run()
    toys.trainer(
        objective(sees, form, **settings), tmp_path / "b", samples=Clips(), sample_every=0, steps=4
    ).run()
    again = toys.trainer(objective(sees, form, **settings), tmp_path / "b", samples=Clips(), sample_every=0)
    assert again.resume() and again.step == 4
    again.run()
    (one, _), (two, _) = (flatten(t.state()) for t in (whole, again))
    assert one.keys() == two.keys() and all(torch.equal(value, two[key]) for key, value in one.items())
