"""Looking up parts of a picture."""

from __future__ import annotations

import torch

from moviola.nn.memory import PictureMemory


def test_adds_nothing_at_first():
    """So that a trained network can be given a memory."""
    torch.manual_seed(0)
    features = torch.randn(2, 8, 4, 6)
    assert torch.equal(PictureMemory(8, 3, 16)(features, torch.randn(2, 3, 4, 6)), features)


def test_learns_to_copy_from_elsewhere():
    """It can take up a picture that has moved by half its width, which no small convolution reaches."""
    torch.manual_seed(1)
    memory = PictureMemory(4, 3, 32)
    optimizer = torch.optim.Adam(memory.parameters(), lr=1e-2)
    losses = []
    for _ in range(200):
        picture = torch.randn(8, 3, 1, 8)
        wanted = picture.roll(4, dims=3)
        out = memory(torch.zeros(8, 4, 1, 8), picture)[:, :3]
        loss = (out - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.8 and losses[-1] < 0.3


def test_each_sample_looks_at_its_own_picture():
    """Row by row, the result does not depend on the others."""
    torch.manual_seed(2)
    memory = PictureMemory(4, 3, 16)
    torch.nn.init.normal_(memory.out.weight)
    features, pictures = torch.randn(3, 4, 4, 4), torch.randn(3, 3, 4, 4)
    together = memory(features, pictures)
    for k in range(3):
        alone = memory(features[k : k + 1], pictures[k : k + 1])
        assert torch.allclose(together[k : k + 1], alone, atol=1e-5)
