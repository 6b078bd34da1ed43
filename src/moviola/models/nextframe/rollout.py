"""Running the next-frame network on its own predictions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from moviola.models.nextframe.forms import NextFrameNetwork


def push(history: Tensor, count: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
    """Append `frame` (B, 3, H, W) to the right of `history` (B, K, 3, H, W); count (B,) grows up to K."""
    history = torch.cat([history[:, 1:], frame[:, None]], dim=1)
    return history, (count + 1).clamp(max=history.shape[1])


@dataclass(frozen=True)
class Change:
    """Another caption in the middle of a roll-out.

    Attributes:
        slots: int64 (B, S), what holds from here on.
        first: the frame shown here, float32 (B, 3, H, W) in [-1, 1], before which nothing is remembered (a cut); None
            for one predicted from the newest frame alone, as from a given image.
    """

    slots: Tensor
    first: Tensor | None = None


@torch.no_grad()
def stream(
    network: NextFrameNetwork, first: Tensor, slots: Tensor, changes: Mapping[int, Change] | None = None
) -> Iterator[Tensor]:
    """Yield frames without end, `first` included; memory does not grow with their number.

    Args:
        network: in eval mode.
        first: float32 (B, 3, H, W) in [-1, 1].
        slots: int64 (B, S).
        changes: number of a frame, at least 1, to what changes there.

    Yields:
        float32 (B, 3, H, W) in [-1, 1].
    """
    history = first.new_zeros(first.shape[0], network.config.history, *first.shape[1:])
    count = torch.zeros(first.shape[0], dtype=torch.int64, device=first.device)
    time, frame = torch.zeros_like(count), first
    for number in itertools.count(1):
        yield frame
        history, count = push(history, count, frame)
        time = time + 1
        change = changes.get(number) if changes else None
        if change is not None:
            slots, count = change.slots, count.clamp(max=1)
            first = frame if change.first is None else change.first
            time = count
            if change.first is not None:
                frame, count, time = first, torch.zeros_like(count), torch.zeros_like(count)
                continue
        frame = network(history, count, slots, first, time).clamp(-1, 1)


def rollout(network: NextFrameNetwork, first: Tensor, slots: Tensor, frames: int) -> Tensor:
    """Return `frames` frames, float32 (B, frames, 3, H, W), the first being `first`; see `stream`."""
    made = stream(network, first, slots)
    return torch.stack([next(made) for _ in range(frames)], dim=1)
