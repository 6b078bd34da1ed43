"""REGIS-VQ: strided 3-D convolutions, axial attention, a codebook, and the way back.

Source: "REGIS: Refining Generated Videos via Iterative Stylistic Redesigning" (2023), REGIS-VQ; the form is that of
Yan et al. 2021, "VideoGPT: Video Generation using VQ-VAE and Transformers", section 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.core.weights import PretrainedMixin
from moviola.models.protocols import Condition
from moviola.models.regis.base import check_clip
from moviola.models.regis.vq.config import VqConfig
from moviola.nn.axial import AxialBlock
from moviola.nn.norm import group_norm
from moviola.nn.quantize import EmaCodebook, Quantized
from moviola.nn.quantize_finite import FiniteScalarQuantizer
from moviola.nn.quantize_residual import ResidualCodebook
from moviola.nn.volume import Conv3d, ConvTranspose3d

_LAST = torch.channels_last_3d

Quantizer = EmaCodebook | ResidualCodebook | FiniteScalarQuantizer


@dataclass(frozen=True, eq=False)
class VqOutput:
    """What one pass makes.

    Attributes:
        video: float32 (B, T, C, H, W), not clamped.
        latents: float32 (N, D), what the encoder gave, a row a code.
        quantized: what the quantizer made of it, shaped (B, T / a, H / b, W / c, ...).
    """

    video: Tensor
    latents: Tensor
    quantized: Quantized


def _strides(downsample: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    """Return the strides of the convolutions, each 1 or 2 an axis; an axis that is done first goes on with 1."""
    rounds = max(downsample).bit_length() - 1
    return [tuple(2 if side >> (i + 1) else 1 for side in downsample) for i in range(rounds)]  # type: ignore[misc]


def _kernel(stride: tuple[int, int, int]) -> tuple[int, int, int]:
    """4 where the stride is 2, so that every sample counts alike; 3 where it is 1."""
    return tuple(4 if s == 2 else 3 for s in stride)  # type: ignore[return-value]


def _scale(layers: nn.ModuleList) -> None:
    """He initialisation that counts the inputs of one output: with transposed convolutions, kernel / stride a side."""
    for layer in layers:
        assert isinstance(layer, nn.Conv3d | nn.ConvTranspose3d)
        strides = layer.stride if isinstance(layer, nn.ConvTranspose3d) else (1, 1, 1)
        inputs = layer.in_channels * math.prod(k / s for k, s in zip(layer.kernel_size, strides, strict=True))
        nn.init.normal_(layer.weight, std=math.sqrt(2 / inputs))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _quantizer(config: VqConfig) -> Quantizer:
    if config.quantizer == "fsq":
        return FiniteScalarQuantizer(config.levels)
    sizes = config.codes, config.code_width, config.decay
    if config.quantizer == "residual":
        return ResidualCodebook(config.depth, *sizes, restart_below=config.restart_below)
    return EmaCodebook(*sizes, restart_below=config.restart_below)


class _Encoder(nn.Module):
    def __init__(self, config: VqConfig) -> None:
        super().__init__()
        width, strides = config.hidden, _strides(config.downsample)
        before = [config.channels] + [width] * (len(strides) - 1)
        self.down = nn.ModuleList(
            Conv3d(c, width, _kernel(s), s, padding=1) for c, s in zip(before, strides, strict=True)
        )
        self.join = Conv3d(width, width, 3, padding=1)
        self.blocks = nn.Sequential(*(AxialBlock(width, config.heads) for _ in range(config.layers)))
        self.norm = group_norm(width)
        self.to_codes = nn.Linear(width, config.code_width)
        _scale(self.down)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.down:
            x = F.relu(layer(x))
        return self.to_codes(F.relu(self.norm(self.blocks(self.join(x)))).movedim(1, -1))


class _Decoder(nn.Module):
    def __init__(self, config: VqConfig) -> None:
        super().__init__()
        width, strides = config.hidden, _strides(config.downsample)[::-1]
        after = [width] * (len(strides) - 1) + [config.channels]
        self.from_codes = nn.Linear(config.code_width, width)
        self.blocks = nn.Sequential(*(AxialBlock(width, config.heads) for _ in range(config.layers)))
        self.norm = group_norm(width)
        self.up = nn.ModuleList(
            ConvTranspose3d(width, c, _kernel(s), s, padding=1) for c, s in zip(after, strides, strict=True)
        )
        _scale(self.up)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.blocks(self.from_codes(x).movedim(-1, 1))))
        for i, layer in enumerate(self.up):
            x = layer(F.relu(x) if i else x)
        return x


class VqRefiner(PretrainedMixin, nn.Module):
    """Say a clip in codes that were learnt from real video, and draw it again from them.

    What no code can say, generators' faults among it, is lost on the way. The mask is no input, as in the source;
    nor is a condition.

    Args:
        config: sizes.
    """

    config_class = VqConfig
    renamed: ClassVar[Mapping[str, str]] = {"codebook": "quantizer"}
    config: VqConfig
    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def __init__(self, config: VqConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _Encoder(config)
        self.quantizer = _quantizer(config)
        self.decoder = _Decoder(config)

    def encode(self, video: Tensor) -> Tensor:
        """Map clips to what the quantizer takes.

        Args:
            video: float32 (B, T, C, H, W) in [-1, 1], any T; H and W multiples of config.multiple. A T that the time
                downsampling `a` does not divide is filled up with the last frame.

        Returns:
            (B, ceil(T / a), H / b, W / c, D).

        Raises:
            ConfigError: a clip that does not fit.
        """
        check_clip(video, None, self.config)
        missing = -video.shape[1] % self.config.downsample[0]
        if missing:
            video = torch.cat([video, video[:, -1:].expand(-1, missing, -1, -1, -1)], dim=1)
        return self.encoder(video.movedim(2, 1).contiguous(memory_format=_LAST))

    def decode(self, values: Tensor, frames: int) -> Tensor:
        """Map code vectors (B, t, h, w, D) to `frames` frames, float32 (B, frames, C, H, W), not clamped."""
        video = self.decoder(values)
        return video.movedim(1, 2)[:, :frames].float().contiguous()

    def codes(self, video: Tensor) -> Tensor:
        """Map clips as `encode` takes them to codes, int64 (B, t, h, w), or (B, t, h, w, R) of "residual".

        `quantizer.lookup` gives their vectors.
        """
        latents = self.encode(video)
        return self.quantizer.nearest(latents.flatten(0, -2)).unflatten(0, latents.shape[:-1])

    def forward(self, video: Tensor) -> VqOutput:
        """Make one pass for training; see `encode` for `video`."""
        latents = self.encode(video).float()
        quantized = self.quantizer(latents)
        return VqOutput(self.decode(quantized.values, video.shape[1]), latents.flatten(0, -2), quantized)

    def refine(self, video: Tensor, mask: Tensor | None = None, condition: Condition | None = None) -> Tensor:
        """Make one pass; see `moviola.models.protocols.Refiner`.

        Args:
            video: float32 (B, T, C, H, W) in [-1, 1]; H and W multiples of config.multiple.
            mask: (B, T, 1, H, W); checked and not used.
            condition: not used.

        Returns:
            Shaped as `video`, in [-1, 1].

        Raises:
            ConfigError: a clip or a mask that does not fit.
        """
        check_clip(video, mask, self.config)
        values = self.quantizer.lookup(self.codes(video))
        return self.decode(values, video.shape[1]).clamp(-1, 1)
