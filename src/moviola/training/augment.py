"""Differentiable augmentation for adversarial training."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def diff_augment(x: Tensor, generator: torch.Generator, policy: str = "color,translation,cutout") -> Tensor:
    """Augment images the same differentiable way for real and fake.

    Source: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training", section 4.

    Args:
        x: (B, C, H, W) in [-1, 1].
        generator: CPU generator of the random draws.
        policy: any of color, translation, cutout, joined by commas; empty for none.
    """
    for name in filter(None, policy.split(",")):
        x = _POLICIES[name](x, generator)
    return x


def diff_augment_clips(
    x: Tensor, generator: torch.Generator, policy: str = "color,translation,cutout,flip"
) -> Tensor:
    """Augment clips the same differentiable way for real and fake, with one draw for all frames of a clip.

    Source: as `diff_augment`, after Hyun et al. 2023; contrast is taken about the mean over all of T, C, H and W.

    Args:
        x: (B, T, C, H, W) in [-1, 1].
        generator: CPU generator of the random draws.
        policy: any of color, translation, cutout, flip, joined by commas; empty for none.
    """
    for name in filter(None, policy.split(",")):
        if name == "color":
            x = _color(x, generator, channel=2)
        elif name == "flip":
            chosen = _uniform(x, generator, 1, 1, 1, 1) < 0.5
            x = torch.where(chosen, x.flip(-1), x)
        else:
            x = _POLICIES[name](x.flatten(1, 2), generator).unflatten(1, x.shape[1:3])
    return x


def _uniform(x: Tensor, generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(x.shape[0], *shape, generator=generator).to(x)


def _color(x: Tensor, generator: torch.Generator, channel: int = 1) -> Tensor:
    ones = [1] * (x.dim() - 1)
    brightness, saturation, contrast = (_uniform(x, generator, *ones) for _ in range(3))
    x = x + (brightness - 0.5) * 0.4
    grey = x.mean(dim=channel, keepdim=True)
    x = grey + (x - grey) * (0.6 + 0.8 * saturation)
    mean = x.mean(dim=tuple(range(1, x.dim())), keepdim=True)
    return mean + (x - mean) * (0.75 + 0.5 * contrast)


def _translation(x: Tensor, generator: torch.Generator) -> Tensor:
    b, _, h, w = x.shape
    reach = max(1, h // 8)
    shift = torch.randint(-reach, reach + 1, (b, 2), generator=generator).to(x.device)
    padded = F.pad(x, (reach,) * 4, mode="replicate")
    rows = torch.arange(h, device=x.device) + shift[:, :1] + reach
    columns = torch.arange(w, device=x.device) + shift[:, 1:] + reach
    batch = torch.arange(b, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _cutout(x: Tensor, generator: torch.Generator) -> Tensor:
    b, _, h, w = x.shape
    size = h // 4
    corner = torch.randint(-size // 2, h - size // 2, (b, 2), generator=generator).to(x.device)
    rows, columns = torch.arange(h, device=x.device), torch.arange(w, device=x.device)
    inside_y = (rows >= corner[:, :1]) & (rows < corner[:, :1] + size)
    inside_x = (columns >= corner[:, 1:]) & (columns < corner[:, 1:] + size)
    return x * ~(inside_y[:, :, None] & inside_x[:, None, :])[:, None]


_POLICIES = {"color": _color, "translation": _translation, "cutout": _cutout}


def affine_clips(clips: Tensor, random: Sequence[np.random.Generator]) -> Tensor:
    """Flip, turn, scale and shift clips a little, all frames of a clip alike; what comes in from outside is the border.

    Args:
        clips: (B, T, C, H, W).
        random: a generator a clip: flipped in half of them, turned up to 0.15 rad, scaled by 0.85 to 1.15,
            shifted by up to 8 % of the side.
    """
    rows = []
    for r in random:
        flip, angle, scale = (
            (-1.0 if r.random() < 0.5 else 1.0),
            r.uniform(-0.15, 0.15),
            r.uniform(0.85, 1.15),
        )
        c, s = math.cos(angle) / scale, math.sin(angle) / scale
        rows.append([[c * flip, -s, r.uniform(-0.16, 0.16)], [s * flip, c, r.uniform(-0.16, 0.16)]])
    batch, frames = clips.shape[:2]
    theta = torch.tensor(rows, dtype=clips.dtype, device=clips.device).repeat_interleave(frames, dim=0)
    flat = clips.flatten(0, 1)
    with torch.autocast(clips.device.type, enabled=False):  # half precision places pixels by an eighth of one
        grid = F.affine_grid(theta, list(flat.shape), align_corners=False)
        moved = F.grid_sample(flat, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return moved.unflatten(0, (batch, frames))


def rotate_hues(clips: Tensor, random: Sequence[np.random.Generator]) -> Tensor:
    """Turn the hues of half the clips by any angle; grey stays grey, and [-1, 1] is kept by clamping.

    Args:
        clips: (B, T, 3, H, W) in [-1, 1].
        random: a generator a clip.
    """
    rows = []
    for r in random:
        angle = r.uniform(-math.pi, math.pi) if r.random() < 0.5 else 0.0
        c, s = math.cos(angle), math.sin(angle) / math.sqrt(3)
        a, b, d = c + (1 - c) / 3, (1 - c) / 3 - s, (1 - c) / 3 + s
        rows.append([[a, b, d], [d, a, b], [b, d, a]])  # Rodrigues' rotation around (1, 1, 1)
    turn = torch.tensor(rows, dtype=clips.dtype, device=clips.device)
    with torch.autocast(clips.device.type, enabled=False):  # these are targets, too: not in half precision
        return torch.einsum("bij,btjhw->btihw", turn, clips).clamp(-1, 1)
