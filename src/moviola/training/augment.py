"""Differentiable augmentation for adversarial training."""

from __future__ import annotations

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


def _uniform(x: Tensor, generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(x.shape[0], *shape, generator=generator).to(x)


def _color(x: Tensor, generator: torch.Generator) -> Tensor:
    brightness, saturation, contrast = (_uniform(x, generator, 1, 1, 1) for _ in range(3))
    x = x + (brightness - 0.5) * 0.4
    grey = x.mean(dim=1, keepdim=True)
    x = grey + (x - grey) * (0.6 + 0.8 * saturation)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
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
