"""The objective of REGIS-U: what it weighs, and what it trains on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moviola.models.regis.unet import UnetConfig, UnetRefiner
from moviola.training.objectives.regis_u import RegisUObjective, RegisUObjectiveConfig, _weight

CONFIG = UnetConfig(
    dim=8, multipliers=(1, 2), blocks=1, heads=2, head=8, condition=16, frames=4, size=16, text=True
)


class Context:
    """Runs the loss once, without an optimizer."""

    def update(self, name, loss, micros):
        return {key: float(value) for key, value in loss(micros[0], 0).items()}

    def generator(self, *names):
        return torch.Generator().manual_seed(len(names))


def batch(mask=0, seed=0):
    rng = np.random.default_rng(seed)
    clean = rng.integers(0, 256, (2, 4, 16, 16, 3), np.uint8)
    flawed = np.clip(clean.astype(int) + 20, 0, 255).astype(np.uint8)
    return {
        "clean": torch.from_numpy(clean),
        "flawed": torch.from_numpy(flawed),
        "mask": torch.full((2, 4, 16, 16), mask, dtype=torch.uint8),
        "label": torch.full((2,), -1),
        "tokens": torch.zeros(2, 32, dtype=torch.long),
    }


def objective(**settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return RegisUObjective(UnetRefiner(CONFIG), RegisUObjectiveConfig(**settings))


def test_terms_by_numpy():
    """A fresh network is the identity, so the terms are those of the flawed clip."""
    terms = objective(self_refined=0, edges=0.5, motion=2, soft=0, square=1, error_power=0).step(
        [batch(mask=1)], Context()
    )
    b = batch()
    error = (b["flawed"].double() - b["clean"].double()).numpy() / 127.5
    l1, mse = np.abs(error).mean(), (error**2).mean()
    edges = np.abs(np.diff(error, axis=3)).mean() + np.abs(np.diff(error, axis=2)).mean()
    motion = np.abs(np.diff(error, axis=1)).mean()
    assert terms["pixel"] == pytest.approx(l1, rel=1e-5) and terms["left"] == pytest.approx(1, rel=1e-5)
    assert terms["loss"] == pytest.approx(l1 + mse + 0.5 * edges + 2 * motion, rel=1e-5)


def test_weight_of_what_is_known():
    """1 in the hole, `known` outside; a clip without a hole counts everywhere."""
    mask = torch.zeros(2, 1, 1, 2, 2)
    mask[0, ..., 0] = 1
    weight = _weight(mask, 0.25)
    assert weight[0, 0, 0].tolist() == [[1, 0.25], [1, 0.25]] and (weight[1] == 1).all()


def test_its_own_work_is_trained_on():
    """With `self_refined` of 1 all clips go through first: with a network that halves, the loss is of a quarter."""
    made = objective(self_refined=1.0, edges=0, motion=0, square=0, soft=0, error_power=0, mask_dropout=0)
    calls = []

    def halve(video, mask=None, condition=None):
        calls.append(float(mask.mean()) if mask is not None else 0.0)
        return video / 2

    made.network.forward = halve
    made.network.refine = halve
    b = batch(mask=1)
    terms = made.step([b], Context())
    expected = ((b["flawed"].float() / 127.5 - 1) / 4 - (b["clean"].float() / 127.5 - 1)).abs().mean()
    assert terms["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert calls == [1.0, 0.0]  # what it has filled is no hole any more


def test_what_is_said_may_be_withheld():
    """With `condition_dropout` of 1 the words never arrive; with 0 they do."""
    b = batch()
    b["tokens"][:] = 7
    heard = {
        share: objective(condition_dropout=share)._condition(b, torch.Generator().manual_seed(0)).tokens
        for share in (0.0, 1.0)
    }
    assert not heard[1.0].any() and (heard[0.0] == 7).all()


def test_the_mask_may_be_withheld():
    """The network sees none with `mask_dropout` of 1, and the loss still weighs by it."""
    made, seen = (
        objective(self_refined=0, mask_dropout=1.0, known=0.0, edges=0, motion=0, square=0, soft=0),
        [],
    )
    made.network.forward = lambda video, mask=None, condition=None: seen.append(float(mask.sum())) or video
    b = batch()
    b["mask"][:, :, :8] = 1
    terms = made.step([b], Context())
    error = (b["flawed"].float() - b["clean"].float()).abs() / 127.5
    assert seen == [0.0] and terms["loss"] == pytest.approx(float(error[:, :, :8].mean()) / 2, rel=1e-5)


def test_only_what_needs_gradients_is_trained():
    """Frozen weights are not given to the optimizer."""
    made = objective()
    for p in made.network.parameters():
        p.requires_grad_(False)
    made.network.head[-1].weight.requires_grad_(True)
    (group,) = made.optimizers()["refiner"].param_groups
    assert [p.shape for p in group["params"]] == [made.network.head[-1].weight.shape]


def test_preview(tmp_path):
    """Three rows of pictures for each clip: flawed, refined, clean."""
    from PIL import Image

    made = objective()
    made.shown = batch()
    made.samples(tmp_path, {"refiner": made.network}, 3)
    assert Image.open(tmp_path / "refined-000003.png").size == (4 * 16, 2 * 3 * 16)


def test_a_discriminator_takes_part():
    """It sees the flawed clip beside the clean or refined one, and only its own weights move in its step."""
    made = objective(adversarial=0.1, discriminator_width=4, discriminator_layers=2, self_refined=0)
    assert set(made.modules) == {"refiner", "discriminator"} == set(made.optimizers())
    b, seen = batch(), []
    assert made.judge is not None
    forward = made.judge.forward
    made.judge.forward = lambda x: seen.append(x.detach()) or forward(x)
    terms = made.step([b], Context())
    seen = seen[::-1]  # the refiner goes first
    assert seen[0].shape == (4, 4, 6, 16, 16) and seen[1].shape == (2, 4, 6, 16, 16)
    clean, flawed = (b[key].movedim(-1, -3).float() / 127.5 - 1 for key in ("clean", "flawed"))
    assert torch.allclose(seen[0][:2, :, :3], flawed, atol=1e-6)
    assert torch.allclose(seen[0][:2, :, 3:], clean, atol=1e-6)
    assert torch.allclose(seen[0][2:, :, 3:], flawed, atol=1e-6)  # a fresh network is the identity
    rest = sum(terms[key] * weight for key, weight in (("pixel", 1.0), ("motion", 0.5), ("adversarial", 0.1)))
    assert terms["loss"] > rest - 1e-6 and "adversarial" in terms
    assert all(p.requires_grad for p in made.judge.parameters())


def test_activity_is_weighed():
    """The term is the soft error of local activity, added with its weight."""
    plain, lively = (
        objective(self_refined=0, error_power=0, activity=a).step([batch()], Context()) for a in (0.0, 2.0)
    )
    assert "activity" not in plain and lively["activity"] > 0
    assert lively["loss"] == pytest.approx(plain["loss"] + 2 * lively["activity"], rel=1e-5)
