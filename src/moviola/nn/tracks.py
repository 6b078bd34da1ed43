"""Following points through a video: they are carried by the dense optical flow from each frame to the next.

With the flow of `moviola.nn.flow` this is a pyramidal Lucas-Kanade tracker (Bouguet 2001) whose points help each
other: a point on a flat wall goes with the wall's texture. The check is Kalal, Mikolajczyk and Matas 2010,
"Forward-backward error", with the thresholds of `moviola.nn.warp.occlusion`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from moviola.core.errors import ConfigError
from moviola.nn.flow import lucas_kanade
from moviola.nn.warp import sample

FlowMethod = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Tracks:
    """Where points went.

    Attributes:
        positions: (x, y) in px, float32 (T, N, 2); frame 0 holds the points that were asked for. Points that leave the
            picture stay at its edge.
        visible: whether each point is still followed, bool (T, N); once lost it stays lost, its positions go on.
    """

    positions: Tensor
    visible: Tensor


def grid_points(height: int, width: int, side: int, margin: float = 0.0) -> Tensor:
    """Return side x side points evenly over a picture, (x, y) in px, float32 (side^2, 2), row by row.

    Args:
        height: of the picture, px.
        width: of the picture, px.
        side: points along each axis, at least 2.
        margin: distance of the outermost points from the outermost pixel centres, px.
    """
    y = torch.linspace(margin, height - 1 - margin, side)
    x = torch.linspace(margin, width - 1 - margin, side)
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns, rows], dim=-1).reshape(-1, 2)


@torch.no_grad()
def track(frames: Tensor, points: Tensor, flow: FlowMethod = lucas_kanade, check: bool = True) -> Tracks:
    """Follow points from the first frame to the last.

    Memory does not grow with the number of frames, but for the tracks themselves.

    Args:
        frames: (T, C, H, W) in [-1, 1], C of 3 or 1, T at least 1.
        points: (x, y) in px of the first frame, (N, 2).
        flow: flow method: two picture batches (B, C, H, W) in, flow (B, 2, H, W) in px out.
        check: estimate the flow back as well, to tell which points are lost (twice the time); without it only points
            that leave the picture count as lost.

    Returns:
        the tracks.

    Raises:
        ConfigError: frames or points of another shape.
    """
    if frames.ndim != 4 or points.ndim != 2 or points.shape[1] != 2:
        raise ConfigError(
            "tracking needs frames (T, C, H, W) and points (N, 2), "
            f"got {tuple(frames.shape)} and {tuple(points.shape)}"
        )
    height, width = frames.shape[-2:]
    last = torch.tensor([width - 1.0, height - 1.0], device=frames.device)
    current = points.to(frames.device, torch.float32)
    positions, visible = [current], [torch.ones(len(points), dtype=torch.bool, device=frames.device)]
    for first, second in zip(frames[:-1, None], frames[1:, None], strict=True):
        next_points = current + read_at(flow(first, second), current)
        is_visible = ((next_points >= 0) & (next_points <= last)).all(1)
        if check:
            is_visible &= _returns(next_points - current, read_at(flow(second, first), next_points))
        current = next_points.clamp(min=0.0).minimum(last)
        positions.append(current)
        visible.append(visible[-1] & is_visible)
    return Tracks(torch.stack(positions), torch.stack(visible))


def read_at(field: Tensor, points: Tensor) -> Tensor:
    """Read a field (1, C, H, W) at points (N, 2) between its pixels, (x, y); bilinear; (N, C)."""
    return sample(field, points.T[None, :, :, None])[0, :, :, 0].T


def _returns(displaced: Tensor, back: Tensor) -> Tensor:
    """Whether steps (N, 2) forward and back cancel, bool (N,)."""
    size = (displaced**2).sum(1) + (back**2).sum(1)
    return ((displaced + back) ** 2).sum(1) <= 0.01 * size + 0.5
