"""Soft split and soft composition: a feature map to overlapping patches and back.

Source: Liu et al. 2021, "FuseFormer: Fusing Fine-Grained Information in Transformers for Video Inpainting",
section 3.2. The paper's composition sums where patches overlap; here the sum is divided by how many overlap, as the
paper does inside its feed-forward network, so that composing what was split gives the same map at any size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def grid(height: int, width: int, patch: int, stride: int) -> tuple[int, int]:
    """Return how many patches a map of `height` x `width` has in rows and in columns.

    Patches are `patch` wide, `stride` apart, and the map is padded by patch // 2 zeros on every side.
    """
    border = 2 * (patch // 2)
    return (height + border - patch) // stride + 1, (width + border - patch) // stride + 1


def soft_split(features: Tensor, patch: int, stride: int) -> Tensor:
    """Cut a map into overlapping patches.

    Args:
        features: (N, C, h, w).
        patch: side of a patch, odd.
        stride: between patches.

    Returns:
        (N, L, C * patch^2), L = rows * columns of `grid`, patches row by row.
    """
    return F.unfold(features, patch, padding=patch // 2, stride=stride).transpose(1, 2)


def soft_compose(patches: Tensor, height: int, width: int, patch: int, stride: int) -> Tensor:
    """Put overlapping patches together; where they overlap the result is their mean.

    Sums in float32, whatever the precision of `patches`.

    Args:
        patches: (N, L, C * patch^2) as `soft_split` cuts them from a map of `height` x `width`.
        height, width: of the map.
        patch, stride: as they were split.

    Returns:
        (N, C, height, width), of the type of `patches`.
    """
    flat = patches.transpose(1, 2).float()
    total = F.fold(flat, (height, width), patch, padding=patch // 2, stride=stride)
    rows = overlaps(height, patch, stride, patches.device)
    columns = overlaps(width, patch, stride, patches.device)
    return (total / (rows[:, None] * columns)).to(patches.dtype)


def overlaps(length: int, patch: int, stride: int, device: torch.device | None = None) -> Tensor:
    """Return how many patches cover each place of an axis of `length`, float32 (length,), all 1 or more."""
    count = grid(length, length, patch, stride)[0]
    starts = torch.arange(count, device=device) * stride - patch // 2
    places = torch.arange(length, device=device)[:, None]
    return ((places >= starts) & (places < starts + patch)).sum(dim=1).float()
