"""The training loop: exact resume, kills, accumulation, clipping, NaN, and objectives of every shape."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from moviola.core.errors import ConfigError, NonFiniteError, WeightsError
from moviola.training import checkpoint
from moviola.training.loop import Context, TrainerConfig
from moviola.training.schedule import Schedule


def assert_same(a, b) -> None:
    """Every tensor and every plain value of two states is equal, bit for bit."""
    (tensors, tree), (others, other_tree) = checkpoint.flatten(a), checkpoint.flatten(b)
    assert tree == other_tree and tensors.keys() == others.keys()
    different = [k for k in tensors if not torch.equal(tensors[k], others[k])]
    assert different == []


def log_of(folder: Path) -> list[dict]:
    """The log without the speed, which no run repeats."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "steps_per_second"} for line in lines]


def interrupt_at(step: int):
    """A hook that presses ctrl-C in the middle of a step."""

    def hook(now: int, where: str) -> None:
        if (now, where) == (step, "middle"):
            os.kill(os.getpid(), signal.SIGINT)

    return hook


@pytest.mark.parametrize("stop", [1, 4, 6])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"channels_last": True},
        {"precision": "bf16", "accumulate": 2},
        {"schedule": Schedule(kind="cosine", warmup=3), "ema": 0.9, "clip": 0.1},
    ],
    ids=["plain", "channels-last", "bf16", "scheduled"],
)
def test_resume_is_bit_exact(toys, tmp_path, stop, settings):
    """Stopped by ctrl-C and resumed in a fresh objective with other weights: every tensor and log line is the same."""
    torch.manual_seed(1)
    straight = toys.trainer(toys.Adversarial(), tmp_path / "straight", **settings)
    straight.run()

    torch.manual_seed(1)
    halted = toys.trainer(toys.Adversarial(interrupt_at(stop)), tmp_path / "halted", **settings)
    with pytest.raises(KeyboardInterrupt):
        halted.run()
    assert halted.step == stop + 1

    torch.manual_seed(99)
    resumed = toys.trainer(toys.Adversarial(), tmp_path / "halted", **settings)
    assert resumed.resume() and resumed.step == stop + 1
    resumed.run()
    assert_same(resumed.state(), straight.state())
    assert log_of(tmp_path / "halted") == log_of(tmp_path / "straight")
    assert [line["step"] for line in log_of(tmp_path / "halted")] == list(range(1, 9))


def test_runs_repeat(toys, tmp_path):
    """The same seed, the same run; another seed, another."""
    states = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(1)
        made = toys.trainer(toys.Adversarial(), tmp_path / name, seed=seed)
        made.run()
        states.append(made.state())
    assert_same(states[0], states[1])
    weights = [s["modules"]["made"]["0.weight"] for s in states]
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.slow
def test_kill_and_resume(toys, tmp_path):
    """kill -9 inside a step, inside a file and before a rename: resumed runs end like one never disturbed."""
    torch.manual_seed(1)
    whole = toys.trainer(toys.Adversarial(), tmp_path / "whole")
    whole.run()
    modes = {"step": 4, "write": 2, "rename": 2}  # where -> the newest checkpoint that must be left
    words = [sys.executable, toys.__file__]
    children = {m: subprocess.Popen([*words, str(tmp_path / m), m], stderr=subprocess.PIPE) for m in modes}
    for mode, newest in modes.items():
        _, said = children[mode].communicate(timeout=300)
        assert children[mode].returncode == -signal.SIGKILL, said.decode()
        folder = tmp_path / mode
        assert list(checkpoint.steps(folder / "checkpoints"))[-1] == newest
        assert mode == "step" or list((folder / "checkpoints").glob(".step-*.part"))
        resumed = toys.trainer(toys.Adversarial(), folder)
        assert resumed.resume() and resumed.step == newest
        resumed.run()
        assert_same(resumed.state(), whole.state())
        assert log_of(folder) == log_of(tmp_path / "whole")
        assert sorted(p.name for p in (folder / "checkpoints").iterdir()) == [
            "step-00000006",
            "step-00000008",
        ]


