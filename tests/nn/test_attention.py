"""Attention layers against loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from moviola.nn.attention import CrossAttention, LinearAttention, TemporalAttention, rotate


def fresh(make):
    """A layer with every weight drawn anew, so that nothing is zero."""
    generator = torch.Generator().manual_seed(0)
    layer = make()
    for p in layer.parameters():
        p.data = torch.randn(p.shape, generator=generator) * 0.3
    return layer.eval()


def clip(n=6, c=8, h=3, w=2):
    return torch.randn(n, c, h, w, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_linear_attention_by_numpy():
    """Equation 4 of Shen et al., one frame and head at a time."""
    layer, x = fresh(lambda: LinearAttention(8, 2, 4)), clip()
    q, k, v = layer.to_qkv(layer.norm(x)).view(6, 3, 2, 4, 6).unbind(1)
    out = np.zeros((6, 2, 4, 6))
    for n in range(6):
        for head in range(2):
            a, b, c = (t[n, head].double().numpy() for t in (q, k, v))
            a = np.exp(a) / np.exp(a).sum(0, keepdims=True) / math.sqrt(4)  # over features
            b = np.exp(b) / np.exp(b).sum(1, keepdims=True)  # over places
            out[n, head] = (a.T @ (b @ c.T)).T
    expected = x + layer.to_out(torch.from_numpy(out).float().view(6, 8, 3, 2))
    assert torch.allclose(layer(x), expected, atol=1e-5)


@torch.no_grad()
def test_temporal_attention_by_loops():
    """Each place attends over its own frames, with the bias of their distance; two clips do not mix."""
    frames, heads, head = 3, 2, 4
    layer, x = fresh(lambda: TemporalAttention(8, heads, head, 4)), clip()
    q, k, v = layer.to_qkv(layer.norm(x)).view(2, frames, 3, heads, head, 3, 2).unbind(2)
    out = torch.zeros(2, frames, heads, head, 3, 2)
    for b in range(2):
        for h in range(heads):
            for y in range(3):
                for w in range(2):
                    a, c = (rotate(t[b, :, h, :, y, w]) for t in (q, k))
                    score = a @ c.T / math.sqrt(head)
                    for i in range(frames):
                        for j in range(frames):
                            score[i, j] += layer.bias[h, j - i + 3]
                    out[b, :, h, :, y, w] = score.softmax(1) @ v[b, :, h, :, y, w]
    expected = x + layer.to_out(out.reshape(6, 8, 3, 2))
    assert torch.allclose(layer(x, frames), expected, atol=1e-5)


@torch.no_grad()
def test_longer_than_trained():
    """More frames than the bias knows share its last entries."""
    layer = fresh(lambda: TemporalAttention(8, 1, 4, 2))
    bias = layer._bias(4)[0]
    assert bias[0].tolist() == [float(layer.bias[0, i]) for i in (1, 2, 2, 2)]
    assert bias[3].tolist() == [float(layer.bias[0, i]) for i in (0, 0, 0, 1)]
    assert torch.isfinite(layer(clip(), 6)).all()


@torch.no_grad()
def test_cross_attention_by_loops():
    """Each place attends over its clip's words; unknown ones have no say."""
    layer, x = fresh(lambda: CrossAttention(8, 5, 2, 4)), clip()
    words = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(2))
    known = torch.tensor([[True, True, False], [False, True, True]])
    q = layer.to_q(layer.norm(x)).view(6, 2, 4, 6)
    k, v = layer.to_kv(words).view(2, 3, 2, 2, 4).unbind(2)
    out = torch.zeros(6, 2, 4, 6)
    for n in range(6):
        there = known[n // 3]
        for h in range(2):
            weights = (q[n, h].T @ k[n // 3, there, h].T / 2).softmax(1)
            out[n, h] = (weights @ v[n // 3, there, h]).T
    expected = x + layer.to_out(out.view(6, 8, 3, 2))
    assert torch.allclose(layer(x, words, known, 3), expected, atol=1e-5)
    changed = words.clone()
    changed[0, 2] += 5
    assert torch.equal(layer(x, changed, known, 3), layer(x, words, known, 3))


def test_rotation_knows_distance_alone():
    """The product of two rotated vectors is the same wherever both stand; lengths do not change."""
    a, b = torch.randn(2, 16, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    rotated_a, rotated_b = (rotate(v.expand(9, 16)) for v in (a, b))
    products = [float(rotated_a[i] @ rotated_b[i + 2]) for i in range(7)]
    assert products == pytest.approx([products[0]] * 7, rel=1e-5)
    assert rotated_a.norm(dim=1).tolist() == pytest.approx([float(a.norm())] * 9, rel=1e-5)
    assert torch.equal(rotated_a[0], a)
    assert float(rotate(torch.tensor([[0.0, 0], [1, 0]]))[1, 1]) == pytest.approx(math.sin(1))


@pytest.mark.parametrize(
    "layer", [LinearAttention(8, 2, 4), TemporalAttention(8, 2, 4, 4), CrossAttention(8, 5, 2, 4)]
)
def test_they_begin_by_adding_nothing(layer):
    """Output projections start at zero, so a deep network starts as its convolutions."""
    x = clip()
    rest = {LinearAttention: (), TemporalAttention: (3,)}.get(
        type(layer), (torch.zeros(2, 3, 5), torch.ones(2, 3, dtype=torch.bool), 3)
    )
    with torch.no_grad():
        assert torch.allclose(
            layer(x, *rest) - x, layer.to_out.bias[None, :, None, None].expand_as(x), atol=1e-6
        )
