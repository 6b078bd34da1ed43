"""Inception-v3 as the Fréchet inception distance uses it: the network of 2015-12-05 with 1008 classes.

Szegedy et al. 2016, "Rethinking the Inception architecture for computer vision"; the weights are the ones that the
figures called FID and Inception Score are made with, as the pytorch-fid project published them for torch
(`pt_inception-2015-12-05-6726825d.pth`). The user brings the file. It differs from torchvision's Inception-v3, beside
the weights, in its pooling: averages leave the padding out, and the last block takes the maximum.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.core.config import Config
from moviola.core.errors import ConfigError, WeightsError
from moviola.nn.pretrained.state_dict import fit, read_state_dict

NAME = "inception-v3 2015-12-05"
FILE = "pt_inception-2015-12-05-6726825d.pth"
BN_EPS = 1e-3
Pool = Literal["average", "max", "shrink"]


class InceptionConfig(Config):
    """Shape of the network.

    Attributes:
        classes: outputs of the classifier.
        divide: every width is divided by this (1 is the published network; others are for tests).
        size: height and width of the input, px.
    """

    classes: int = 1008
    divide: int = 1
    size: int = 299

    @classmethod
    def tiny(cls) -> InceptionConfig:
        """Return a network of the same make with a sixteenth of the channels, for tests."""
        return cls(classes=11, divide=16, size=95)


class BasicConv2d(nn.Module):
    """A convolution, batch normalisation and ReLU.

    Args:
        channels_in, channels_out: C before and after.
        kernel: height and width.
        stride: of the convolution.
        padding: zeros at each end, per axis.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: tuple[int, int],
        stride: int,
        padding: tuple[int, int],
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels_out, eps=BN_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, H', W')."""
        return F.relu(self.bn(self.conv(x)))


# a layer of a block: name, what it reads ("x", "pool" or another layer), channels, kernel, stride
_Layer = tuple[str, str, int, tuple[int, int], int]
_1, _3, _5, _1x3, _3x1, _1x7, _7x1 = (1, 1), (3, 3), (5, 5), (1, 3), (3, 1), (1, 7), (7, 1)


def _chain(name: str, *steps: tuple[int, tuple[int, int]], last_stride: int = 1) -> list[_Layer]:
    """Return layers name_1, name_2 ... each reading the one before, the first one the block's input."""
    layers: list[_Layer] = []
    for i, (channels, kernel) in enumerate(steps, start=1):
        input_name = f"{name}_{i - 1}" if i > 1 else "x"
        layers.append((f"{name}_{i}", input_name, channels, kernel, last_stride if i == len(steps) else 1))
    return layers


