"""What the next-frame objective feeds its network and asks of it."""

from __future__ import annotations

import json
import math
from itertools import permutations, product

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from moviola.core.ranges import to_network
from moviola.core.seeds import torch_generator
from moviola.models.nextframe import NextFrameConfig, NextFrameUNet, make_next_frame
from moviola.training.losses import edge_l1, pixel_cross_entropy
from moviola.training.objectives.nextframe import NextFrameObjective, NextFrameObjectiveConfig


class Recorder(nn.Module):
    """In the place of the network: keeps its inputs, answers a constant times a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(0.5))
        self.seen = []

    def forward(self, history, count, slots, first=None, time=None):
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


def test_losses_by_weight():
    """Each error alone, against PyTorch's own; a perceptual network is asked where its weight is not 0."""
    net, data = Recorder(), batch()
    frame, target = torch.full((4, 3, 16, 16), 0.5), to_network(data["future"])[:, 0]
    expected = {
        "absolute": F.l1_loss(frame, target),
        "square": F.mse_loss(frame, target),
        "cross_entropy": F.binary_cross_entropy(frame / 2 + 0.5, target / 2 + 0.5),
        "lpips": (frame - target).abs().amax(),
    }
    zero = dict.fromkeys(("absolute", "square", "edges", "noise"), 0)

    class Distance(nn.Module):
        def forward(self, x, y):
            return (x - y).abs().amax().expand(len(x))

    for key, value in expected.items():
        config = NextFrameObjectiveConfig.make({**zero, key: 2.0})
        scalars = NextFrameObjective(net, config, lpips=Distance()).step([data], FakeContext())
        assert scalars["loss"] == pytest.approx(2 * value.item(), rel=1e-5)


def test_cross_entropy_of_overshooting_frames():
    """Finite, and at the margin's value: a right overshoot costs what the margin does."""
    ones = torch.ones(1, 3, 4, 4)
    assert pixel_cross_entropy(5 * ones, ones, 1e-3).item() == pytest.approx(-math.log(0.999), rel=1e-4)
    assert pixel_cross_entropy(-5 * ones, ones, 1e-3).item() == pytest.approx(-math.log(0.001), rel=1e-4)


def test_gradients_through_the_rollout():
    """With `through` the second frame's error reaches the first prediction; without, it does not."""

    class Chain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.tensor(0.5))

        def forward(self, history, count, slots, first=None, time=None):
            return self.gain * history[:, -1]

    data = batch()
    data["future"] = torch.full_like(data["future"], 255)  # every error is 1 - frame
    newest = to_network(data["history"])[:, -1].mean().item()
    for through, slope in ((False, 1 + 0.5), (True, 1 + 2 * 0.5)):  # d/dg of g x, and of g (g x)
        net = Chain()
        config = NextFrameObjectiveConfig(noise=0, unroll=2, edges=0, square=0, through=through)
        NextFrameObjective(net, config).predict(data, FakeContext(), 0).terms["loss"].backward()
        assert net.gain.grad.item() == pytest.approx(-slope * newest / 2, rel=1e-3)


def test_the_share_of_own_histories_grows():
    """Nothing up to the first step, all from the second on, evenly between; at once where they are the same."""
    config = NextFrameObjectiveConfig(self_history=0.8, self_from=10, self_until=20)
    assert [config.share_at(s) for s in (0, 10, 15, 20, 99)] == pytest.approx([0, 0, 0.4, 0.8, 0.8])
    assert [NextFrameObjectiveConfig(self_history=0.8, self_from=3).share_at(s) for s in (2, 3)] == [0, 0.8]
    assert (NextFrameObjectiveConfig().share_at(99), NextFrameObjectiveConfig().future) == (0, 1)
    assert NextFrameObjectiveConfig(self_history=0.1, self_frames=3, unroll=2).future == 5


def test_histories_of_its_own():
    """About the share that is due is continued by its own frames; the true frame after those is then the target."""
    config = NextFrameObjectiveConfig(
        noise=0, edges=0, square=0, self_history=0.6, self_frames=3, self_until=10
    )
    data = {k: v.repeat(50, *[1] * (v.dim() - 1)) for k, v in batch(4).items()}
    shares, depths = [], set()
    for step in (5, 10):
        for draw in range(8):
            net, context = Recorder(), FakeContext(step)
            context.generator = lambda *names, draw=draw: torch_generator(draw, *names)
            prediction = NextFrameObjective(net, config).predict(data, context, 0)
            depth = len(net.seen) - 1
            depths.add(depth)
            before, (seen, count) = to_network(data["history"]), net.seen[-1]
            own = (seen[:, -1] == 0.5).flatten(1).all(dim=1)
            assert torch.equal(seen[~own], before[~own]) and torch.equal(count[~own], data["count"][~own])
            assert (seen[own][:, -depth:] == 0.5).all()
            assert torch.equal(seen[own][:, :-depth], before[own][:, depth:])
            assert torch.equal(count[own], (data["count"][own] + depth).clamp(max=4))
            future = to_network(data["future"])
            assert torch.equal(prediction.target[own], future[own, depth])
            assert torch.equal(prediction.target[~own], future[~own, 0])
            shares.append((step, own.float().mean().item()))
    assert depths == {1, 2, 3}
    for step, expected in ((5, 0.3), (10, 0.6)):
        # 1,600 draws: four standard deviations are below 0.05
        assert sum(s for at, s in shares if at == step) / 8 == pytest.approx(expected, abs=0.05)


