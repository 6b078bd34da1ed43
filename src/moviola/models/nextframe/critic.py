"""Critics of next frames: of a frame under its history and caption (ours), and of a frame alone (the source's)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from moviola.models.nextframe.config import NextFrameCriticConfig
from moviola.models.nextframe.history import real_places, to_channels
from moviola.nn.conv import DownBlock2d
from moviola.nn.slots import SlotEmbedding


class HistoryCritic(nn.Module):
    """Spectrally normalised projection discriminator of (history, frame, caption).

    The history and the frame are channels; empty places are zero, and marked by one channel each.

    Source: Miyato and Koyama 2018, "cGANs with Projection Discriminator", eq. 2: psi(phi(x)) + <V y, phi(x)>;
    spectral normalisation after Miyato et al. 2018; a frame judged after its history as in Mathieu et al. 2016, "Deep
    multi-scale video prediction beyond mean square error", section 3.2.

    Args:
        config: sizes.
    """

    def __init__(self, config: NextFrameCriticConfig) -> None:
        super().__init__()
        self.config = config
        w0, w1, w2, w3 = config.widths
        self.stem = spectral_norm(nn.Conv2d(12 * (config.history + 1) + config.history, w0, 3, padding=1))
        self.blocks = nn.ModuleList(
            DownBlock2d(a, b, wrap=spectral_norm) for a, b in ((w0, w1), (w1, w2), (w2, w3))
        )
        self.caption = SlotEmbedding(config.slots, config.condition)
        self.project = spectral_norm(nn.Linear(config.condition, w3, bias=False))
        self.score = spectral_norm(nn.Linear(w3, 1))

    def forward(self, history: Tensor, count: Tensor, frame: Tensor, slots: Tensor) -> Tensor:
        """Score frames after histories under captions.

        Args:
            history: float32 (B, K, 3, H, W) in [-1, 1], newest last.
            count: int64 (B,), how many of them are real.
            frame: float32 (B, 3, H, W) in [-1, 1], the one to judge.
            slots: int64 (B, S).

        Returns:
            (B,), larger is more real.
        """
        real = real_places(history, count)[..., None, None]
        frames = torch.cat([history * real[..., None], frame[:, None]], dim=1).flatten(1, 2)
        pixels = F.pixel_unshuffle(frames, 2)
        x = self.stem(torch.cat([pixels, real.expand(-1, -1, *pixels.shape[2:])], dim=1))
        for block in self.blocks:
            x = block(x)
        x = F.leaky_relu(x, 0.2).sum(dim=(2, 3)) / 4
        return self.score(x)[:, 0] + (self.project(self.caption(slots)) * x).sum(dim=1)


class SingleFrameCritic(nn.Module):
    """The source document's discriminator of one frame: it sees neither history nor caption.

    Source: the "Videogeneration" project, adversarial setup ("a discriminator working at a frame level"), and its
    notebook (455,297 parameters and statistics for a grey frame of 128x128).

    Args:
        config: sizes; `widths` are those of its four convolutions.
    """

    def __init__(self, config: NextFrameCriticConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        before, deepest = config.channels, config.widths[3]
        for width in config.widths[:3]:
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.LeakyReLU(0.2), _norm(width)]
            layers += [nn.AvgPool2d(2), nn.Dropout(config.dropout)]
            before = width
        layers += [nn.Conv2d(before, deepest, 3, padding=1), _norm(deepest), nn.Dropout(config.dropout)]
        self.layers = nn.Sequential(*layers)
        self.score = nn.Linear(deepest * (config.size // 8) ** 2, 1)

    def forward(self, history: Tensor, count: Tensor, frame: Tensor, slots: Tensor) -> Tensor:
        """Score frames; arguments and result as `HistoryCritic.forward`, all but `frame` unseen. A logit."""
        return self.score(self.layers(to_channels(frame, self.config.channels)).flatten(1))[:, 0]


NextFrameCritic = HistoryCritic | SingleFrameCritic
"""Either critic: `critic(history, count, frame, slots)`, with `critic.config`."""


def make_critic(config: NextFrameCriticConfig) -> NextFrameCritic:
    """Return a fresh critic that sees what `config` says."""
    return HistoryCritic(config) if config.sees == "history" else SingleFrameCritic(config)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.2)
