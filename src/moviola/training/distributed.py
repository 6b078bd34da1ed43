"""Data parallel over `torch.distributed`, by averaging gradients.

The wrapper class of PyTorch hooks on one backward pass a step; alternating GAN steps, R1's double backward and
latents that only some ranks touch do not fit it. Here every rank runs the same code and gradients are averaged in
flat buckets before the optimizer steps, which gives the same numbers (without overlap of sending and computing).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn

from moviola.core.devices import pick_device


@dataclass(frozen=True)
class Place:
    """Where this process stands: rank 0..world-1, and its device."""

    rank: int
    world: int
    device: torch.device

    @property
    def main(self) -> bool:
        """Whether this is rank 0, the one that writes."""
        return self.rank == 0


def join(device: str) -> Place:
    """Join the group that `torchrun` announced in the environment; alone otherwise.

    Args:
        device: "cpu", "cuda", "mps", or "auto" (cuda, then mps, then cpu).
    """
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    kind = pick_device(device)
    if kind.type == "cuda" and kind.index is None:
        kind = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if kind.type == "cuda" else "gloo")
    return Place(rank, world, kind)


def leave() -> None:
    """Leave the group, if there is one."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def broadcast(modules: Iterable[nn.Module], world: int) -> None:
    """Give every rank rank 0's weights and buffers."""
    if world > 1:
        for module in modules:
            for tensor in (*module.parameters(), *module.buffers()):
                dist.broadcast(tensor.data, 0)


def average_gradients(parameters: Iterable[nn.Parameter], world: int) -> None:
    """Replace each gradient by its mean over ranks.

    A gradient that is missing on some ranks counts as zero there; one missing on every rank stays missing.
    """
    if world == 1:
        return
    held = [p for p in parameters if p.requires_grad]
    if not held:
        return
    has_grad = torch.tensor([float(p.grad is not None) for p in held]).to(held[0].device)
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in held]
    flat = torch.cat([has_grad, *(g.flatten() for g in grads)])
    dist.all_reduce(flat)
    anywhere, means = (flat[: len(held)] > 0).tolist(), flat[len(held) :] / world
    pieces = means.split([p.numel() for p in held])
    for p, grad, some, mean in zip(held, grads, anywhere, pieces, strict=True):
        p.grad = grad.copy_(mean.view_as(grad)) if some else None


def average_scalars(values: dict[str, float], place: Place) -> dict[str, float]:
    """Return the mean over ranks of named numbers (the same names on every rank)."""
    if place.world == 1:
        return values
    flat = torch.tensor([values[k] for k in values], dtype=torch.float64).to(_wire(place))
    dist.all_reduce(flat)
    return dict(zip(values, (flat / place.world).tolist(), strict=True))


def any_rank(flag: bool, place: Place) -> bool:
    """Return whether any rank says yes, so that all stop at the same step."""
    if place.world == 1:
        return flag
    value = torch.tensor([float(flag)]).to(_wire(place))
    dist.all_reduce(value)
    return bool(value.item() > 0)


def _wire(place: Place) -> torch.device:
    """Where a tensor must be to be sent: NCCL sends from the GPU, gloo from memory."""
    return place.device if dist.get_backend() == "nccl" else torch.device("cpu")
