"""Networks from coordinates to colour whose weights differ from video to video."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.models.inrv.config import InrvConfig
from moviola.nn.batched import BatchedLinear

Weights = list[tuple[Tensor, Tensor]]
_PIECE = 1 << 19  # values between two layers that the caches of a CPU core hold


def layer_sizes(config: InrvConfig, features: int) -> list[tuple[int, int]]:
    """Return (in, out) of each layer of the coordinate network: features -> hidden x layers -> channels."""
    sizes = [features] + [config.hidden] * config.layers + [config.channels]
    return list(itertools.pairwise(sizes))


class Heads(nn.Module):
    """One multilayer perceptron a tensor, all from the same latent: latent -> hidden x layers -> size of the tensor.

    Their hidden layers are equally large and run as one batched product. Kaiming-normal weights; the last layer's are
    divided by 10 (INR-V, section 3.1, and the authors' code).

    Args:
        latent: D of the latent.
        hidden, layers: of each head.
        sizes: number of values that each head makes.
    """

    def __init__(self, latent: int, hidden: int, layers: int, sizes: Sequence[int]) -> None:
        super().__init__()
        count = len(sizes)
        self.first = BatchedLinear(count, latent, hidden)
        self.hidden = nn.ModuleList(BatchedLinear(count, hidden, hidden) for _ in range(layers - 1))
        self.last = nn.ModuleList(nn.Linear(hidden, size) for size in sizes)
        with torch.no_grad():
            for layer in self.last:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # type: ignore[arg-type]
                layer.weight.div_(10)  # type: ignore[operator,union-attr]
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, latent: Tensor) -> list[Tensor]:
        """Map latents (B, D) to one tensor (B, size) a head."""
        return self.finish(self.begin(latent))

    def begin(self, latent: Tensor) -> Tensor:
        """Return what the first layers make of latents (B, D): (heads, B, hidden); stage 3 of fitting frees it."""
        return F.relu(self.first(latent.expand(len(self.last), -1, -1)))

    def finish(self, h: Tensor) -> list[Tensor]:
        """Return the heads' outputs from what `begin` returned."""
        for layer in self.hidden:
            h = F.relu(layer(h))
        return [layer(part) for layer, part in zip(self.last, h, strict=True)]


def run(weights: Weights, x: Tensor) -> Tensor:
    """Run a ReLU network whose weights differ from video to video, over (B, N, F): (B, N, C).

    A layer is (W, b), W of (B, out, in) and b of (B, out). On a CPU, many points are run video by video in pieces, all
    layers after one another, so that what lies between two layers stays in the caches.
    """
    width = max(bias.shape[1] for _, bias in weights)
    few = _PIECE // 2 if torch.is_autocast_enabled(x.device.type) else _PIECE // 4
    if x.device.type != "cpu" or x.shape[1] * width < few:
        return _run_batch(weights, x)
    count, outputs = max(1, _PIECE // width), []
    layers = [(weight.to(x.dtype).unbind(), bias.to(x.dtype).unbind()) for weight, bias in weights]
    for number, points in enumerate(x.unbind()):
        own = [(weight[number], bias[number]) for weight, bias in layers]
        outputs.append(torch.cat([_run_one(own, piece) for piece in points.split(count)]))
    return torch.stack(outputs)


def _run_batch(weights: Weights, x: Tensor) -> Tensor:
    """Run networks over (B, N, F), one product a layer for all videos."""
    for number, (weight, bias) in enumerate(weights):
        x = torch.baddbmm(bias[:, None].to(x.dtype), x, weight.transpose(1, 2).to(x.dtype))
        x = F.relu(x) if number < len(weights) - 1 else x
    return x


def _run_one(weights: Weights, x: Tensor) -> Tensor:
    """Run one network over (N, F); a layer is W (out, in) and b (out,)."""
    for number, (weight, bias) in enumerate(weights):
        x = F.linear(x, weight, bias)
        x = F.relu(x) if number < len(weights) - 1 else x
    return x


class HyperWeights(nn.Module):
    """A hypernetwork: one head for each weight and each bias of the coordinate network (INR-V, eq. 2)."""

    def __init__(self, config: InrvConfig, features: int) -> None:
        super().__init__()
        self.shapes = layer_sizes(config, features)
        sizes = [n for a, b in self.shapes for n in (a * b, b)]
        self.heads = Heads(config.latent, config.head_hidden, config.head_layers, sizes)
        # a head's output alone would be the weight; a fan-in start is the last layer's bias, as in the authors' code
        with torch.no_grad():
            for (a, _b), layer in zip(self.shapes, self.heads.last[::2], strict=True):
                bound = 1 / math.sqrt(a)
                nn.init.uniform_(layer.bias, -bound, bound)  # type: ignore[arg-type]

    def forward(self, latent: Tensor) -> Weights:
        """Map latents (B, D) to the weights of B networks, in full precision.

        A head meets few latents, so that to round its weights and their gradients costs more than its product saves.
        """
        with torch.autocast(latent.device.type, enabled=False):
            return self.arrange(self.heads(latent.to(self.heads.first.weight.dtype)))

    def arrange(self, outputs: list[Tensor]) -> Weights:
        """Return the heads' outputs as layers."""
        return [
            (outputs[2 * k].unflatten(1, (b, a)), outputs[2 * k + 1]) for k, (a, b) in enumerate(self.shapes)
        ]


class LowRankWeights(nn.Module):
    """A shared template, plus U V^T of a small rank for each video; biases are the video's own.

    One head makes everything: the network is small, so that many videos fit into one step.
    """

    def __init__(self, config: InrvConfig, features: int) -> None:
        super().__init__()
        self.shapes, self.rank = layer_sizes(config, features), config.rank
        self.templates = nn.ModuleList(nn.Linear(a, b) for a, b in self.shapes)
        for layer in self.templates:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # type: ignore[arg-type]
        sizes = [n for a, b in self.shapes for n in (a * self.rank, b * self.rank, b)]
        self.sizes = sizes
        self.trunk = make_trunk(config)
        self.last = nn.Linear(config.head_hidden, sum(sizes))
        nn.init.normal_(self.last.weight, std=0.3 / math.sqrt(config.head_hidden))
        nn.init.normal_(self.last.bias, std=0.3)

    def forward(self, latent: Tensor) -> Weights:
        """Map latents (B, D) to the weights of B networks."""
        parts = self.last(self.trunk(latent)).split(self.sizes, dim=1)
        out: Weights = []
        for k, (a, b) in enumerate(self.shapes):
            v, u, bias = parts[3 * k : 3 * k + 3]
            layer: nn.Linear = self.templates[k]  # type: ignore[assignment]
            # W0 + U V^T, made once a video: the points are many more than the rank
            u, v = u.unflatten(1, (b, self.rank)) / math.sqrt(a * self.rank), v.unflatten(1, (a, self.rank))
            out.append((layer.weight + u @ v.transpose(1, 2), layer.bias + 0.1 * bias))
        return out


class MixtureWeights(nn.Module):
    """Each layer's weights are a sum of shared bases, weighted by the video."""

    def __init__(self, config: InrvConfig, features: int) -> None:
        super().__init__()
        self.shapes, self.bases = layer_sizes(config, features), config.bases
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(self.bases, b, a) * math.sqrt(2 / a)) for a, b in self.shapes
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(self.bases, b)) for _, b in self.shapes)
        self.trunk = make_trunk(config)
        # shares of about length 1: a sum of Kaiming-normal bases is then one of Kaiming-normal weights
        self.last = nn.Linear(config.head_hidden, self.bases * len(self.shapes))
        nn.init.normal_(self.last.weight, std=0.5 / math.sqrt(self.bases * config.head_hidden))
        nn.init.normal_(self.last.bias, std=1 / math.sqrt(self.bases))

    def forward(self, latent: Tensor) -> Weights:
        """Map latents (B, D) to the weights of B networks."""
        shares = self.last(self.trunk(latent)).unflatten(1, (len(self.shapes), self.bases))
        return [
            (torch.einsum("bk,kji->bji", shares[:, n], w), shares[:, n] @ self.biases[n])
            for n, w in enumerate(self.weights)
        ]


def make_trunk(config: InrvConfig) -> nn.Sequential:
    """Return latent -> hidden x layers, ReLU after each."""
    sizes = [config.latent] + [config.head_hidden] * config.head_layers
    steps: list[nn.Module] = []
    for a, b in itertools.pairwise(sizes):
        steps += [nn.Linear(a, b), nn.ReLU()]
    for layer in steps[::2]:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # type: ignore[arg-type]
    return nn.Sequential(*steps)
