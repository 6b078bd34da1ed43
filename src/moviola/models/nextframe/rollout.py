"""Running the next-frame network on its own predictions."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from moviola.models.nextframe.forms import NextFrameNetwork


def push(history: Tensor, count: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
    """Append `frame` (B, 3, H, W) to the right of `history` (B, K, 3, H, W); count (B,) grows up to K."""
    history = torch.cat([history[:, 1:], frame[:, None]], dim=1)
    return history, (count + 1).clamp(max=history.shape[1])


@torch.no_grad()
def stream(network: NextFrameNetwork, first: Tensor, slots: Tensor) -> Iterator[Tensor]:
    """Yield frames without end, `first` included; memory does not grow with their number.

    Args:
        network: in eval mode.
        first: float32 (B, 3, H, W) in [-1, 1].
        slots: int64 (B, S).

    Yields:
        float32 (B, 3, H, W) in [-1, 1].
    """
    history = first.new_zeros(first.shape[0], network.config.history, *first.shape[1:])
    count = torch.zeros(first.shape[0], dtype=torch.int64, device=first.device)
    frame = first
    while True:
        yield frame
        history, count = push(history, count, frame)
        frame = network(history, count, slots, first).clamp(-1, 1)


def rollout(network: NextFrameNetwork, first: Tensor, slots: Tensor, frames: int) -> Tensor:
    """Return `frames` frames, float32 (B, frames, 3, H, W), the first being `first`; see `stream`."""
    made = stream(network, first, slots)
    return torch.stack([next(made) for _ in range(frames)], dim=1)
