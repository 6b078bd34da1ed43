"""The text-to-frame generator and its critic."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from moviola.models.textgan import CriticConfig, FrameCritic, FrameGenerator, TextGANConfig

SLOTS = (3, 2)


def generator(size: int = 32) -> FrameGenerator:
    """A small generator with random weights everywhere (FiLM starts at zero)."""
    made = FrameGenerator(TextGANConfig(slots=SLOTS, size=size, latent=4, widths=(8, 8, 8, 8), condition=8))
    draws = torch.Generator().manual_seed(3)
    for p in made.parameters():
        p.data.normal_(0, 0.2, generator=draws)
    return made.eval()


def critic(size: int = 32) -> FrameCritic:
    """A small critic."""
    torch.manual_seed(0)
    return FrameCritic(CriticConfig(slots=SLOTS, size=size, widths=(8, 8, 8, 8), condition=8)).eval()


@torch.no_grad()
@pytest.mark.parametrize("size", [16, 32, 48])
def test_shapes(size):
    """(B, 3, size, size) frames, (B,) scores."""
    slots = torch.ones(2, 2, dtype=torch.int64)
    made = generator(size)(slots, torch.randn(2, 4))
    assert made.shape == (2, 3, size, size) and made.dtype == torch.float32
    assert critic(size)(made, slots).shape == (2,)


@torch.no_grad()
def test_words_and_noise_both_matter():
    """Every caption and every noise gives another frame; the same ones the same frame, alone or in a batch."""
    net, noise = generator(), torch.randn(1, 4).expand(12, -1)
    rows = torch.tensor([[a, b] for a in range(4) for b in range(3)])
    made = net(rows, noise)
    assert torch.cdist(made.flatten(1), made.flatten(1)).fill_diagonal_(1).min() > 1e-3
    assert torch.allclose(net(rows[5:6], noise[:1])[0], made[5], atol=1e-4)
    assert not torch.allclose(net(rows[:1], torch.randn(1, 4))[0], made[0], atol=1e-3)


@torch.no_grad()
def test_critic_is_unconditional_score_plus_projection():
    """The difference of two captions' scores is <V y1 - V y2, phi(x)>: linear in the caption vector."""
    net, x = critic(), torch.rand(1, 3, 32, 32) * 2 - 1
    phi: list[torch.Tensor] = []
    net.score.register_forward_hook(lambda _, inputs, __: phi.append(inputs[0]))
    rows = torch.tensor([[1, 1], [2, 0]])
    a, b = net(x.expand(2, -1, -1, -1), rows)
    projected = net.caption(rows) @ net.project.weight.T
    expected = ((projected[0] - projected[1]) * phi[0][0]).sum()
    assert torch.allclose(a - b, expected, atol=1e-5) and abs(expected) > 1e-6


def test_critic_layers_have_spectral_norm_one():
    """The largest singular value of every convolution and dense layer is 1 after some power iterations."""
    net = critic().train()
    for _ in range(30):
        net(torch.rand(1, 3, 32, 32), torch.ones(1, 2, dtype=torch.int64))
    net.eval()
    layers = [
        m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear) and hasattr(m, "parametrizations")
    ]
    assert len(layers) == 1 + 3 * 3 + 2
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item() == pytest.approx(
            1, abs=0.05
        )


def test_save_and_load(tmp_path):
    """The same frame after a round trip."""
    net, args = generator(), (torch.ones(1, 2, dtype=torch.int64), torch.randn(1, 4))
    again = FrameGenerator.from_pretrained(net.save_pretrained(tmp_path / "first"))
    with torch.no_grad():
        assert torch.equal(again(*args), net(*args))
