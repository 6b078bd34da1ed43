"""What the two forms of the source document share: the network-in-network, one-hot captions, first weights."""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def one_hot_matrix(slots: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Return captions as one-hot matrices, their rows laid end to end.

    Args:
        slots: int64 (B, S), 0 for "not said", else 1 to the slot's size.
        sizes: number of values of each slot.

    Returns:
        float32 (B, sum(sizes)); the row of a slot that is not said is all 0.
    """
    return torch.cat([F.one_hot(slots[:, i], n + 1)[:, 1:] for i, n in enumerate(sizes)], dim=1).float()


class NetworkInNetwork(nn.Module):
    """The dense network at the bottleneck: flatten, join the caption, two dense layers, reshape to a volume.

    Source: "Videogeneration", network architecture.

    Args:
        cells: values of the flattened bottleneck.
        words: width of the caption.
        hidden: width between the two layers.
        shape: of the result, without the batch.
    """

    def __init__(self, cells: int, words: int, hidden: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.dense1 = nn.Linear(cells + words, hidden)
        self.dense2 = nn.Linear(hidden, prod(shape))

    def forward(self, x: Tensor, caption: Tensor) -> Tensor:
        """Map features (B, ...) and captions (B, words) to (B, *shape), 0 or more."""
        hidden = F.relu(self.dense1(torch.cat([x.flatten(1), caption.to(x)], dim=1)))
        return F.relu(self.dense2(hidden)).view(-1, *self.shape)


def initialise(module: nn.Module) -> None:
    """Draw a layer's first weights as the source's code does: normal (He) for convolutions, uniform (Glorot) for
    dense layers, zero biases. To be used with `nn.Module.apply`."""
    if isinstance(module, nn.Conv2d | nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
    if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
