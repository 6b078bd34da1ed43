"""EfficientNet-lite0, an image network of 4.7 million weights trained on ImageNet.

EfficientNet (Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", table 1)
without squeeze-and-excitation and with ReLU6, as its authors made it for phones. Frames are the whole picture, resized
to 224x224 with an antialiased bicubic kernel; pixels enter as (value - 127) / 128.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from moviola.core.config import Config
from moviola.core.errors import ConfigError
from moviola.core.weights import load_tensors
from moviola.nn.pretrained.state_dict import fit, read_state_dict

NAME = "efficientnet-lite0"
BN_EPS = 1e-3


class EfficientNetLiteConfig(Config):
    """Shape of the network.

    Attributes:
        classes: outputs of the classifier.
        stem: channels of the first convolution.
        head: channels of the last one, the width of the features.
        stages: expansion, channels, repeats, stride and kernel of each group of blocks.
        size: height and width of the input, px.
    """

    classes: int = 1000
    stem: int = 32
    head: int = 1280
    stages: tuple[tuple[int, int, int, int, int], ...] = (
        (1, 16, 1, 1, 3),
        (6, 24, 2, 2, 3),
        (6, 40, 2, 2, 5),
        (6, 80, 3, 2, 3),
        (6, 112, 3, 1, 5),
        (6, 192, 4, 2, 5),
        (6, 320, 1, 1, 3),
    )
    size: int = 224

    @classmethod
    def tiny(cls) -> EfficientNetLiteConfig:
        """Return a network of the same make and a few hundred weights, for tests."""
        stages = ((1, 4, 1, 1, 3), (2, 6, 2, 2, 5), (2, 8, 1, 2, 3))
        return cls(classes=10, stem=4, head=12, stages=stages, size=33)


class Conv2dNormActivation(nn.Module):
    """A convolution padded as TensorFlow's "SAME", batch normalisation and, unless `linear`, ReLU6.

    Args:
        channels_in, channels_out: C before and after.
        kernel: its side.
        stride: of the convolution.
        groups: as in `nn.Conv2d`.
        linear: leave ReLU6 out.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.linear = kernel, stride, linear
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(channels_out, eps=BN_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, ceil(H / stride), ceil(W / stride))."""
        if self.kernel > 1:
            x = F.pad(x, (*self._padding(x.shape[3]), *self._padding(x.shape[2])))
        x = self.norm(self.conv(x))
        return x if self.linear else F.relu6(x)

    def _padding(self, length: int) -> tuple[int, int]:
        """Zeros before and after; an odd one goes after."""
        covered = (-(-length // self.stride) - 1) * self.stride + self.kernel
        total = max(covered - length, 0)
        return total // 2, total - total // 2

    def fold(self) -> None:
        """Put the batch normalisation into the convolution; the outputs stay the same."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class MBConv(nn.Module):
    """Widen by 1x1, convolve each channel, narrow by 1x1; the input is added where the shapes agree.

    Args:
        channels_in, channels_out: C before and after.
        expand: how much wider it is inside.
        stride, kernel: of the middle convolution.
    """

    def __init__(self, channels_in: int, channels_out: int, expand: int, stride: int, kernel: int) -> None:
        super().__init__()
        inside = channels_in * expand
        self.residual = stride == 1 and channels_in == channels_out
        self.expand = Conv2dNormActivation(channels_in, inside) if expand > 1 else nn.Identity()
        self.depthwise = Conv2dNormActivation(inside, inside, kernel, stride, groups=inside)
        self.project = Conv2dNormActivation(inside, channels_out, linear=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, ceil(H / stride), ceil(W / stride))."""
        h = self.project(self.depthwise(self.expand(x)))
        return x + h if self.residual else h


class EfficientNetLite(nn.Module):
    """The network; in eval mode only.

    Args:
        config: its shape.
    """

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = Conv2dNormActivation(3, config.stem, 3, 2)
        blocks, width = [], config.stem
        for expand, channels, repeats, stride, kernel in config.stages:
            for i in range(repeats):
                blocks.append(MBConv(width, channels, expand, stride if i == 0 else 1, kernel))
                width = channels
        self.blocks = nn.Sequential(*blocks)
        self.head = Conv2dNormActivation(width, config.head)
        self.classifier = nn.Linear(config.head, config.classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Look at frames.

        Args:
            x: float32 (B, 3, size, size) in [-1, 1].

        Returns:
            pooled features (B, head) and logits (B, classes), float32.

        Raises:
            ConfigError: frames of another shape.
        """
        side = self.config.size
        if x.ndim != 4 or tuple(x.shape[1:]) != (3, side, side):
            raise ConfigError(f"{NAME} takes frames (B, 3, {side}, {side}), not {tuple(x.shape)}")
        x = (x * 127.5 + 0.5) / 128  # from [-1, 1] to (value - 127) / 128
        pooled = self.head(self.blocks(self.stem(x))).mean(dim=(2, 3))
        return pooled, self.classifier(pooled)

    def fold(self) -> EfficientNetLite:
        """Fold every batch normalisation into its convolution, in place; return the network."""
        for module in self.modules():
            if isinstance(module, Conv2dNormActivation):
                module.fold()
        return self


# the package's names -> ours; the first pattern that matches holds
_RENAME = (
    (r"_blocks\.(\d+)\._expand_conv\.", r"blocks.\1.expand.conv."),
    (r"_blocks\.(\d+)\._bn0\.", r"blocks.\1.expand.norm."),
    (r"_blocks\.(\d+)\._depthwise_conv\.", r"blocks.\1.depthwise.conv."),
    (r"_blocks\.(\d+)\._bn1\.", r"blocks.\1.depthwise.norm."),
    (r"_blocks\.(\d+)\._project_conv\.", r"blocks.\1.project.conv."),
    (r"_blocks\.(\d+)\._bn2\.", r"blocks.\1.project.norm."),
    (r"_conv_stem\.", "stem.conv."),
    (r"_bn0\.", "stem.norm."),
    (r"_conv_head\.", "head.conv."),
    (r"_bn1\.", "head.norm."),
    (r"_fc\.", "classifier."),
)


def rename(key: str) -> str:
    """Return our name of the weight that the package calls `key`."""
    for pattern, name in _RENAME:
        renamed, count = re.subn("^" + pattern, name, key)
        if count:
            return renamed
    return key


def convert(path: Path) -> dict[str, Tensor]:
    """Return the weights in the package's file `path` under our names.

    Raises:
        WeightsError: the file holds something else.
    """
    tensors = {rename(key): tensor for key, tensor in read_state_dict(path, NAME).items()}
    fit(EfficientNetLite(EfficientNetLiteConfig()), tensors, path, NAME)
    return tensors


def load_efficientnet_lite0(path: Path, device: str | torch.device = "cpu") -> EfficientNetLite:
    """Return the network with the weights that `convert` made, ready to be used.

    Args:
        path: safetensors file, from `moviola.nn.pretrained.store.find_weights("efficientnet-lite0")`.
        device: where it goes.

    Raises:
        WeightsError: the file is missing or does not fit.
    """
    network = EfficientNetLite(EfficientNetLiteConfig())
    fit(network, load_tensors(path), path, NAME)
    network = network.eval().requires_grad_(False).fold()
    return network.to(torch.device(device)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