def test_damaged_newest_checkpoint(toys, tmp_path):
    """One line that says which and what to do; after doing it, the run ends as if nothing had happened."""
    torch.manual_seed(1)
    whole = toys.trainer(toys.Adversarial(), tmp_path / "run")
    whole.run()
    newest = checkpoint.latest(tmp_path / "run" / "checkpoints")
    assert newest is not None
    tensors = newest / "state.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-7])
    again = toys.trainer(toys.Adversarial(), tmp_path / "run")
    with pytest.raises(WeightsError, match="remove it to resume from the one before") as error:
        again.resume()
    assert str(newest) in str(error.value) and "\n" not in str(error.value)
    tensors.unlink()
    (newest / "state.json").unlink()
    newest.rmdir()
    assert again.resume() and again.step == 6
    again.run()
    assert_same(again.state(), whole.state())


def test_nothing_to_resume(toys, tmp_path):
    """An empty folder starts at the beginning."""
    assert not toys.trainer(toys.Adversarial(), tmp_path).resume()


def test_resumed_runs_take_new_settings(toys, tmp_path):
    """A lower learning rate and an average that was off at first are those of the new run."""
    toys.trainer(toys.Decoder(), tmp_path, steps=2, ema=0).run()
    objective = toys.Decoder()
    make = objective.optimizers
    objective.optimizers = lambda: {k: lower(o) for k, o in make().items()}
    resumed = toys.trainer(objective, tmp_path, steps=3, ema=0.5)
    assert resumed.resume()
    before = {k: v.clone() for k, v in resumed.objective.modules["net"].state_dict().items()}
    assert_same(resumed.ema["net"].module.state_dict(), before)
    resumed.run()
    assert resumed.optimizers["all"].param_groups[0]["lr"] == 0
    assert_same(resumed.objective.modules["net"].state_dict(), before)