def test_own_histories_teach_and_leave_no_trace():
    """No gradient reaches them, dropout is off in making them, and the network is left as it was."""
    net = make_next_frame(
        NextFrameConfig(form="faithful2d", slots=(2, 2), size=16, history=4, filters=2, hidden=8, dropout=0.5)
    ).train()
    modes = []
    net.dropout.register_forward_pre_hook(
        lambda module, _: modes.append((module.training, torch.is_grad_enabled()))
    )
    config = NextFrameObjectiveConfig(noise=0, self_history=1.0, self_frames=2)
    NextFrameObjective(net, config).predict(batch(3), FakeContext(), 0)
    assert modes[-1] == (True, True) and set(modes[:-1]) == {(False, False)}
    assert net.training and net.dropout.training


def test_noise_on_half_of_the_histories():
    """Half untouched, the others with up to the given deviation; the targets stay clean."""
    net = Recorder()
    data = {k: v.repeat(100, *[1] * (v.dim() - 1)) for k, v in batch(1).items()}
    NextFrameObjective(net, NextFrameObjectiveConfig(noise=0.2)).step([data], FakeContext())
    spread = (net.seen[0][0] - to_network(data["history"])).flatten(1).std(dim=1)
    assert 0.4 < (spread == 0).float().mean() < 0.6
    assert 0.15 < spread.max() < 0.25 and spread[spread > 0].min() < 0.03


def test_hidden_histories():
    """The given share is empty as a whole, the others are as they were."""
    net = Recorder()
    data = {k: v.repeat(100, *[1] * (v.dim() - 1)) for k, v in batch(1).items()}
    config = NextFrameObjectiveConfig(noise=0, history_dropout=0.3)
    NextFrameObjective(net, config).step([data], FakeContext())
    history, count = net.seen[0]
    hidden = count == 0
    assert abs(hidden.float().mean() - 0.3) < 4.5 * (0.3 * 0.7 / 400) ** 0.5
    assert not history[hidden].any()
    assert torch.equal(history[~hidden], to_network(data["history"])[~hidden])
    assert torch.equal(count[~hidden], data["count"][~hidden])


def test_blurred_histories():
    """The given share, each by one of three boxes in all its frames: the mean around a pixel; the others stay."""
    net = Recorder()
    data = {k: v.repeat(100, *[1] * (v.dim() - 1)) for k, v in batch(1).items()}
    NextFrameObjective(net, NextFrameObjectiveConfig(noise=0, blur=0.5)).step([data], FakeContext())
    seen, real = net.seen[0][0], to_network(data["history"])
    same = (seen == real).flatten(1).all(dim=1)
    assert abs(same.float().mean() - 0.5) < 4.5 * (0.25 / 400) ** 0.5
    boxes = set()
    for row in (~same).nonzero()[:40, 0]:
        means = {
            b: real[row, :, :, 8 - b // 2 : 9 + b // 2, 8 - b // 2 : 9 + b // 2].mean(dim=(2, 3))
            for b in (5, 9, 13)
        }
        fits = [b for b, mean in means.items() if torch.allclose(seen[row, :, :, 8, 8], mean, atol=1e-5)]
        assert len(fits) == 1
        boxes.update(fits)
    assert boxes == {5, 9, 13}


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


def test_the_warp_counts_by_its_own_error():
    """Twice the weight adds the same error once more; the error is that of the warped frame, not of the drawn one."""
    losses = {}
    for weight in (0.0, 1.0, 2.0):
        torch.manual_seed(0)
        config = NextFrameConfig(slots=(3,), size=32, history=3, widths=(8, 8, 8, 8), condition=8, affine=1)
        network = NextFrameUNet(config)
        objective = NextFrameObjective(network, NextFrameObjectiveConfig(warp=weight, noise=0))
        data = {
            "history": torch.full((2, 3, 32, 32, 3), 90, dtype=torch.uint8),
            "count": torch.tensor([3, 2]),
            "future": torch.full((2, 1, 32, 32, 3), 141, dtype=torch.uint8),
            "first": torch.full((2, 32, 32, 3), 90, dtype=torch.uint8),
            "slots": torch.zeros(2, 1, dtype=torch.int64),
        }
        losses[weight] = float(objective.predict(data, FakeContext(), 0).terms["loss"].detach())
    warp = (141 - 90) / 127.5  # a flat picture stays flat, wherever it is taken from
    assert losses[1.0] - losses[0.0] == pytest.approx(warp, rel=1e-4)
    assert losses[2.0] - losses[0.0] == pytest.approx(2 * warp, rel=1e-4)
