"""Arithmetic on latents: statistics, warping, and what goes in and out of the autoencoder.

Latents are (1, 4, h, w) in the network's scale; frames as tensors are float32 (1, 3, H, W) in [-1, 1]. The
autoencoder's factor H / h is whatever its config gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from moviola.nn.warp import warp

EPS = 1e-5  # under the root of a variance


def to_tensor(frame: np.ndarray) -> Tensor:
    """Return a frame uint8 (H, W, 3) as float32 (1, 3, H, W) in [-1, 1]."""
    unit = frame.astype(np.float32) / 255.0
    return 2.0 * torch.from_numpy(unit)[None].permute(0, 3, 1, 2) - 1.0


def to_frame(picture: Tensor) -> np.ndarray:
    """Return a picture (1, 3, H, W) in [-1, 1] as uint8 (H, W, 3); what is outside the range is cut off."""
    unit = (picture * 0.5 + 0.5).clamp(0, 1)
    values = unit[0].permute(1, 2, 0).float().cpu().numpy()
    return (values * 255).round().astype(np.uint8)


# --- statistics --------------------------------------------------------------------------------------------------


def statistics(latent: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each channel, both (B, C, 1, 1), of (B, C, h, w)."""
    mean = latent.mean(dim=(2, 3), keepdim=True)
    variance = latent.var(dim=(2, 3), unbiased=False, keepdim=True)
    return mean, (variance + EPS).sqrt()


