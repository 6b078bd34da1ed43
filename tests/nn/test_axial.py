"""Axial attention against loops."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from moviola.nn.axial import AxialAttention, AxialBlock, AxisAttention


def by_hand(layer: AxisAttention, line: torch.Tensor) -> torch.Tensor:
    """Softmax attention of one line (L, C), head by head."""
    length, channels = line.shape
    width = channels // layer.heads
    qkv = (line @ layer.qkv.weight.t()).view(length, layer.heads, 3, width)
    heads = []
    for head in range(layer.heads):
        q, k, v = qkv[:, head].unbind(1)
        heads.append(torch.softmax(q @ k.t() / width**0.5, dim=1) @ v)
    return torch.cat(heads, dim=1) @ layer.out.weight.t() + layer.out.bias


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("heads", [1, 2])
def test_one_axis_by_hand(axis, heads):
    """Every line along the axis is attended to on its own."""
    layer = AxisAttention(8, heads, axis).double()
    x = torch.randn(2, 3, 4, 5, 8, dtype=torch.float64)
    got = layer(x).movedim(axis, 3).flatten(0, 2)
    lines = x.movedim(axis, 3).flatten(0, 2)
    expected = torch.stack([by_hand(layer, line) for line in lines])
    assert torch.allclose(got, expected, atol=1e-12)


def test_the_sum_of_three_axes():
    """A change at one place reaches the lines through it and no other place."""
    attention = AxialAttention(8, 2)
    x = torch.randn(1, 8, 3, 4, 5)
    changed = x.clone()
    changed[:, :, 1, 2, 3] += 1
    moved = (attention(x) - attention(changed)).abs().sum(dim=(0, 1)) > 1e-6
    expected = torch.zeros(3, 4, 5, dtype=torch.bool)
    expected[:, 2, 3] = expected[1, :, 3] = expected[1, 2, :] = True
    assert torch.equal(moved, expected)
    parts = [axis(x.movedim(1, -1)).movedim(-1, 1) for axis in attention.children()]
    assert torch.allclose(attention(x), sum(parts), atol=1e-6)


def test_a_new_block_changes_nothing():
    """And once its last layers are not zero, every parameter gets a gradient."""
    block = AxialBlock(16)
    x = torch.randn(2, 16, 2, 4, 4)
    assert torch.equal(block(x), x)
    for axis in block.attention.children():
        nn.init.normal_(axis.out.weight)
    block(x).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in block.parameters())


def test_a_clip_does_not_depend_on_its_batch():
    """Alone or with others, training or not: the same result; channels-last order is kept."""
    block = AxialBlock(16)
    for axis in block.attention.children():
        nn.init.normal_(axis.out.weight)
    x = torch.randn(3, 16, 2, 4, 4).contiguous(memory_format=torch.channels_last_3d)
    together = block.train()(x)
    assert torch.allclose(block.eval()(x[1:2]), together[1:2], atol=1e-5)
    assert together.is_contiguous(memory_format=torch.channels_last_3d)
