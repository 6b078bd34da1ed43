"""What the REGIS-VQ objective asks of its network and does to its codebook."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from moviola.core.ranges import to_network
from moviola.core.seeds import torch_generator
from moviola.models.regis.vq import VqConfig, VqRefiner
from moviola.training.objectives.regis_vq import (
    RegisVqObjective,
    RegisVqObjectiveConfig,
    RunningVariance,
)

SIZES = {
    "size": 16,
    "frames": 4,
    "downsample": (2, 4, 4),
    "hidden": 16,
    "codes": 16,
    "code_width": 8,
    "layers": 1,
}


def network() -> VqRefiner:
    """A small refiner."""
    return VqRefiner(VqConfig.make(SIZES))


def one(seed: int) -> dict[str, np.ndarray]:
    """A smooth clip, its flawed form with a grey block, and the block's mask."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
    clean = np.repeat(coarse, 4, 0).repeat(4, 1).repeat(4, 2)
    mask = np.zeros((4, 16, 16), np.uint8)
    mask[:, 4:8, 4:8] = 1
    flawed = np.where(mask[..., None] == 1, np.uint8(127), clean)
    return {
        "clean": clean,
        "flawed": flawed,
        "mask": mask,
        "label": np.int64(0),
        "tokens": np.zeros(2, np.int64),
    }


def batch(*seeds: int) -> dict[str, torch.Tensor]:
    """Clips of those seeds."""
    clips = [one(seed) for seed in seeds]
    return {k: torch.from_numpy(np.stack([c[k] for c in clips])) for k in clips[0]}


class Clips:
    """Draws among four clips."""

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return one(int(rng.integers(4)))


class FakeContext:
    """`update` without an optimizer, on one rank."""

    step = 0

    def __init__(self, place) -> None:
        self.place = place

    def generator(self, *names):
        return torch_generator(0, *names)

    def update(self, name, loss, micros):
        terms = [loss(micro, i) for i, micro in enumerate(micros)]
        return {k: sum(t[k].item() for t in terms) / len(terms) for k in terms[0]}


def test_loss_by_hand(toys):
    """Squared error over the clean clips' variance, commitment, hole and edges, each as a plain formula says."""
    net, data = network(), batch(0, 1)
    config = RegisVqObjectiveConfig(hole=2.0, edges=0.5)
    objective = RegisVqObjective(net, config)
    with torch.no_grad():
        net.quantizer.initialise(net.encode(to_network(data["flawed"])).flatten(0, -2), torch_generator(1))
        output = net(to_network(data["flawed"]))
    clean = data["clean"].numpy().astype(np.float64) / 127.5 - 1
    made = output.video.movedim(2, -1).numpy().astype(np.float64)
    latents, values = output.latents.numpy(), output.quantized.values.flatten(0, -2).numpy()
    scalars = objective.step([data], FakeContext(toys.ALONE))
    gap = made - clean
    mse, commitment = (gap**2).mean(), ((latents - values) ** 2).mean()
    hole = (gap[data["mask"].numpy() == 1] ** 2).mean()
    edges = np.abs(np.diff(gap, axis=2)).mean() + np.abs(np.diff(gap, axis=3)).mean()
    assert scalars["mse"] == pytest.approx(mse, rel=1e-4)
    assert scalars["hole"] == pytest.approx(hole, rel=1e-4)
    assert scalars["commitment"] == pytest.approx(commitment, rel=1e-4)
    expected = mse / clean.var() + 0.25 * commitment + 2 * hole / clean.var() + 0.5 * edges
    assert scalars["loss"] == pytest.approx(expected, rel=1e-4)
    assert 0 < scalars["usage"] <= 1 <= scalars["perplexity"] <= 16


def test_codebook_starts_once_and_moves_once_a_step(toys):
    """The first step takes rows of the first batch; all micro-batches count in one update; frozen, none does."""
    net = network()
    objective = RegisVqObjective(net, RegisVqObjectiveConfig())
    micros = [batch(0), batch(1)]
    with torch.no_grad():
        rows = torch.cat([net.encode(to_network(m["flawed"])).flatten(0, -2) for m in micros])
    seen = []
    initialise, update = net.quantizer.initialise, net.quantizer.update
    net.quantizer.initialise = lambda *a: (seen.append(("start", a[0])), initialise(*a))[1]
    net.quantizer.update = lambda *a: (seen.append(("move", a[0])), update(*a))[1]
    for _ in range(2):
        scalars = objective.step(micros, FakeContext(toys.ALONE))
    assert [name for name, _ in seen] == ["start", "move", "move"]
    assert all(torch.allclose(latents, rows, atol=1e-5) for _, latents in seen)
    assert scalars["codebook/restarts"] >= 0
    frozen = RegisVqObjective(net, RegisVqObjectiveConfig(freeze_codebook=True))
    before = net.quantizer.vectors.clone()
    assert "codebook/restarts" not in frozen.step(micros, FakeContext(toys.ALONE))
    assert len(seen) == 3 and torch.equal(net.quantizer.vectors, before)