def adain(latent: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Give each channel of a latent another mean and deviation.

    Source: Huang and Belongie 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization",
    equation 8; on the clean latent: Rerender-A-Video, section 4.1, "Color-aware adaptive latent adjustment".

    Args:
        latent: (B, C, h, w).
        mean, deviation: (B, C, 1, 1), as `statistics` gives them.
    """
    own_mean, own_deviation = statistics(latent)
    return (latent - own_mean) / own_deviation * deviation + mean


def style_distance(first: Tensor, second: Tensor) -> float:
    """Return how far two latents' channel statistics are apart, in standard deviations of the first; 0 is equal.

    It is the 2-Wasserstein distance of the normal distributions with those statistics, averaged over the channels.

    Args:
        first, second: (1, C, h, w); the sizes may differ.
    """
    mean, deviation = statistics(first)
    other_mean, other_deviation = statistics(second.to(first))
    squared = ((mean - other_mean) ** 2 + (deviation - other_deviation) ** 2) / deviation**2
    return float(squared.mean().sqrt())


# --- moving ------------------------------------------------------------------------------------------------------


def shrink_flow(flow: Tensor, height: int, width: int) -> Tensor:
    """Return a flow (1, 2, H, W) for pictures of another size; its vectors shrink or grow with the picture."""
    if tuple(flow.shape[-2:]) == (height, width):
        return flow
    scale = torch.tensor([width / flow.shape[-1], height / flow.shape[-2]]).to(flow).view(1, 2, 1, 1)
    return F.interpolate(flow, (height, width), mode="area") * scale


def shrink_visible(visible: Tensor, height: int, width: int, smooth: bool = False) -> Tensor:
    """Return where a latent is visible: float32 (1, 1, height, width), 1 where every pixel that it stands for is.

    Args:
        visible: bool (1, 1, H, W).
        height, width: of the latent.
        smooth: let it fall off, over two latents, towards what is hidden; never above the plain mask.
    """
    hidden = F.adaptive_max_pool2d(1 - visible.float(), (height, width))
    plain = 1 - hidden
    if not smooth:
        return plain
    padded = F.pad(plain, (2, 2, 2, 2), mode="replicate")
    return torch.minimum(plain, F.avg_pool2d(padded, 5, 1))


def bring(other: Tensor, flow: Tensor, kernel: str = "nearest") -> Tensor:
    """Bring another frame's latent or picture onto this frame.

    Args:
        other: (1, C, h, w).
        flow: from this frame to the other, px of any size of frame, (1, 2, H, W).
        kernel: "nearest" keeps a latent's statistics, "bicubic" a picture's sharpness.
    """
    small = shrink_flow(flow.to(other.device, torch.float32), *other.shape[-2:])
    return warp(other.float(), small, kernel=kernel)[0]  # type: ignore[arg-type]


def fuse(latent: Tensor, reference: Tensor, weight: Tensor) -> Tensor:
    """Return latent + weight * (reference - latent); weight (1, 1, h, w) in [0, 1] (Rerender-A-Video, eq. 4)."""
    return latent + weight.to(latent) * (reference.to(latent) - latent)


# --- the autoencoder ---------------------------------------------------------------------------------------------


@contextmanager
def full_precision(vae: Any) -> Iterator[None]:
    """Let an autoencoder that asks for it (SDXL's) work in float32 inside the block."""
    kind = vae.dtype
    if kind != torch.float16 or not getattr(vae.config, "force_upcast", False):
        yield
        return
    torch.nn.Module.to(vae, dtype=torch.float32)  # diffusers' own method remarks on it every time
    try:
        yield
    finally:
        torch.nn.Module.to(vae, dtype=kind)


def _shift_scale(vae: Any, like: Tensor) -> tuple[Tensor, Tensor] | None:
    mean, deviation = (getattr(vae.config, name, None) for name in ("latents_mean", "latents_std"))
    if mean is None or deviation is None:
        return None
    return tuple(torch.tensor(values).view(1, -1, 1, 1).to(like) for values in (mean, deviation))  # type: ignore


def encode(vae: Any, picture: Tensor, dtype: torch.dtype, generator: torch.Generator | None = None) -> Tensor:
    """Return a picture's latent, (1, 4, h, w).

    Args:
        vae: an autoencoder of diffusers, on its device.
        picture: (1, 3, H, W) in [-1, 1], where the autoencoder computes, H and W multiples of the autoencoder's factor.
        dtype: of the latent.
        generator: draws from the latent's distribution; None takes its most likely value.
    """
    with full_precision(vae):
        latents = vae.encode(picture.to(vae.dtype)).latent_dist
        latent = latents.mode() if generator is None else latents.sample(generator)
    latent = latent.to(dtype)
    moments = _shift_scale(vae, latent)
    if moments is None:
        return vae.config.scaling_factor * latent
    return (latent - moments[0]) * vae.config.scaling_factor / moments[1]


def decode(vae: Any, latent: Tensor) -> Tensor:
    """Return the picture of a latent, (1, 3, H, W) about in [-1, 1]."""
    moments = _shift_scale(vae, latent)
    with full_precision(vae):
        if moments is None:
            plain = latent / vae.config.scaling_factor
        else:
            plain = latent * moments[1] / vae.config.scaling_factor + moments[0]
        return vae.decode(plain.to(vae.dtype), return_dict=False)[0]


def encode_faithfully(vae: Any, picture: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a latent that decodes closer to the picture than the plain one does.

    An autoencoder loses a little each time, and frames made from frames lose it over and over. With z = E(I) and
    D, E the autoencoder, what encoding its own output moves, z - E(D(z)), is put on top: z + (1 - m) (z - E(D(z))). The
    mask m is 1 where that brings D no closer to the picture.

    Source: Rerender-A-Video, section 4.1, "Fidelity-oriented image encoding".

    Args:
        vae, picture, dtype: as for `encode`.
    """
    plain = encode(vae, picture, dtype)
    decoded = decode(vae, plain)
    better = plain + (plain - encode(vae, decoded, dtype))
    size = (int(plain.shape[-2]), int(plain.shape[-1]))
    before = F.adaptive_avg_pool2d((decoded.float() - picture).abs().mean(1, keepdim=True), size)
    after = F.adaptive_avg_pool2d((decode(vae, better).float() - picture).abs().mean(1, keepdim=True), size)
    unreliable = (after >= before).to(dtype)
    return plain + (1 - unreliable) * (better - plain)


# --- colours -----------------------------------------------------------------------------------------------------


def match_colors(frame: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return a frame with the colour histograms of another: each channel is mapped through both cumulative counts.

    Source: Gonzalez and Woods, "Digital Image Processing", section 3.3 (histogram specification).

    Args:
        frame, reference: uint8 (H, W, 3); the sizes may differ.
    """
    out = np.empty_like(frame)
    levels = np.arange(256)
    for c in range(3):
        own = np.cumsum(np.bincount(frame[..., c].ravel(), minlength=256)) / frame[..., c].size
        wanted = np.cumsum(np.bincount(reference[..., c].ravel(), minlength=256)) / reference[..., c].size
        present, first = np.unique(wanted, return_index=True)
        table = np.interp(own, present, levels[first])
        out[..., c] = np.rint(table).astype(np.uint8)[frame[..., c]]
    return out