def lower(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Set the learning rate to nothing."""
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    return optimizer


@pytest.mark.parametrize("accumulate", [2, 4, 8])
def test_accumulation_equals_the_full_batch(toys, tmp_path, accumulate):
    """Micro-batches change nothing but rounding, clipping included."""
    states = []
    for name, parts in (("full", 1), ("parts", accumulate)):
        torch.manual_seed(1)
        made = toys.trainer(
            toys.Decoder(), tmp_path / name, batch=8, accumulate=parts, clip=0.05, sample_every=0
        )
        made.run()
        states.append(made.state())
    for module in ("net", "latents"):
        for key, tensor in states[0]["modules"][module].items():
            assert torch.allclose(tensor, states[1]["modules"][module][key], atol=1e-5), key
    for a, b in zip(log_of(tmp_path / "full"), log_of(tmp_path / "parts"), strict=True):
        assert a == pytest.approx(b, rel=1e-4)


def test_batch_must_divide(toys, tmp_path):
    """Named with both numbers."""
    with pytest.raises(ConfigError, match=r"6 .* 4"):
        toys.trainer(toys.Decoder(), tmp_path, batch=6, accumulate=4)


class Quadratic:
    """Loss |w - x|^2 / 2 with plain SGD of rate 1: the gradient is w - x. `bend` may spoil the terms."""

    averaged = ("w",)

    def __init__(self, bend=lambda terms, context, w: terms) -> None:
        self.w = nn.Linear(1, 3, bias=False)
        nn.init.zeros_(self.w.weight)
        self.modules = {"w": self.w}
        self.bend, self.rates = bend, []

    def optimizers(self):
        self.optimizer = torch.optim.SGD(self.w.parameters(), lr=0.5)
        return {"w": self.optimizer}

    def step(self, micros, context):
        def loss(micro, number):
            gap = self.w.weight[:, 0] - micro["x"].mean(dim=0)
            return self.bend({"loss": gap.square().sum() / 2, "gap": gap.abs().max()}, context, self.w.weight)

        scalars = context.update("w", loss, micros)
        self.rates.append(self.optimizer.param_groups[0]["lr"])
        return scalars

    def samples(self, folder, modules, step):
        pass


class Threes:
    """x is always (3, 4, 12)."""

    def sample(self, rng):
        return {"x": np.array([3, 4, 12], np.float32)}


def test_steps_clip_and_log_in_numbers(toys, tmp_path):
    """The gradient has norm 13: logged before clipping, and clipped to the given norm."""
    objective = Quadratic()
    made = toys.trainer(objective, tmp_path, samples=Threes(), steps=1, clip=2.0)
    made.run()
    assert torch.allclose(objective.w.weight[:, 0], 0.5 * 2 / 13 * torch.tensor([3.0, 4, 12]))
    (line,) = log_of(tmp_path)
    assert line == {"step": 1, "w/loss": 84.5, "w/gap": 12.0, "w/grad": pytest.approx(13.0)}


def test_no_clip(toys, tmp_path):
    """0 means none: from 0, half way to the target each step."""
    objective = Quadratic()
    made = toys.trainer(objective, tmp_path, samples=Threes(), steps=3, clip=0, ema=0)
    made.run()
    assert torch.allclose(objective.w.weight[:, 0], torch.tensor([3.0, 4, 12]) * (1 - 0.5**3))
    assert made.ema == {} and made.best_modules() == {"w": objective.w}


@pytest.mark.parametrize(
    "schedule", [Schedule(), Schedule(kind="linear", warmup=2), Schedule(kind="cosine", floor=0.1)]
)
def test_rates_follow_the_schedule(toys, tmp_path, schedule):
    """Step s runs with base * factor(s)."""
    objective = Quadratic()
    toys.trainer(objective, tmp_path, samples=Threes(), steps=6, schedule=schedule).run()
    assert objective.rates == pytest.approx([0.5 * schedule.factor(s, 6) for s in range(6)])


def test_average_in_the_loop(toys, tmp_path):
    """The average is updated once a step, after it."""
    objective = Quadratic()
    made = toys.trainer(objective, tmp_path, samples=Threes(), steps=4, clip=0, ema=0.15)
    made.run()
    w = average = np.zeros(3)
    for step in range(4):
        w = w + 0.5 * (np.array([3, 4, 12]) - w)
        keep = min(0.15, (1 + step) / (10 + step))
        average = keep * average + (1 - keep) * w
    assert np.allclose(made.best_modules()["w"].weight.detach()[:, 0], average, rtol=1e-5)


def bad_loss(terms, context, w):
    return terms | ({"loss": terms["loss"] * float("nan")} if context.step == 2 else {})


def bad_term(terms, context, w):
    return terms | ({"gap": terms["gap"] / 0} if context.step == 2 else {})


def bad_gradient(terms, context, w):
    return terms | ({"loss": terms["loss"] + (w * 0).sum().sqrt()} if context.step == 2 else {})


@pytest.mark.parametrize(
    ("bend", "term"), [(bad_loss, "w: loss"), (bad_term, "w: gap"), (bad_gradient, "w: the gradient")]
)
def test_not_finite(toys, tmp_path, bend, term):
    """Step and term are named, the weights are those from before the step, and the last checkpoint stands."""
    objective = Quadratic(bend)
    made = toys.trainer(objective, tmp_path, samples=Threes(), steps=6, clip=0)
    with pytest.raises(NonFiniteError) as error:
        made.run()
    assert (error.value.step, error.value.term) == (2, term) and error.value.exit_code == 1
    text = str(error.value)
    assert "step 2" in text and term in text and "\n" not in text
    assert torch.allclose(objective.w.weight[:, 0], torch.tensor([3.0, 4, 12]) * (1 - 0.5**2))
    assert list(checkpoint.steps(tmp_path / "checkpoints")) == [2]
    assert [line["step"] for line in log_of(tmp_path)] == [1, 2]


def late_loss(terms, context, w):
    return terms | ({"loss": terms["loss"] * float("nan")} if context.step == 3 else {})


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_a_checkpoint_from_which_training_fails_does_not_stay(toys, tmp_path, keep):
    """The newest one whose next step was finite does, however few are kept."""
    made = toys.trainer(
        Quadratic(late_loss), tmp_path, samples=Threes(), steps=6, clip=0, save_every=1, keep=keep
    )
    with pytest.raises(NonFiniteError):
        made.run()
    assert list(checkpoint.steps(tmp_path / "checkpoints")) == ([1, 2] if keep == 3 else [2])
    again = toys.trainer(Quadratic(), tmp_path, samples=Threes(), steps=6, clip=0, keep=keep)
    assert again.resume() and again.step == 2
    again.run()
    assert len(list(checkpoint.steps(tmp_path / "checkpoints"))) <= keep


def test_weights_that_are_not_finite_are_not_saved(toys, tmp_path):
    """The last update of a run can spoil them after every term was finite."""

    class Spoiled(Quadratic):
        def step(self, micros, context):
            scalars = super().step(micros, context)
            if context.step == 3:
                self.w.weight.data[0] = float("inf")
            return scalars

    made = toys.trainer(Spoiled(), tmp_path, samples=Threes(), steps=4, clip=0, save_every=1)
    with pytest.raises(NonFiniteError, match="step 4: a weight of w is not finite"):
        made.run()
    assert max(checkpoint.steps(tmp_path / "checkpoints")) == 3


@pytest.mark.parametrize(
    ("step", "precision", "says", "says_not"),
    [
        (0, "bf16", ["trainer.precision=fp32", "the data"], ["lower", "resume"]),
        (0, "fp32", ["the data", "the weights it starts from"], ["lower", "resume", "precision"]),
        (7, "bf16", ["resume", "trainer.precision=fp32", "lower the learning rate"], ["the data"]),
        (7, "fp32", ["resume", "lower learning rate"], ["precision", "the data"]),
    ],
)
def test_advice_where_it_is_not_finite(step, precision, says, says_not):
    """At the first step no learning rate is to blame; fp32 is offered to who has bf16 alone."""
    text = str(NonFiniteError(step, "w: loss", precision))
    assert f"step {step}: w: loss is not finite" in text and "\n" not in text
    assert all(words in text for words in says), text
    assert not any(words in text for words in says_not), text


def test_alternating_updates_touch_their_own_networks(toys, tmp_path):
    """Each update moves one optimizer's parameters; R1 is a third update on every third step."""
    moved = []

    class Watched(toys.Adversarial):
        def step(self, micros, context):
            update = context.update

            def watch(name, loss, micros):
                before = {k: [p.detach().clone() for p in m.parameters()] for k, m in self.modules.items()}
                result = update(name, loss, micros)
                changed = {
                    k
                    for k, m in self.modules.items()
                    if any(not torch.equal(a, b) for a, b in zip(before[k], m.parameters(), strict=True))
                }
                moved.append((context.step, name, changed))
                return result

            context.update = watch
            try:
                return super().step(micros, context)
            finally:
                context.update = update

    toys.trainer(Watched(), tmp_path, steps=4).run()
    names = [[n for s, n, _ in moved if s == step] for step in range(4)]
    assert names == [
        ["critic", "critic", "made"],
        ["critic", "made"],
        ["critic", "made"],
        ["critic", "critic", "made"],
    ]
    assert all(changed == {name} for _, name, changed in moved)


def test_auto_decoder_finds_the_closed_form(toys, tmp_path):
    """Latents as parameters of ridge regression: z = (A'A + l)^-1 A'x."""
    rng = np.random.default_rng(0)
    matrix, targets = (
        torch.from_numpy(rng.standard_normal((7, 3))).float(),
        rng.standard_normal((5, 7)).astype("f4"),
    )

    class Items:
        def sample(self, rng):
            index = rng.integers(5)
            return {"index": np.int64(index), "x": targets[index]}

    class Latents(toys.Base):
        averaged = ("z",)

        def __init__(self):
            self.modules = {"z": nn.Embedding(5, 3)}

        def optimizers(self):
            return {"z": torch.optim.Adam(self.modules["z"].parameters(), lr=0.2)}

        def step(self, micros, context):
            def loss(micro, number):
                z = self.modules["z"](micro["index"])
                return {
                    "loss": ((z @ matrix.T - micro["x"]).square().sum(1) + 0.3 * z.square().sum(1)).mean()
                }

            return context.update("z", loss, micros)

    made = toys.trainer(
        Latents(),
        tmp_path,
        samples=Items(),
        steps=400,
        batch=10,
        clip=0,
        log_every=0,
        sample_every=0,
        save_every=0,
        ema=0.9,
        schedule=Schedule(kind="cosine"),
    )
    made.run()
    expected = torch.linalg.solve(
        matrix.T @ matrix + 0.3 * torch.eye(3), matrix.T @ torch.from_numpy(targets).T
    ).T
    assert torch.allclose(made.best_modules()["z"].weight, expected, atol=2e-3)


def test_bf16_keeps_float32_weights(toys, tmp_path):
    """Autocast only: close to the float32 run, weights and moments in float32."""
    losses = {}
    for precision in ("fp32", "bf16"):
        torch.manual_seed(1)
        made = toys.trainer(toys.Decoder(), tmp_path / precision, precision=precision, sample_every=0)
        made.run()
        losses[precision] = [line["all/loss"] for line in log_of(tmp_path / precision)]
        tensors, _ = checkpoint.flatten([made.state()["modules"], made.state()["optimizers"]])
        assert {t.dtype for t in tensors.values()} == {torch.float32}
    assert losses["bf16"] != losses["fp32"] and losses["bf16"] == pytest.approx(losses["fp32"], rel=0.02)


def test_generators_depend_on_seed_step_rank_and_names(toys, tmp_path):
    """Nothing else."""
    drawn = {}
    for seed in (0, 1):
        for rank in (0, 1):
            place = toys.Place(rank, 2, torch.device("cpu"))
            made = toys.trainer(toys.Decoder(), tmp_path, seed=seed)
            made.place = place
            context = Context(made)
            for step in (0, 1):
                context.step = step
                for name in ("a", "b"):
                    drawn[seed, rank, step, name] = float(
                        torch.rand((), generator=context.generator(name, 3))
                    )
                    assert drawn[seed, rank, step, name] == float(
                        torch.rand((), generator=context.generator(name, 3))
                    )
    assert len(set(drawn.values())) == 16


def test_samples_and_checkpoints_at_intervals(toys, tmp_path):
    """Every so many steps and at the end; sampling changes neither modes nor global randomness."""
    made = toys.trainer(toys.Adversarial(), tmp_path, steps=7, sample_every=3, save_every=2, keep=3)
    made.run()
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == ["3.txt", "6.txt", "7.txt"]
    assert list(checkpoint.steps(tmp_path / "checkpoints")) == [4, 6, 7]
    assert made.objective.critic.training and not made.best_modules()["made"].training
    off = toys.trainer(
        toys.Adversarial(), tmp_path / "off", steps=3, sample_every=0, save_every=0, log_every=0
    )
    off.run()
    assert not (tmp_path / "off" / "samples").exists()
    assert list(checkpoint.steps(tmp_path / "off" / "checkpoints")) == [3] and log_of(tmp_path / "off") == []


def test_second_interrupt_stops_at_once(toys, tmp_path):
    """The first ctrl-C asks, the second insists; signals go back to their handlers."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def hook(step, where):
        if (step, where) == (3, "start"):
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)

    made = toys.trainer(toys.Adversarial(hook), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        made.run()
    assert made.step == 3 and list(checkpoint.steps(tmp_path / "checkpoints")) == [2]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_config_ranges():
    """Out of range is refused."""
    for bad in (
        {"steps": 0},
        {"steps": 1, "precision": "fp16"},
        {"steps": 1, "ema": 1},
        {"steps": 1, "keep": 0},
    ):
        with pytest.raises(ConfigError):
            TrainerConfig.make(bad)