def test_running_variance_is_the_mean():
    """Of the batches so far."""
    running = RunningVariance()
    for value in (1.0, 2.0, 6.0):
        running.add(value)
    assert running.value.item() == pytest.approx(3.0)
    assert running.batches.item() == 3


def test_it_overfits_one_clip_and_shows(toys, tmp_path):
    """The error falls far below the clip's variance; the picture has three rows a clip: flawed, refined, clean."""

    class Same:
        def sample(self, rng):
            return one(0)

    objective = RegisVqObjective(network(), RegisVqObjectiveConfig(learning_rate=5e-3), batch(0, 1))
    toys.trainer(
        objective, tmp_path, samples=Same(), steps=150, batch=1, log_every=50, sample_every=150, save_every=0
    ).run()
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert last["refiner/mse"] < 0.1 * to_network(batch(0)["clean"]).var().item()
    assert Image.open(tmp_path / "samples" / "refiner-000150.png").size == (4 * 16, 2 * 3 * 16)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_resuming_is_as_if_never_stopped(toys, tmp_path, precision):
    """Weights, codebook, its averages and the variance of a resumed run equal those of one that ran through."""

    def run(folder: str, steps: int):
        torch.manual_seed(0)
        objective = RegisVqObjective(network(), RegisVqObjectiveConfig(learning_rate=1e-3))
        made = toys.trainer(
            objective, tmp_path / folder, samples=Clips(), steps=steps, accumulate=2, precision=precision
        )
        made.resume()
        made.run()
        return made.state()

    whole = run("whole", 6)
    run("stopped", 4)
    resumed = run("stopped", 6)
    for kind in ("modules", "ema"):
        for name, tensors in whole[kind].items():
            assert all(torch.equal(v, resumed[kind][name][k]) for k, v in tensors.items())
    assert whole["modules"]["refiner"]["quantizer.initialised"] == 1


def test_a_reloaded_network_keeps_its_codebook(toys, tmp_path):
    """Saved, loaded and trained on: the codebook moves by a step of its averages, it is not drawn anew."""
    net = network()
    toys.trainer(
        RegisVqObjective(net, RegisVqObjectiveConfig()), tmp_path / "a", samples=Clips(), steps=5
    ).run()
    net.save_pretrained(tmp_path / "saved")
    loaded = VqRefiner.from_pretrained(tmp_path / "saved")
    kept = loaded.quantizer.vectors.clone()
    assert torch.equal(kept, net.quantizer.vectors)
    toys.trainer(
        RegisVqObjective(loaded, RegisVqObjectiveConfig()), tmp_path / "b", samples=Clips(), steps=1
    ).run()
    old = (loaded.quantizer.vectors[:, None] - kept).norm(dim=2).min(dim=1).values
    assert old.max() > 0 and old.median() < 0.05 * kept.norm(dim=1).median()


def test_only_what_is_trained_is_in_the_optimizer():
    """With all but some weights fixed, as adapters do, the optimizer has those alone."""
    net = network()
    net.requires_grad_(False)
    net.encoder.join.requires_grad_(True)
    (optimizer,) = RegisVqObjective(net, RegisVqObjectiveConfig()).optimizers().values()
    held = {p for group in optimizer.param_groups for p in group["params"]}
    assert held == set(net.encoder.join.parameters())
    assert optimizer.param_groups[0]["lr"] == 3e-4


def test_adversarial_and_perceptual_terms(toys):
    """Both add weight times what the frozen judges say; before its first step the discriminator has no part."""

    class Distance(torch.nn.Module):
        def forward(self, a, b):
            return torch.full((len(a), 1), 2.0)

    net, data = network(), batch(0, 1)
    config = RegisVqObjectiveConfig(
        lpips=0.5, adversarial=0.1, adversarial_from=5, discriminator_width=4, discriminator_layers=2
    )
    objective = RegisVqObjective(net, config, lpips=Distance())  # type: ignore[arg-type]
    early = FakeContext(toys.ALONE)
    before = objective.step([data], early)
    assert "adversarial" not in before and before["lpips"] == pytest.approx(2.0)
    assert set(objective.optimizers()) == {"refiner", "discriminator"}
    late = FakeContext(toys.ALONE)
    late.step = 5
    score = torch.tensor([[[[0.25]]], [[[0.75]]], [[[-0.5]]], [[[0.0]]]])  # two real clips, two refined ones
    calls = []

    class Judge(torch.nn.Module):
        def forward(self, video):
            calls.append(len(video))
            return score[: len(video)]

    objective.discriminator = Judge()  # type: ignore[assignment]
    after = objective.step([data], late)
    assert calls == [2, 4]
    assert after["adversarial"] == pytest.approx(-0.5)  # minus the mean score of the refined clips
    # hinge: mean of 1 - 0.25 and 1 - 0.75, plus mean of 1 - 0.5 and 1 + 0
    assert after["real"] == pytest.approx(0.5) and after["fake"] == pytest.approx(-0.25)
