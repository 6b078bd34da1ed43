"""The critics of next frames."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from moviola.models.nextframe import (
    HistoryCritic,
    NextFrameCriticConfig,
    SingleFrameCritic,
    make_critic,
)

SLOTS = (3, 2)


def inputs(seed: int = 0) -> dict[str, torch.Tensor]:
    """Four frames after histories of 1 to 4."""
    draws = torch.Generator().manual_seed(seed)
    return {
        "history": torch.rand(4, 4, 3, 32, 32, generator=draws) * 2 - 1,
        "count": torch.tensor([1, 2, 3, 4]),
        "frame": torch.rand(4, 3, 32, 32, generator=draws) * 2 - 1,
        "slots": torch.tensor([[1, 1], [2, 2], [3, 0], [0, 1]]),
    }


def critic(sees: str):
    """A small one, in eval mode."""
    torch.manual_seed(0)
    config = NextFrameCriticConfig.make(
        {"sees": sees, "slots": SLOTS, "size": 32, "history": 4, "widths": (8, 8, 16, 16), "condition": 8}
    )
    return make_critic(config).eval()


def test_the_size_of_the_sources_critic():
    """Its own summary (Keras, notebook of the adversarial setup), for a grey frame of 128x128: 455,297 parameters,
    454,337 of them trainable, the others being the statistics of batch normalisation."""
    made = make_critic(NextFrameCriticConfig(sees="frame", slots=(2,), size=128, channels=1))
    assert isinstance(made, SingleFrameCritic)
    trainable = sum(p.numel() for p in made.parameters())
    statistics = sum(b.numel() for name, b in made.named_buffers() if "running" in name)
    assert (trainable, trainable + statistics) == (454_337, 455_297)


@torch.no_grad()
@pytest.mark.parametrize(
    ("sees", "matters"), [("history", {"history", "count", "frame", "slots"}), ("frame", {"frame"})]
)
def test_what_a_critic_sees(sees, matters):
    """Ours scores the frame under its history and caption; the source's the frame alone."""
    made, given, other = critic(sees), inputs(), inputs(1)
    other |= {"count": torch.tensor([4, 3, 2, 1]), "slots": given["slots"].roll(1, 0)}
    score = made(**given)
    assert score.shape == (4,)
    changed = {key for key in given if not torch.equal(made(**given | {key: other[key]}), score)}
    assert changed == matters


@torch.no_grad()
def test_empty_places_are_not_looked_at():
    """What stands before the last `count` frames changes no score; what stands in them does."""
    made, given = critic("history"), inputs()
    score = made(**given)
    for k in range(4):
        history = given["history"].clone()
        history[:, k] = inputs(k + 1)["history"][:, k]
        changed = made(**given | {"history": history}) != score
        assert changed.tolist() == [c >= 4 - k for c in (1, 2, 3, 4)]


def test_spectral_norm():
    """After a few steps of power iteration no convolution of ours stretches by more than 1 (as a matrix)."""
    made = critic("history").train()
    for _ in range(40):
        made(**inputs())
    layers = [m for m in made.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    normalised = [m for m in layers if hasattr(m, "parametrizations")]
    assert isinstance(made, HistoryCritic)
    assert len(normalised) == 1 + 3 * 3 + 2  # all but the two dense layers of the caption
    for layer in normalised:
        assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2) == pytest.approx(1, abs=0.05)
