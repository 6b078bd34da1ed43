"""Reads from a frame which motion drew it, bank by bank."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.models.freqmotion.config import DiscriminatorConfig
from moviola.models.freqmotion.discriminators import DownBlock
from moviola.nn.equalized import EqualizedConv2d, EqualizedLinear, leaky_relu

_TEMPERATURE = 0.2


class MotionReader(nn.Module):
    """Bounds from below how much frames tell of each bank's motion mu_k(t).

    A frame and the motion of each bank become points of a unit sphere; the loss asks which motion of the batch drew
    which frame, for each bank by itself (InfoNCE: van den Oord et al. 2018, "Representation Learning with Contrastive
    Predictive Coding", eq. 4). A generator that lowers it cannot leave a bank unused, as InfoGAN (Chen et al. 2016)
    keeps a code from being ignored.

    Args:
        config: sizes; `size`, `channels` and `widths` are looked at.
        style: D of mu_k(t).
        banks: number of banks.
        dimensions: of the sphere's space, for each bank; few, so that little but the phase fits.
    """

    def __init__(self, config: DiscriminatorConfig, style: int, banks: int, dimensions: int = 3) -> None:
        super().__init__()
        widths, top = config.widths, config.widths[-1]
        self.banks = banks
        self.stem = EqualizedConv2d(config.channels, widths[0], 1, activate=True)
        self.blocks = nn.ModuleList(DownBlock(a, b) for a, b in itertools.pairwise(widths))
        self.hidden = EqualizedLinear(top * 16, top, activate=True)
        self.point = EqualizedLinear(top, banks * dimensions)
        self.motion_hidden = nn.ModuleList(EqualizedLinear(style, top) for _ in range(banks))
        self.motion_point = nn.ModuleList(EqualizedLinear(top, dimensions) for _ in range(banks))

    def forward(self, frames: Tensor, motions: Sequence[Tensor]) -> Tensor:
        """Return the loss of each bank.

        Args:
            frames: (B, C, H, W) in [-1, 1].
            motions: mu_k(t) of each bank at the frame's time, (B, style).

        Returns:
            (banks,), nats; log B where frames tell nothing.
        """
        x = self.stem(frames)
        for block in self.blocks:
            x = block(x)
        points = F.normalize(
            self.point(self.hidden(x.flatten(1))).unflatten(1, (self.banks, -1)).float(), dim=2
        )
        target = torch.arange(len(frames), device=frames.device)
        losses = []
        for k, motion in enumerate(motions):
            scaled = F.normalize(motion.float(), dim=1) * motion.shape[1] ** 0.5
            code = F.normalize(self.motion_point[k](leaky_relu(self.motion_hidden[k](scaled))).float(), dim=1)
            logits = points[:, k] @ code.T / _TEMPERATURE
            losses.append((F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2)
        return torch.stack(losses)
