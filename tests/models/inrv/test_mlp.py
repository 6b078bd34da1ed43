"""Weights that differ from video to video: against plain modules, one a video, and counts of the paper."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from moviola.models.inrv import InrvConfig, InrvModel, mlp
from moviola.nn.batched import BatchedLinear

SMALL = {"latent": 5, "hidden": 7, "layers": 3, "rank": 2, "bases": 4, "head_hidden": 6, "head_layers": 2}
FEATURES, BATCH = 9, 4
KINDS = {"hyper": mlp.HyperWeights, "low-rank": mlp.LowRankWeights, "mixture": mlp.MixtureWeights}


def weights(kind: str, seed: int = 0):
    """A small one, its parameters random, and codes."""
    torch.manual_seed(seed)
    network = KINDS[kind](InrvConfig(**SMALL), FEATURES)
    with torch.no_grad():
        for p in network.parameters():
            p.normal_(std=0.4)
    return network, torch.randn(BATCH, SMALL["latent"])


def plain(layers) -> nn.Sequential:
    """ReLU network of (weight, bias) pairs, as PyTorch's own modules."""
    steps: list[nn.Module] = []
    for weight, bias in layers:
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            linear.weight.copy_(weight)
            linear.bias.copy_(bias)
        steps += [linear, nn.ReLU()]
    return nn.Sequential(*steps[:-1])


@pytest.mark.parametrize("shared_points", [False, True])
def test_the_hypernetwork_is_a_loop_of_plain_modules(shared_points):
    """One nn.Sequential a video, with the weights that its heads give, each head run by itself."""
    network, codes = weights("hyper")
    x = torch.randn(1 if shared_points else BATCH, 11, FEATURES).expand(BATCH, -1, -1)
    result = mlp.run(network(codes), x)
    heads, sizes = network.heads, [(FEATURES, 7), (7, 7), (7, 7), (7, 3)]
    for k in range(BATCH):
        tensors = []
        for number in range(2 * len(sizes)):
            h = codes[k]
            for layer in (heads.first, *heads.hidden):
                h = F.relu(h @ layer.weight[number] + layer.bias[number, 0])
            tensors.append(heads.last[number](h))
        layers = [(tensors[2 * n].reshape(b, a), tensors[2 * n + 1]) for n, (a, b) in enumerate(sizes)]
        assert torch.allclose(result[k], plain(layers)(x[k]), atol=1e-4, rtol=1e-4)


def test_gradients_of_the_hypernetwork_are_those_of_the_loop():
    """With respect to the codes and to every parameter."""
    network, codes = weights("hyper")
    x = torch.randn(BATCH, 11, FEATURES)
    codes.requires_grad_(True)
    parameters = [codes, *network.parameters()]
    batched = torch.autograd.grad(mlp.run(network(codes), x).square().mean(), parameters)
    loss = torch.stack(
        [mlp.run(network(codes[k : k + 1]), x[k : k + 1]).square().mean() for k in range(BATCH)]
    ).mean()
    for a, b in zip(batched, torch.autograd.grad(loss, parameters), strict=True):
        assert torch.allclose(a, b, atol=1e-4, rtol=1e-3)


def test_low_rank_is_a_dense_network():
    """W = W0 + U V^T / sqrt(in rank), b = b0 + 0.1 b_video."""
    network, codes = weights("low-rank")
    x = torch.randn(BATCH, 11, FEATURES)
    result = mlp.run(network(codes), x)
    output = network.last(network.trunk(codes))
    for k in range(BATCH):
        layers, at = [], 0
        for (a, b), template in zip(network.shapes, network.templates, strict=True):
            v = output[k, at : at + 2 * a].reshape(a, 2)
            u = output[k, at + 2 * a : at + 2 * a + 2 * b].reshape(b, 2)
            bias = output[k, at + 2 * a + 2 * b : at + 2 * a + 3 * b]
            at += 2 * a + 3 * b
            layers.append((template.weight + u @ v.T / math.sqrt(2 * a), template.bias + 0.1 * bias))
        assert at == output.shape[1]
        assert torch.allclose(result[k], plain(layers)(x[k]), atol=1e-3, rtol=1e-3)


def test_mixture_is_a_dense_network():
    """W = sum_k share_k W_k, and the biases alike, summed one by one."""
    network, codes = weights("mixture")
    x = torch.randn(BATCH, 11, FEATURES)
    result = mlp.run(network(codes), x)
    shares = network.last(network.trunk(codes)).reshape(BATCH, 4, 4)
    for k in range(BATCH):
        layers = []
        for n in range(4):
            weight = sum(shares[k, n, j] * network.weights[n][j] for j in range(4))
            layers.append((weight, sum(shares[k, n, j] * network.biases[n][j] for j in range(4))))
        assert torch.allclose(result[k], plain(layers)(x[k]), atol=1e-3, rtol=1e-3)


def test_batched_layers_are_plain_layers():
    """Each over its own input."""
    layer = BatchedLinear(3, 4, 5)
    x = torch.randn(3, 2, 4)
    for k in range(3):
        assert torch.allclose(layer(x)[k], F.linear(x[k], layer.weight[k].T, layer.bias[k, 0]), atol=1e-6)


def test_sizes_of_the_paper():
    """214,531 weights of a video, and a hypernetwork of 57.4 million at a latent of 128."""
    config = InrvConfig(latent=128, nyquist=False, grid="corners")
    with torch.device("meta"):
        model = InrvModel(config)
    assert model.decoder.encoding.sizes == [21, 21, 21]
    assert sum(a * b + b for a, b in model.decoder.hyper.shapes) == 214_531
    assert sum(p.numel() for p in model.decoder.parameters()) / 1e6 == pytest.approx(57.4, abs=0.05)
    assert len(model.decoder.hyper.heads.last) == 10


def test_the_start_of_the_heads():
    """Kaiming-normal, the last layer a tenth of it; a fresh network's outputs stay near colours."""
    torch.manual_seed(0)
    heads = mlp.Heads(64, 256, 4, [4096, 8])
    assert float(heads.last[0].weight.detach().std()) == pytest.approx(0.1 * math.sqrt(2 / 256), rel=0.02)
    assert float(heads.hidden[0].weight.detach().std()) == pytest.approx(math.sqrt(2 / 256), rel=0.02)
    model = InrvModel(InrvConfig(frames=4, height=8, width=8, hidden=64, head_hidden=64))
    frames = model.decode(model.codebook, torch.arange(4.0)).detach()
    assert float(frames.abs().amax()) < 2
