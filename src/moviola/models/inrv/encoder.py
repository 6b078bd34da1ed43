"""From what is observed of a video to the code of it: amortised inversion."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.models.inrv.config import InrvConfig
from moviola.models.inrv.coordinates import PositionalEncoding, octaves_of


class Encoder(nn.Module):
    """A convolutional network a frame, joined over time, to mean and log variance of the code.

    Hidden pixels are 0 and the mask is one more channel, so that any part of a video can be encoded. Frames are joined
    by a mean over features that know their time, so that any number of them can be given.

    Source: Kingma and Welling 2014, "Auto-Encoding Variational Bayes", for the bottleneck.

    Args:
        config: sizes; `config.encoder` has the widths.
    """

    def __init__(self, config: InrvConfig) -> None:
        super().__init__()
        widths = (config.channels + 1, *config.encoder)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in itertools.pairwise(widths))
        shape = [max(n >> len(config.encoder), 1) for n in (config.height, config.width)]
        top, hidden = widths[-1] * math.prod(shape), widths[-1]
        self.shape = (shape[0], shape[1])
        self.encoding = PositionalEncoding([octaves_of(config.frames, config.octaves, config.nyquist)])
        self.frame = nn.Linear(top, hidden)
        self.joined = nn.Sequential(
            nn.Linear(hidden + self.encoding.sizes[0], hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden)
        )
        self.mean, self.log_variance = (nn.Linear(hidden, config.code) for _ in range(2))
        nn.init.constant_(self.log_variance.bias, -6.0)
        nn.init.zeros_(self.log_variance.weight)

    def forward(self, frames: Tensor, times: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            frames: (B, T, C, H, W) in [-1, 1], H and W as the config says.
            times: (B, T), coordinates of the frames.
            mask: (B, T, 1, H, W), 1 where a pixel is observed; None for everywhere.

        Returns:
            Mean and log variance, (B, code) each.
        """
        mask = torch.ones_like(frames[:, :, :1]) if mask is None else mask.to(frames.dtype)
        x = torch.cat([frames * mask, mask], dim=2).flatten(0, 1)
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.2)
        x = F.adaptive_avg_pool2d(x, self.shape) if x.shape[-2:] != self.shape else x
        h = F.leaky_relu(self.frame(x.flatten(1)), 0.2).unflatten(0, frames.shape[:2])
        h = self.joined(torch.cat([h, self.encoding.one(0, times).to(h.dtype)], dim=-1))
        # mean over the frames of which something is observed: (B, T, hidden) -> (B, hidden)
        observed = mask.flatten(2).amax(dim=2, keepdim=True)
        h = F.leaky_relu((h * observed).sum(dim=1) / observed.sum(dim=1).clamp(min=1), 0.2)
        return self.mean(h), self.log_variance(h)
