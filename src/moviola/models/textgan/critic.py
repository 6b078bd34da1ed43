"""The discriminator of the text-to-frame GAN."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from moviola.models.textgan.config import CriticConfig
from moviola.nn.conv import DownBlock2d


class FrameCritic(nn.Module):
    """Spectrally normalised projection discriminator.

    Source: Miyato and Koyama 2018, "cGANs with Projection Discriminator", eq. 2: psi(phi(x)) + <V y, phi(x)>;
    spectral normalisation after Miyato et al. 2018.

    Args:
        config: sizes.
    """

    def __init__(self, config: CriticConfig) -> None:
        super().__init__()
        self.config = config
        w0, w1, w2, w3 = config.widths
        self.stem = spectral_norm(nn.Conv2d(12, w0, 3, padding=1))
        self.blocks = nn.ModuleList(
            DownBlock2d(a, b, wrap=spectral_norm) for a, b in ((w0, w1), (w1, w2), (w2, w3))
        )
        self.caption = config.make_encoder(config.condition)
        self.project = spectral_norm(nn.Linear(config.condition, w3, bias=False))
        self.score = spectral_norm(nn.Linear(w3, 1))

    def forward(self, frames: Tensor, slots: Tensor) -> Tensor:
        """Score frames (B, 3, H, W) in [-1, 1] under captions (B, S); float32 (B,), larger is more real."""
        x = self.stem(F.pixel_unshuffle(frames, 2))
        for block in self.blocks:
            x = block(x)
        x = F.leaky_relu(x, 0.2).sum(dim=(2, 3)) / 4
        return self.score(x)[:, 0] + (self.project(self.caption(slots)) * x).sum(dim=1)
