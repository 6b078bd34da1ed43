"""The discriminators: one frame, a few frames with the time between them, or whole clips."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from moviola.models.freqmotion.config import DiscriminatorConfig
from moviola.nn.equalized import EqualizedConv2d, EqualizedLinear, leaky_relu
from moviola.nn.upfirdn import Blur2d
from moviola.nn.volume import Conv3d


class Discriminator(nn.Module):
    """What all of them share.

    Args:
        config: sizes.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, clips: Tensor, delta: Tensor, start: Tensor | None = None) -> Tensor:
        """Score clips.

        Args:
            clips: (B, T, C, H, W) in [-1, 1], T as the config says.
            delta: (B,), time units from one frame to the next; looked at by "time-difference" alone.
            start: (B,), time of the first frame; looked at by "time-difference" with `absolute` alone.

        Returns:
            (B / pack, scores); larger is more real.
        """
        raise NotImplementedError

    def _check(self, clips: Tensor) -> None:
        c = self.config
        if clips.shape[1:] != (c.frames, c.channels, c.size, c.size):
            raise ValueError(
                f"the {c.kind} discriminator sees clips (B, {c.frames}, {c.channels}, {c.size}, {c.size}), "
                f"not {tuple(clips.shape)}"
            )
        if len(clips) % c.pack:
            raise ValueError(f"{len(clips)} clips cannot be judged {c.pack} at a time")

    def _stacked(self, clips: Tensor) -> Tensor:
        """Return clips (B, T, C, H, W) as (B / pack, pack T C, H, W)."""
        self._check(clips)
        return clips.reshape(len(clips) // self.config.pack, -1, *clips.shape[-2:])


class FrameDiscriminator(Discriminator):
    """Residual discriminator of StyleGAN2 over frames stacked as channels; "image" and "time-difference".

    For "time-difference", the embedding of the time between frames is projected on the features, v h + <E(dt), h>
    (Miyato and Koyama 2018, "cGANs with Projection Discriminator"; the paper's DeltaVideoDiscriminator).
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__(config)
        widths, top = config.widths, config.widths[-1]
        self.stem = EqualizedConv2d(
            config.pack * config.channels * config.frames, widths[0], 1, activate=True
        )
        self.blocks = nn.ModuleList(DownBlock(a, b) for a, b in itertools.pairwise(widths))
        self.conv = EqualizedConv2d(top + (config.group > 1), top, 3, activate=True)
        self.hidden = EqualizedLinear(top * 16, top, activate=True)
        self.score = EqualizedLinear(top, 1)
        self.embed = IntervalEmbedding(top) if config.kind == "time-difference" else None
        self.embed_start = IntervalEmbedding(top) if config.absolute else None

    def forward(self, clips: Tensor, delta: Tensor, start: Tensor | None = None) -> Tensor:
        """Score clips (B, T, C, H, W); see `Discriminator.forward`. Returns (B / pack, 1)."""
        x = self.stem(self._stacked(clips))
        for block in self.blocks:
            x = block(x)
        if self.config.group > 1:
            x = _append_spread(x, self.config.group)
        h = self.hidden(self.conv(x).flatten(1))
        score = self.score(h)
        if self.embed is not None:
            step = delta[:: self.config.pack]
            embedding = self.embed(step)
            if self.embed_start is not None:
                assert start is not None
                embedding = embedding + self.embed_start(start[:: self.config.pack])
            # v h + <E(dt), h> / sqrt(D), the inner product over features D: (B / pack, 1)
            score = score + (embedding * h).sum(dim=1, keepdim=True) / math.sqrt(h.shape[1])
        return score


class PatchDiscriminator(Discriminator):
    """The same blocks, and a score for each place of the last resolution; "patch-image"."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__(config)
        widths = config.widths
        self.stem = EqualizedConv2d(
            config.pack * config.channels * config.frames, widths[0], 1, activate=True
        )
        self.blocks = nn.ModuleList(DownBlock(a, b) for a, b in itertools.pairwise(widths))
        self.score = EqualizedConv2d(widths[-1], 1, 1)

    def forward(self, clips: Tensor, delta: Tensor, start: Tensor | None = None) -> Tensor:
        """Score clips (B, 1, C, H, W); see `Discriminator.forward`. Returns (B, places)."""
        x = self.stem(self._stacked(clips))
        for block in self.blocks:
            x = block(x)
        return self.score(x).flatten(1)


class VideoDiscriminator(Discriminator):
    """Strided 3-D convolutions; "video" (one score) and "patch-video" (a score a patch of space and time).

    Every layer halves H and W, and T while it is 4 or more. After Tulyakov et al. 2018, "MoCoGAN", with the equalised
    learning rate in place of batch normalisation.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__(config)
        widths = (config.channels, *config.widths)
        frames, side = config.frames, config.size
        self.layers, self.strides = nn.ModuleList(), []
        for a, b in itertools.pairwise(widths):
            step = 2 if frames >= 4 else 1
            self.layers.append(_EqualizedConv3d(a, b, (step, 2, 2)))
            frames, side = (frames + step - 1) // step, (side + 1) // 2
        top = config.widths[-1]
        if config.kind == "patch-video":
            self.score: nn.Module = _EqualizedConv3d(top, 1, (1, 1, 1))
        else:
            self.score = EqualizedLinear(top * frames * side * side, 1)

    def forward(self, clips: Tensor, delta: Tensor, start: Tensor | None = None) -> Tensor:
        """Score clips (B, T, C, H, W); see `Discriminator.forward`. Returns (B, 1) or (B, patches)."""
        self._check(clips)
        x = clips.transpose(1, 2)
        for layer in self.layers:
            x = leaky_relu(layer(x))
        return self.score(x if self.config.kind == "patch-video" else x.flatten(1)).flatten(1)


def make_discriminator(config: DiscriminatorConfig) -> Discriminator:
    """Return the discriminator of `config.kind`."""
    kinds = {
        "image": FrameDiscriminator,
        "time-difference": FrameDiscriminator,
        "patch-image": PatchDiscriminator,
        "video": VideoDiscriminator,
        "patch-video": VideoDiscriminator,
    }
    return kinds[config.kind](config)


class IntervalEmbedding(nn.Module):
    """Any real time difference to a vector, through sinusoids and two layers.

    Args:
        size: of the vector.
    """

    rates: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("rates", 2.0 ** torch.arange(-2, 4) * math.pi, persistent=False)
        self.hidden = EqualizedLinear(2 * len(self.rates) + 1, size, activate=True)
        self.out = EqualizedLinear(size, size)

    def forward(self, delta: Tensor) -> Tensor:
        """Map (B,) time units to (B, size)."""
        angles = delta[:, None] * self.rates
        return self.out(self.hidden(torch.cat([delta[:, None], angles.sin(), angles.cos()], dim=1)))


class DownBlock(nn.Module):
    """Residual block that halves H and W: (B, C_in, H, W) to (B, C_out, H/2, W/2)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = EqualizedConv2d(channels_in, channels_in, 3, activate=True)
        self.blur = Blur2d((2, 2))
        self.conv2 = EqualizedConv2d(channels_in, channels_out, 3, stride=2, padding=0, activate=True)
        self.skip_blur = Blur2d((1, 1))
        self.skip = EqualizedConv2d(channels_in, channels_out, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, H/2, W/2)."""
        h = self.conv2(self.blur(self.conv1(x)))
        return (h + self.skip(self.skip_blur(x))) / math.sqrt(2.0)


class _EqualizedConv3d(nn.Module):
    """A 3x3x3 convolution over (B, C, T, H, W) with N(0, 1) weights scaled by 1 / sqrt(fan in)."""

    def __init__(self, channels_in: int, channels_out: int, stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.conv = Conv3d(channels_in, channels_out, 3, stride, padding=1)
        nn.init.normal_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]
        self.scale = 1 / math.sqrt(channels_in * 27)

    def forward(self, x: Tensor) -> Tensor:
        # (w scale) x + b = w (scale x) + b
        return self.conv(x * self.scale)


def _append_spread(x: Tensor, group: int) -> Tensor:
    """Append the mean standard deviation over groups of clips as one more channel (Karras et al. 2018, section 3)."""
    batch, channels, height, width = x.shape
    group = math.gcd(batch, group)
    y = x.reshape(group, batch // group, channels, height, width)
    # minibatch standard deviation: over each group (G, B / G, C, H, W), then the mean over C, H, W: (B / G, 1, 1, 1)
    spread = (y.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3), keepdim=True)
    return torch.cat([x, spread.repeat(group, 1, height, width)], dim=1)
