"""GAN-CLS, the form of the source document: an LSTM's text vector, convolutions, batch normalisation.

Source: Reed et al. 2016, "Generative Adversarial Text to Image Synthesis", section 4.1 and figure 2, in which phi is
the text vector; the weights start as those of DCGAN do (Radford et al. 2016, section 4: normal, 0.02).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from moviola.core.weights import PretrainedMixin
from moviola.models.textgan.config import GanClsConfig, GanClsCriticConfig


def halvings(size: int) -> tuple[int, int]:
    """Return the side of the smallest feature map of frames of `size` px, and how often it is doubled to `size`.

    A side is halved while it is even and at least 8: 64 is 4 doubled 4 times, 48 is 6 doubled 3 times.
    """
    side, count = size, 0
    while side >= 8 and side % 2 == 0:
        side, count = side // 2, count + 1
    return side, count


class ResidualBlock(nn.Module):
    """1x1, 3x3 and 3x3 convolutions around a residual path, narrow inside.

    Args:
        channels: C before and after; a quarter of it inside.
        slope: of the leaky ReLU; 0 for ReLU.
    """

    def __init__(self, channels: int, slope: float = 0.0) -> None:
        super().__init__()
        inside = channels // 4
        self.path = nn.Sequential(
            *_conv(channels, inside, 1, slope=slope),
            *_conv(inside, inside, 3, slope=slope),
            *_conv(inside, channels, 3, slope=None),
        )
        self.activation = nn.LeakyReLU(slope)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        return self.activation(x + self.path(x))


class GanClsGenerator(PretrainedMixin, nn.Module):
    """z and a text vector, a dense layer, then nearest-neighbour upsampling and convolutions.

    Source: Reed et al. 2016, section 4.1, "generator".

    Args:
        config: sizes.
    """

    config_class = GanClsConfig
    config: GanClsConfig

    def __init__(self, config: GanClsConfig) -> None:
        super().__init__()
        self.config = config
        self.side, count = halvings(config.size)
        # 64x64: 4x4x1024 -> 8x8x512 -> 16x16x256 -> 32x32x128 -> 64x64x3
        widths = [max(config.width >> i, 8) for i in range(count)]
        self.reduce = _reduce(config.text, config.reduced)
        self.dense = nn.Linear(config.reduced + config.latent, widths[0] * self.side**2, bias=False)
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0]), nn.ReLU(), ResidualBlock(widths[0])]
        for i, (a, b) in enumerate(pairwise(widths)):
            layers += [nn.Upsample(scale_factor=2.0), *_conv(a, b, 3)]
            layers += [ResidualBlock(b)] if i == 0 else []
        self.layers = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.Upsample(scale_factor=2.0), nn.Conv2d(widths[-1], 3, 3, padding=1), nn.Tanh()
        )
        _start_as_dcgan(self)
        self.caption = config.make_encoder(config.text, config.embedding)

    def forward(self, slots: Tensor, noise: Tensor) -> Tensor:
        """Draw frames.

        Args:
            slots: int64 (B, S).
            noise: float32 (B, latent), standard normal.

        Returns:
            float32 (B, 3, size, size) in [-1, 1].
        """
        return self.draw(self.caption(slots), noise)

    def draw(self, text: Tensor, noise: Tensor) -> Tensor:
        """Draw frames, as `forward`, of text vectors, float32 (B, text)."""
        # [phi(t) reduced, z]: (B, reduced + latent) -> (B, C side side), as in figure 2
        x = self.dense(torch.cat([self.reduce(text), noise], dim=1))
        return self.head(self.layers(x.unflatten(1, (-1, self.side, self.side))))


class GanClsDiscriminator(nn.Module):
    """Strided convolutions; the text vector is tiled over the last map and joined by a 1x1 convolution.

    Source: Reed et al. 2016, section 4.1, "discriminator".

    Args:
        config: sizes.
    """

    def __init__(self, config: GanClsCriticConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk, channels, side = _strided(config)
        self.reduce = _reduce(config.text, config.reduced)
        self.join = nn.Sequential(*_conv(channels + config.reduced, channels, 1, slope=0.2))
        self.score = nn.Conv2d(channels, 1, side)
        _start_as_dcgan(self)

    def forward(self, frames: Tensor, text: Tensor) -> Tensor:
        """Judge frames, float32 (B, 3, size, size) in [-1, 1], under text vectors (B, text); logits, float32 (B,)."""
        x = self.trunk(frames)
        tiled = self.reduce(text)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        # (B, C + reduced, side, side) -> (B, C, side, side) -> (B, 1, 1, 1)
        return self.score(self.join(torch.cat([x, tiled], dim=1))).flatten()


class ImageEncoder(nn.Module):
    """Frames to vectors of the text's size, for the ranking loss; the same strided convolutions and a dense layer.

    Args:
        config: sizes.
    """

    def __init__(self, config: GanClsCriticConfig) -> None:
        super().__init__()
        self.trunk, channels, side = _strided(config)
        self.dense = nn.Linear(channels * side**2, config.text)
        _start_as_dcgan(self)

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames, float32 (B, 3, size, size) in [-1, 1], to float32 (B, text)."""
        return self.dense(self.trunk(frames).flatten(1))


def _strided(config: GanClsCriticConfig) -> tuple[nn.Module, int, int]:
    """Return 4x4 convolutions of stride 2 and a residual block, the C they end with, and the side of their map."""
    side, count = halvings(config.size)
    widths = [config.width << min(i, 3) for i in range(count)]
    layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
    for a, b in pairwise(widths):
        layers += _conv(a, b, 4, stride=2, slope=0.2)
    return nn.Sequential(*layers, ResidualBlock(widths[-1], 0.2)), widths[-1], side


def _conv(
    channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, slope: float | None = 0.0
) -> list[nn.Module]:
    """Return a convolution that keeps H and W (or divides them by `stride`), batch normalisation, (leaky) ReLU."""
    layer = nn.Conv2d(channels_in, channels_out, kernel, stride, (kernel - 1) // 2, bias=False)
    return [layer, nn.BatchNorm2d(channels_out), *([] if slope is None else [nn.LeakyReLU(slope)])]


def _reduce(text: int, reduced: int) -> nn.Module:
    return nn.Sequential(nn.Linear(text, reduced), nn.LeakyReLU(0.2))


def _start_as_dcgan(network: nn.Module) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, mean=1.0, std=0.02)
