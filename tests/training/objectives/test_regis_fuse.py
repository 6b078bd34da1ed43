"""What the REGIS-Fuse objective feeds its networks and asks of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from moviola.core.ranges import to_network
from moviola.core.seeds import torch_generator
from moviola.models.regis.fuse import FuseConfig, FuseRefiner
from moviola.training.objectives.regis_fuse import RegisFuseObjective, RegisFuseObjectiveConfig, masked_mean

SMALL = FuseConfig(
    size=16, frames=3, encoder=8, encoder_layers=1, width=24, blocks=1, heads=2, fusion=2, output="residual", skips=True
)  # fmt: skip
JUDGE = {"discriminator_width": 4, "discriminator_layers": 2}


class Recorder(nn.Module):
    """In the place of the refiner: keeps its inputs, answers them plus a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SMALL
        self.level = nn.Parameter(torch.tensor(0.25))
        self.seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def forward(self, video, mask=None):
        self.seen.append((video.detach().clone(), mask.clone()))
        return video + self.level

    def refine(self, video, mask=None, condition=None):
        return (video + self.level).clamp(-1, 1)


class Judge(nn.Module):
    """In the place of the discriminator: the mean of a clip times a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(2.0))
        self.seen: list[torch.Tensor] = []

    def forward(self, video):
        self.seen.append(video.detach().clone())
        return self.slope * video.mean(dim=(2, 3, 4))


class FakeContext:
    """A step number, seeded generators, and `update` without an optimizer."""

    def __init__(self, step: int = 0) -> None:
        self.step = step

    def generator(self, *names):
        return torch_generator(self.step, *names)

    def update(self, name, loss, micros):
        return {f"{name}/{k}": v.item() for k, v in loss(micros[0], 0).items()}


class One:
    """One clip and its flawed twin, with a hole."""

    def sample(self, rng):
        return {k: v[0].numpy() for k, v in batch(1).items()}


def batch(size: int = 4) -> dict[str, torch.Tensor]:
    """Smooth clips of 3 frames, noisy ones with a hole of 4x4 in the middle frame."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 200, (size, 3, 4, 4, 3), dtype=np.uint8)
    clean = coarse.repeat(4, axis=2).repeat(4, axis=3)
    mask = np.zeros((size, 3, 16, 16), np.uint8)
    mask[:, 1, 6:10, 6:10] = 1
    flawed = (clean + rng.normal(0, 40, clean.shape)).clip(0, 255).astype(np.uint8)
    flawed[mask > 0] = 127
    arrays = {"clean": clean, "flawed": flawed, "mask": mask}
    words = {"label": np.full(size, -1), "tokens": np.zeros((size, 2), np.int64)}
    return {k: torch.from_numpy(v) for k, v in (arrays | words).items()}


def log(folder) -> list[dict]:
    """The lines of a run's log."""
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_masked_mean_by_numpy():
    """Every clip's mean inside its mask; an empty mask counts 0."""
    error, mask = torch.rand(3, 2, 3, 4, 4), (torch.rand(3, 2, 1, 4, 4) > 0.5).float()
    mask[1] = 0
    e, m = error.numpy(), mask.expand_as(error).numpy() > 0
    expected = np.mean([e[0][m[0]].mean(), 0, e[2][m[2]].mean()])
    assert masked_mean(error, mask).item() == pytest.approx(expected, rel=1e-5)


def test_loss_by_hand():
    """hole and valid errors, edges, motion and the judge's opinion, each with its weight."""
    net, judge, data = Recorder(), Judge(), batch()
    weights = {"hole": 3.0, "valid": 0.5, "square": 2.0, "absolute": 0.25, "edges": 0.1, "motion": 0.2}
    objective = RegisFuseObjective(net, RegisFuseObjectiveConfig(**weights), discriminator=judge)
    scalars = objective.step([data], FakeContext())
    gap = (to_network(data["flawed"]) + 0.25 - to_network(data["clean"])).numpy().astype(np.float64)
    error, hole = 2 * gap**2 + 0.25 * abs(gap), (data["mask"].numpy() > 0)[:, :, None].repeat(3, axis=2)
    edges = abs(np.diff(gap, axis=-1)).mean() + abs(np.diff(gap, axis=-2)).mean()
    fooled = -2.0 * (to_network(data["flawed"]) + 0.25).mean().item()
    expected = 3 * error[hole].mean() + 0.5 * error[~hole].mean() + 0.1 * edges
    expected += 0.2 * abs(np.diff(gap, axis=1)).mean() + 0.01 * fooled
    assert scalars["refiner/loss"] == pytest.approx(expected, rel=1e-4)
    assert scalars["refiner/mse"] == pytest.approx((gap**2).mean(), rel=1e-4)
    before = ((gap - 0.25) ** 2).mean()
    assert scalars["refiner/left"] == pytest.approx((gap**2).mean() / before, rel=1e-4)


