"""Caption and noise to one frame."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.core.weights import PretrainedMixin
from moviola.models.textgan.config import TextGANConfig
from moviola.nn.conv import FiLMBlock
from moviola.nn.norm import FiLM


class FrameGenerator(PretrainedMixin, nn.Module):
    """Generator of the conditional GAN: dense seed, three FiLM up-blocks, pixel shuffle.

    Source: Reed et al. 2016, "Generative Adversarial Text to Image Synthesis", section 4, with FiLM in place of
    concatenation.

    Args:
        config: sizes.
    """

    config_class = TextGANConfig
    config: TextGANConfig

    def __init__(self, config: TextGANConfig) -> None:
        super().__init__()
        self.config = config
        w0, w1, w2, w3 = config.widths
        d = config.condition
        self.caption = config.make_encoder(d)
        self.mix = nn.Linear(d + config.latent * (1 + 2 * config.octaves), d)
        self.seed = nn.Linear(d, w0 * (config.size // 16) ** 2)
        self.block0 = FiLMBlock(w0, w0, d)
        self.block1 = FiLMBlock(w0, w1, d, upsample=True)
        self.block2 = FiLMBlock(w1, w2, d, upsample=True)
        self.block3 = FiLMBlock(w2, w3, d, upsample=True)
        self.film = FiLM(w3, d)
        self.head = nn.Conv2d(w3, 12, 3, padding=1)

    def forward(self, slots: Tensor, noise: Tensor) -> Tensor:
        """Draw frames.

        Args:
            slots: int64 (B, S).
            noise: float32 (B, latent), standard normal.

        Returns:
            float32 (B, 3, size, size); in [-1, 1] up to the last layer's overshoot.
        """
        caption = self.caption(slots)
        condition = caption + F.silu(self.mix(torch.cat([caption, self._encoded(noise)], dim=1)))
        side = self.config.size // 16
        x = self.seed(condition).view(-1, self.config.widths[0], side, side)
        for block in (self.block0, self.block1, self.block2, self.block3):
            x = block(x, condition)
        return F.pixel_shuffle(self.head(F.silu(self.film(x, condition))), 2)

    def _encoded(self, noise: Tensor) -> Tensor:
        """Append sin and cos of 2^k pi u, u the uniform of the noise (Tancik et al. 2020, Fourier features)."""
        if not self.config.octaves:
            return noise
        uniform = torch.erf(noise.float() / math.sqrt(2))
        rates = math.pi * 2.0 ** torch.arange(self.config.octaves, device=noise.device)
        angles = (uniform[:, :, None] * rates).flatten(1)
        return torch.cat([noise, angles.sin(), angles.cos()], dim=1)
