"""What the next-frame objective feeds its network and asks of it."""

from __future__ import annotations

import json
from itertools import permutations, product

import pytest
import torch
from PIL import Image
from torch import nn

from moviola.core.ranges import to_network
from moviola.core.seeds import torch_generator
from moviola.models.nextframe import NextFrameConfig, NextFrameUNet
from moviola.training.losses import edge_l1
from moviola.training.objectives.nextframe import NextFrameObjective, NextFrameObjectiveConfig


class Recorder(nn.Module):
    """In the place of the network: keeps its inputs, answers a constant times a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(0.5))
        self.seen = []

    def forward(self, history, count, slots, first=None):
        self.seen.append((history.detach().clone(), count.clone()))
        return self.level * torch.ones_like(history[:, -1])


class FakeContext:
    """A step number, seeded generators, and `update` without an optimizer."""

    def __init__(self, step: int = 0) -> None:
        self.step = step

    def generator(self, *names):
        return torch_generator(0, *names)

    def update(self, name, loss, micros):
        return {k: v.item() for k, v in loss(micros[0], 0).items()}


def batch(future: int = 3) -> dict[str, torch.Tensor]:
    """Histories of 1 to 4 frames."""
    draws = torch.Generator().manual_seed(0)
    return {
        "history": torch.randint(0, 256, (4, 4, 16, 16, 3), generator=draws, dtype=torch.uint8),
        "count": torch.tensor([1, 2, 3, 4]),
        "future": torch.randint(0, 256, (4, future, 16, 16, 3), generator=draws, dtype=torch.uint8),
        "slots": torch.ones(4, 2, dtype=torch.int64),
    }


def test_loss_by_hand():
    """l1 + 0.5 * edges + square of the one next frame, without noise."""
    net, data = Recorder(), batch()
    scalars = NextFrameObjective(net, NextFrameObjectiveConfig(noise=0)).step([data], FakeContext())
    gap = 0.5 - to_network(data["future"])[:, 0]
    assert scalars["l1"] == pytest.approx(gap.abs().mean().item(), rel=1e-5)
    assert scalars["mse"] == pytest.approx(gap.square().mean().item(), rel=1e-5)
    edges = edge_l1(gap, torch.zeros_like(gap)).item()
    assert scalars["loss"] == pytest.approx(scalars["l1"] + 0.5 * edges + scalars["mse"], rel=1e-5)
    ((history, count),) = net.seen
    assert torch.equal(history, to_network(data["history"])) and torch.equal(count, data["count"])


def test_unroll_feeds_back_its_own_frames():
    """From `unroll_from` on: each prediction becomes the newest frame, the count grows to K, losses are averaged."""
    config = NextFrameObjectiveConfig(noise=0, unroll=3, unroll_from=10, edges=0, square=0)
    net, data = Recorder(), batch()
    objective = NextFrameObjective(net, config)
    objective.step([data], FakeContext(step=9))
    assert len(net.seen) == 1
    net.seen.clear()
    scalars = objective.step([data], FakeContext(step=10))
    assert [c.tolist() for _, c in net.seen] == [[1, 2, 3, 4], [2, 3, 4, 4], [3, 4, 4, 4]]
    assert (net.seen[2][0][:, -2:] == 0.5).all()
    expected = (0.5 - to_network(data["future"])).abs().mean().item()
    assert scalars["loss"] == scalars["l1"] == pytest.approx(expected, rel=1e-5)


def test_noise_on_half_of_the_histories():
    """Half untouched, the others with up to the given deviation; the targets stay clean."""
    net = Recorder()
    data = {k: v.repeat(100, *[1] * (v.dim() - 1)) for k, v in batch(1).items()}
    NextFrameObjective(net, NextFrameObjectiveConfig(noise=0.2)).step([data], FakeContext())
    spread = (net.seen[0][0] - to_network(data["history"])).flatten(1).std(dim=1)
    assert 0.4 < (spread == 0).float().mean() < 0.6
    assert 0.15 < spread.max() < 0.25 and spread[spread > 0].min() < 0.03


def test_recolored_histories():
    """Full captions: channels in another order, some inverted; the other histories and all targets stay."""
    net, data = Recorder(), batch(1)
    data["slots"][2, 1] = 0
    objective = NextFrameObjective(net, NextFrameObjectiveConfig(noise=0, recolor=1.0, edges=0, square=0))
    scalars = objective.step([data], FakeContext())
    assert scalars["l1"] == pytest.approx((0.5 - to_network(data["future"])).abs().mean().item(), rel=1e-5)
    seen, real = net.seen[0][0], to_network(data["history"])
    assert torch.equal(seen[2], real[2])
    swaps = [(order, signs) for order in permutations(range(3)) for signs in product((-1, 1), repeat=3)]
    found = []
    for i in (0, 1, 3):
        fits = [
            s for s in swaps if torch.equal(seen[i], real[i][:, s[0]] * torch.tensor(s[1])[:, None, None])
        ]
        assert len(fits) == 1
        found += fits
    assert len(set(found)) > 1


def test_it_learns_and_shows(toys, tmp_path):
    """A few steps on one clip lower the loss; the preview has a row of real frames above each generated one."""

    class One:
        def sample(self, rng):
            return {k: v[1].numpy() for k, v in batch32(1).items()}

    torch.manual_seed(0)
    net = NextFrameUNet(NextFrameConfig(slots=(2, 2), size=32, history=4, widths=(8, 8, 8, 8), condition=8))
    objective = NextFrameObjective(net, NextFrameObjectiveConfig(learning_rate=1e-2), batch32(3))
    made = toys.trainer(objective, tmp_path, samples=One(), steps=30, sample_every=30, batch=2)
    made.run()
    losses = [json.loads(line)["next/l1"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.7 * losses[0]
    picture = Image.open(tmp_path / "samples" / "next-000030.png")
    assert picture.size == (4 * 32, 2 * 4 * 32)


def batch32(future: int) -> dict[str, torch.Tensor]:
    """The same at 32x32, smooth enough to learn."""
    small = batch(future)
    grow = {k: small[k].repeat_interleave(2, 2).repeat_interleave(2, 3) for k in ("history", "future")}
    return small | grow