def test_what_the_judge_sees():
    """Clean clips and refined ones, by the hinge; the refiner's update refines the same input."""
    net, judge, data = Recorder(), Judge(), batch()
    objective = RegisFuseObjective(net, RegisFuseObjectiveConfig(self_refined=0.5), discriminator=judge)
    scalars = objective.step([data], FakeContext())
    clean, refined = judge.seen[0].chunk(2)
    assert torch.equal(clean, to_network(data["clean"])) and torch.equal(refined, judge.seen[1])
    assert all(torch.equal(a, b) for a, b in zip(*net.seen, strict=True))
    real, fake = (2 * x.mean(dim=(2, 3, 4)) for x in (clean, refined))
    hinge = (1 - real).clamp(min=0).mean() + (1 + fake).clamp(min=0).mean()
    assert scalars["discriminator/loss"] == pytest.approx(hinge.item(), rel=1e-5)
    assert judge.slope.requires_grad


def test_masks_told_to_a_share():
    """All but `mask_dropout` of the clips keep their mask, the others get an empty one; the clips stay as they are."""
    net, data = Recorder(), batch(200)
    for share in (0.0, 0.3, 1.0):
        net.seen.clear()
        objective = RegisFuseObjective(net, RegisFuseObjectiveConfig(mask_dropout=1 - share, adversarial=0))
        objective.step([data], FakeContext())
        ((video, mask),) = net.seen
        kept = mask.flatten(1).any(dim=1)
        assert torch.equal(video, to_network(data["flawed"]))
        assert torch.equal(mask[kept], data["mask"][kept][:, :, None].float())
        assert kept.float().mean().item() == pytest.approx(share, abs=0.1)


def test_refined_again():
    """About `again` of the clips go in as the network's own result, clipped, without a mask."""
    net, data = Recorder(), batch(200)
    objective = RegisFuseObjective(
        net, RegisFuseObjectiveConfig(mask_dropout=0, self_refined=0.3, adversarial=0)
    )
    objective.step([data], FakeContext())
    ((video, mask),) = net.seen
    flawed = to_network(data["flawed"])
    once = ~mask.flatten(1).any(dim=1)
    assert torch.equal(video[~once], flawed[~once])
    torch.testing.assert_close(video[once], (flawed[once] + 0.25).clamp(-1, 1))
    assert once.float().mean().item() == pytest.approx(0.3, abs=0.1)


def test_when_the_discriminator_joins(toys, tmp_path):
    """Not before `adversarial_from`; until then its weights stay, and then both networks move."""
    config = RegisFuseObjectiveConfig(adversarial_from=2, **JUDGE)
    objective = RegisFuseObjective(FuseRefiner(SMALL), config)
    judge = objective.modules["discriminator"]
    weights = []
    for steps in (2, 4):
        toys.trainer(objective, tmp_path / str(steps), samples=One(), steps=steps, batch=2).run()
        weights.append([p.detach().clone() for p in judge.parameters()])
    assert ["discriminator/loss" in line for line in log(tmp_path / "4")] == [False, False, True, True]
    assert ["refiner/adversarial" in line for line in log(tmp_path / "4")] == [False, False, True, True]
    assert not all(torch.equal(a, b) for a, b in zip(*weights, strict=True))
    assert all(p.requires_grad for p in judge.parameters())


def test_without_an_adversary():
    """Weight 0: no discriminator at all; frozen weights are not in the optimizer."""
    network = FuseRefiner(SMALL)
    network.encoder.requires_grad_(False)
    objective = RegisFuseObjective(network, RegisFuseObjectiveConfig(adversarial=0))
    assert set(objective.modules) == set(objective.optimizers()) == {"refiner"}
    moved = {p.data_ptr() for g in objective.optimizers()["refiner"].param_groups for p in g["params"]}
    assert moved == {p.data_ptr() for p in network.parameters() if p.requires_grad}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_learns_and_shows(toys, tmp_path, precision):
    """Steps on one clip lower the error, with the adversary; the preview has three rows a clip."""
    torch.manual_seed(0)
    config = RegisFuseObjectiveConfig(learning_rate=1e-2, self_refined=0.2, adversarial=1e-3, **JUDGE)
    objective = RegisFuseObjective(FuseRefiner(SMALL), config, batch(2))
    settings = {"steps": 40, "batch": 4, "sample_every": 40, "precision": precision, "ema": 0.9}
    toys.trainer(objective, tmp_path, samples=One(), **settings).run()
    left = [line["refiner/left"] for line in log(tmp_path)]
    assert left[0] == pytest.approx(1, abs=0.01) and np.mean(left[-5:]) < 0.8
    picture = Image.open(tmp_path / "samples" / "refiner-000040.png")
    assert picture.size == (3 * 16, 2 * 3 * 16)


def test_resumed_run_is_the_same_run(toys, tmp_path):
    """Four steps in one go, or two and two: the same weights of both networks, bit for bit."""

    def run(folder, steps):
        torch.manual_seed(0)
        config = RegisFuseObjectiveConfig(self_refined=0.5, **JUDGE)
        made = toys.trainer(
            RegisFuseObjective(FuseRefiner(SMALL), config), folder, samples=One(), steps=steps, batch=2, save_every=2
        )  # fmt: skip
        made.resume()
        made.run()
        return made.state()["modules"]

    whole = run(tmp_path / "whole", 4)
    run(tmp_path / "parts", 2)
    parts = run(tmp_path / "parts", 4)
    assert set(whole) == {"refiner", "discriminator"}
    for name, tensors in whole.items():
        assert all(torch.equal(tensors[k], parts[name][k]) for k in tensors)
