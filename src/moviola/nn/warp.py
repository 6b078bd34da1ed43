"""Moving pictures along optical flow, and finding where that cannot work.

A flow (B, 2, H, W) is in pixels, x (to the right) before y (down). The flow from a first picture to a second says
where each pixel of the first is found in the second: first[y, x] = second[y + flow[1], x + flow[0]]. `warp` therefore
brings the *second* picture back onto the first ("backward warping").
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from moviola.core.errors import ConfigError

Border = Literal["edge", "zero"]
Kernel = Literal["bilinear", "bicubic", "nearest"]


def pixel_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Return the (x, y) of every pixel, (1, 2, height, width), on the device and in the type of `like`."""
    y, x = torch.meshgrid(
        torch.arange(height, dtype=like.dtype, device=like.device),
        torch.arange(width, dtype=like.dtype, device=like.device),
        indexing="ij",
    )
    return torch.stack([x, y])[None]


def sample(images: Tensor, places: Tensor, border: Border = "edge", kernel: Kernel = "bilinear") -> Tensor:
    """Read `images` at places between pixels.

    Args:
        images: (B, C, H, W).
        places: (x, y) in pixels, (B, 2, h, w); pixel centres are whole numbers.
        border: what is outside: "edge" the nearest pixel of the picture, "zero" nothing.
        kernel: interpolation.

    Returns:
        (B, C, h, w).
    """
    height, width = images.shape[-2:]
    last = torch.tensor([width - 1, height - 1], dtype=places.dtype, device=places.device)
    places = places.movedim(1, -1)
    if border == "edge" and kernel != "bicubic":
        places = places.clamp_min(0).minimum(last)  # the same as "border" below, which some devices lack
    grid = 2 * places / last.clamp_min(1) - 1
    padding = "border" if border == "edge" and kernel == "bicubic" else "zeros"
    return F.grid_sample(images, grid, mode=kernel, padding_mode=padding, align_corners=True)


def warp(
    second: Tensor, flow: Tensor, border: Border = "edge", kernel: Kernel = "bilinear"
) -> tuple[Tensor, Tensor]:
    """Bring the second picture back onto the first.

    Args:
        second: (B, C, H, W), any range.
        flow: from the first picture to the second, (B, 2, H, W).
        border: what is read outside the second picture: "edge" its nearest pixel, "zero" nothing.
        kernel: interpolation.

    Returns:
        the picture (B, C, H, W), and where it was read inside the second picture, bool (B, 1, H, W).

    Raises:
        ConfigError: shapes that do not fit.
    """
    _check(second, flow)
    height, width = second.shape[-2:]
    places = pixel_grid(height, width, flow) + flow
    return sample(second, places, border, kernel), inside(places, height, width)


def inside(places: Tensor, height: int, width: int) -> Tensor:
    """Tell which (x, y) places (B, 2, h, w) lie within a picture's outermost pixel centres, bool (B, 1, h, w)."""
    x, y = places.unbind(1)
    return ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)).unsqueeze(1)


def occlusion(forward: Tensor, backward: Tensor, boundaries: bool = True) -> Tensor:
    """Find what is seen in the first picture and not in the second.

    A pixel is occluded where the forward flow and the backward flow, read where the forward flow leads, do not cancel:
    |w + w'|^2 > 0.01 (|w|^2 + |w'|^2) + 0.5; on motion boundaries, |grad u|^2 + |grad v|^2 > 0.01 |w|^2 + 0.002, where
    warping is unreliable; and where the flow leaves the picture.

    Source: Ruder, Dosovitskiy and Brox 2016, "Artistic Style Transfer for Videos", equations 5 and 6 (after Sundaram
    et al. 2010); used for the warp error by Lai et al. 2018, "Learning Blind Video Temporal Consistency", section 4.
    That flow leaving the picture counts as occluded is our addition.

    Args:
        forward: flow from the first picture to the second, (B, 2, H, W).
        backward: flow from the second to the first, (B, 2, H, W).
        boundaries: count motion boundaries in.

    Returns:
        bool (B, 1, H, W) on the first picture's pixels.

    Raises:
        ConfigError: shapes that do not fit.
    """
    _check(backward, forward)
    returned, in_frame = warp(backward, forward)
    squared = (forward**2).sum(1, keepdim=True)
    gap = ((forward + returned) ** 2).sum(1, keepdim=True)
    # Ruder et al. 2016, eq. 5: |w~ + w^|^2 > 0.01 (|w~|^2 + |w^|^2) + 0.5, each (B, 1, H, W)
    occluded = gap > 0.01 * (squared + (returned**2).sum(1, keepdim=True)) + 0.5
    occluded = occluded | ~in_frame
    if boundaries:
        right = F.pad(forward[..., 1:] - forward[..., :-1], (0, 1))
        down = F.pad(forward[..., 1:, :] - forward[..., :-1, :], (0, 0, 0, 1))
        steep = (right**2 + down**2).sum(1, keepdim=True)
        # eq. 6: |grad u|^2 + |grad v|^2 > 0.01 |w|^2 + 0.002, gradients by forward differences
        occluded = occluded | (steep > 0.01 * squared + 0.002)
    return occluded


def _check(images: Tensor, flow: Tensor) -> None:
    expected = (len(images), 2, *images.shape[-2:])
    if images.ndim != 4 or tuple(flow.shape) != expected:
        raise ConfigError(
            f"a flow for pictures {tuple(images.shape)} is (B, 2, H, W) of their size, got {tuple(flow.shape)}"
        )
