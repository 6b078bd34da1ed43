"""Several linear layers of one shape, run as one batched product."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class BatchedLinear(nn.Module):
    """`count` linear layers of one shape, each over its own input. Kaiming-normal weights, biases 0.

    Args:
        count: number of layers.
        features_in, features_out: D of the input and of the output.
    """

    def __init__(self, count: int, features_in: int, features_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(count, features_in, features_out) * (2 / features_in) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(count, 1, features_out))

    def forward(self, x: Tensor) -> Tensor:
        """Map (count, B, D_in) to (count, B, D_out)."""
        return torch.baddbmm(self.bias.to(x.dtype), x, self.weight.to(x.dtype))