class InceptionBlock(nn.Module):
    """Several paths side by side, joined by channels.

    Args:
        channels_in: C before.
        layers: the paths' convolutions.
        joined: names of the layers (or "pool") whose outputs are joined, in order.
        pool: of the path that begins with one: 3x3 with stride 1, or the maximum with stride 2 ("shrink").
        divide: of every width.
    """

    def __init__(
        self,
        channels_in: int,
        layers: list[_Layer],
        concatenated: tuple[str, ...],
        pool: Pool,
        divide: int = 1,
    ) -> None:
        super().__init__()
        self.reads = {name: input_name for name, input_name, *_ in layers}
        self.concatenated, self.pool = concatenated, pool
        widths = {"x": channels_in, "pool": channels_in}
        for name, input_name, channels, kernel, stride in layers:
            padding = (0, 0) if stride > 1 else (kernel[0] // 2, kernel[1] // 2)
            widths[name] = channels // divide
            self.add_module(name, BasicConv2d(widths[input_name], widths[name], kernel, stride, padding))
        self.channels = sum(widths[name] for name in concatenated)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, channels, H', W')."""
        activations = {"x": x, "pool": self._pooled(x)}
        for name, input_name in self.reads.items():
            activations[name] = self.get_submodule(name)(activations[input_name])
        return torch.cat([activations[name] for name in self.concatenated], dim=1)

    def _pooled(self, x: Tensor) -> Tensor:
        if self.pool == "shrink":
            return F.max_pool2d(x, 3, 2)
        if self.pool == "max":
            return F.max_pool2d(x, 3, 1, padding=1)
        return F.avg_pool2d(x, 3, 1, padding=1, count_include_pad=False)


def _block_a(width: int, pooled: int, divide: int) -> InceptionBlock:
    layers = [
        ("branch1x1", "x", 64, _1, 1),
        *_chain("branch5x5", (48, _1), (64, _5)),
        *_chain("branch3x3dbl", (64, _1), (96, _3), (96, _3)),
        ("branch_pool", "pool", pooled, _1, 1),
    ]
    return InceptionBlock(
        width, layers, ("branch1x1", "branch5x5_2", "branch3x3dbl_3", "branch_pool"), "average", divide
    )


def _block_b(width: int, divide: int) -> InceptionBlock:
    layers = [
        ("branch3x3", "x", 384, _3, 2),
        *_chain("branch3x3dbl", (64, _1), (96, _3), (96, _3), last_stride=2),
    ]
    return InceptionBlock(width, layers, ("branch3x3", "branch3x3dbl_3", "pool"), "shrink", divide)


def _block_c(width: int, inside: int, divide: int) -> InceptionBlock:
    layers = [
        ("branch1x1", "x", 192, _1, 1),
        *_chain("branch7x7", (inside, _1), (inside, _1x7), (192, _7x1)),
        *_chain("branch7x7dbl", (inside, _1), (inside, _7x1), (inside, _1x7), (inside, _7x1), (192, _1x7)),
        ("branch_pool", "pool", 192, _1, 1),
    ]
    return InceptionBlock(
        width, layers, ("branch1x1", "branch7x7_3", "branch7x7dbl_5", "branch_pool"), "average", divide
    )


def _block_d(width: int, divide: int) -> InceptionBlock:
    layers = [
        *_chain("branch3x3", (192, _1), (320, _3), last_stride=2),
        *_chain("branch7x7x3", (192, _1), (192, _1x7), (192, _7x1), (192, _3), last_stride=2),
    ]
    return InceptionBlock(width, layers, ("branch3x3_2", "branch7x7x3_4", "pool"), "shrink", divide)


def _block_e(width: int, pool: Pool, divide: int) -> InceptionBlock:
    layers: list[_Layer] = [
        ("branch1x1", "x", 320, _1, 1),
        ("branch3x3_1", "x", 384, _1, 1),
        ("branch3x3_2a", "branch3x3_1", 384, _1x3, 1),
        ("branch3x3_2b", "branch3x3_1", 384, _3x1, 1),
        *_chain("branch3x3dbl", (448, _1), (384, _3)),
        ("branch3x3dbl_3a", "branch3x3dbl_2", 384, _1x3, 1),
        ("branch3x3dbl_3b", "branch3x3dbl_2", 384, _3x1, 1),
        ("branch_pool", "pool", 192, _1, 1),
    ]
    concatenated = (
        "branch1x1",
        "branch3x3_2a",
        "branch3x3_2b",
        "branch3x3dbl_3a",
        "branch3x3dbl_3b",
        "branch_pool",
    )
    return InceptionBlock(width, layers, concatenated, pool, divide)


class Inception(nn.Module):
    """The network; in eval mode only. Its weights have the names of the published file.

    Args:
        config: its shape.
    """

    def __init__(self, config: InceptionConfig) -> None:
        super().__init__()
        self.config, n = config, config.divide
        self.Conv2d_1a_3x3 = BasicConv2d(3, 32 // n, _3, 2, (0, 0))
        self.Conv2d_2a_3x3 = BasicConv2d(32 // n, 32 // n, _3, 1, (0, 0))
        self.Conv2d_2b_3x3 = BasicConv2d(32 // n, 64 // n, _3, 1, (1, 1))
        self.Conv2d_3b_1x1 = BasicConv2d(64 // n, 80 // n, _1, 1, (0, 0))
        self.Conv2d_4a_3x3 = BasicConv2d(80 // n, 192 // n, _3, 1, (0, 0))
        width = 192 // n
        for letter, pooled in zip("bcd", (32, 64, 64), strict=True):
            width = self._add(f"Mixed_5{letter}", _block_a(width, pooled, n))
        width = self._add("Mixed_6a", _block_b(width, n))
        for letter, inside in zip("bcde", (128, 160, 160, 192), strict=True):
            width = self._add(f"Mixed_6{letter}", _block_c(width, inside, n))
        width = self._add("Mixed_7a", _block_d(width, n))
        width = self._add("Mixed_7b", _block_e(width, "average", n))
        width = self._add("Mixed_7c", _block_e(width, "max", n))
        self.fc = nn.Linear(width, config.classes)

    def _add(self, name: str, block: InceptionBlock) -> int:
        self.add_module(name, block)
        return block.channels

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Look at frames.

        Args:
            x: float32 (B, 3, size, size) in [-1, 1].

        Returns:
            pooled features (B, 2048) and logits (B, classes), float32. The logits leave the bias out, as the
            Inception Score does.

        Raises:
            ConfigError: frames of another shape.
        """
        side = self.config.size
        if x.ndim != 4 or tuple(x.shape[1:]) != (3, side, side):
            raise ConfigError(f"{NAME} takes frames (B, 3, {side}, {side}), not {tuple(x.shape)}")
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = F.max_pool2d(x, 3, 2)
        for name, block in self.named_children():
            if name.startswith("Mixed_"):
                x = block(x)
        pooled = x.mean(dim=(2, 3))
        return pooled, F.linear(pooled, self.fc.weight)


def load_inception(path: str | Path, device: str | torch.device = "cpu") -> Inception:
    """Return the network with the weights in the file that pytorch-fid published, ready to be used.

    Args:
        path: `pt_inception-2015-12-05-6726825d.pth`, or the same tensors as safetensors.
        device: where it goes.

    Raises:
        WeightsError: no such file, or another network's.
    """
    tensors = read_state_dict(path, NAME)
    if "fc.weight" in tensors and tensors["fc.weight"].shape[0] == 1000:
        raise WeightsError(
            f"{path} is an Inception-v3 of 1000 classes, such as torchvision's; "
            f"frame-fd and frame-is take the one that FID is made with: {FILE}"
        )
    network = Inception(InceptionConfig())
    fit(network, tensors, path, NAME)
    return network.eval().requires_grad_(False).to(torch.device(device)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
