"""LPIPS: how different two pictures look, from the features of an image network.

Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric", equation 1, version 0.1:
features of five layers, each position scaled to length 1, squared differences weighted per channel by a learned head,
averaged over positions and summed over layers.

Two parts are needed. The backbone (AlexNet or VGG-16, ImageNet, as torchvision publishes them) is a file the user
has; the heads (a few kilobytes) lie in the Python package `lpips`, whose code is not run, or in a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from moviola.core.errors import ConfigError, WeightsError
from moviola.core.weights import sha256
from moviola.nn.pretrained.state_dict import fit, read_state_dict
from moviola.nn.pretrained.store import find_weights

Net = Literal["alex", "vgg"]
SHIFT, SCALE = (
    (-0.030, -0.088, -0.188),
    (0.458, 0.448, 0.450),
)  # of pictures in [-1, 1]: ImageNet's statistics
EPS = 1e-10
# convolutions: channels out, kernel, stride, padding; "pool": kernel and stride; "tap": features are taken here
_Step = tuple[int, int, int, int] | tuple[int, int] | Literal["tap"]
_ALEX: tuple[_Step, ...] = (
    (64, 11, 4, 2), "tap", (3, 2), (192, 5, 1, 2), "tap", (3, 2),
    (384, 3, 1, 1), "tap", (256, 3, 1, 1), "tap", (256, 3, 1, 1), "tap",
)  # fmt: skip
_VGG: tuple[_Step, ...] = (
    (64, 3, 1, 1), (64, 3, 1, 1), "tap", (2, 2),
    (128, 3, 1, 1), (128, 3, 1, 1), "tap", (2, 2),
    (256, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1), "tap", (2, 2),
    (512, 3, 1, 1), (512, 3, 1, 1), (512, 3, 1, 1), "tap", (2, 2),
    (512, 3, 1, 1), (512, 3, 1, 1), (512, 3, 1, 1), "tap",
)  # fmt: skip
_STEPS: dict[str, tuple[_Step, ...]] = {"alex": _ALEX, "vgg": _VGG}
SMALLEST = {"alex": 31, "vgg": 16}  # px: below it a layer has nothing left
PUBLISHED = {"alex": "alexnet-owt-7be5be79.pth", "vgg": "vgg16-397923af.pth"}


class LPIPS(nn.Module):
    """The distance; symmetric to rounding, exactly 0 for equal pictures.

    Args:
        net: which backbone.
    """

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net
        layers, self.taps, widths = _build(_STEPS[net])
        self.features = nn.ModuleList(layers)
        self.heads = nn.ParameterList([nn.Parameter(torch.zeros(width)) for width in widths])

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Compare pictures.

        Args:
            x, y: float32 (B, 3, H, W) in [-1, 1], H and W at least `SMALLEST[net]`.

        Returns:
            Distances, float32 (B,), 0 or more.

        Raises:
            ConfigError: shapes that differ or are too small.
        """
        if x.shape != y.shape or x.ndim != 4 or x.shape[1] != 3:
            raise ConfigError(
                f"lpips compares pictures of one shape, not {tuple(x.shape)} and {tuple(y.shape)}"
            )
        if min(x.shape[2:]) < SMALLEST[self.net]:
            raise ConfigError(
                f"lpips ({self.net}) needs frames of at least {SMALLEST[self.net]} px, "
                f"not {x.shape[2]}x{x.shape[3]}"
            )
        total = x.new_zeros(len(x))
        for head, a, b in zip(self.heads, self._activations(x), self._activations(y), strict=True):
            difference = (_unit(a) - _unit(b)).square()
            total = total + torch.einsum("bchw,c->b", difference, head) / (a.shape[2] * a.shape[3])
        same = (x == y).flatten(1).all(dim=1)  # two runs of one network may differ in the last bit
        return total.masked_fill(same, 0.0)

    def _activations(self, x: Tensor) -> list[Tensor]:
        """Return the features at the five taps, (B, C, H, W) each."""
        shift, scale = (x.new_tensor(values)[:, None, None] for values in (SHIFT, SCALE))
        x, activations = (x - shift) / scale, []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.taps:
                activations.append(
                    x.float()
                )  # the differences are small against the features: not in half precision
        return activations


def _unit(x: Tensor) -> Tensor:
    """Scale the channels at each position to length 1."""
    return x / (x.square().sum(dim=1, keepdim=True).sqrt() + EPS)


def _build(steps: tuple[_Step, ...]) -> tuple[list[nn.Module], set[int], list[int]]:
    """Return layers numbered as torchvision's `features`, the numbers of the tapped ones, and their widths."""
    layers: list[nn.Module] = []
    taps: set[int] = set()
    widths: list[int] = []
    width = 3
    for step in steps:
        if step == "tap":
            taps.add(len(layers) - 1)
            widths.append(width)
        elif len(step) == 2:
            layers.append(nn.MaxPool2d(*step))
        else:
            layers += [nn.Conv2d(width, *step), nn.ReLU()]
            width = step[0]
    return layers, taps, widths


def find_backbone(net: Net, path: str | Path | None) -> Path:
    """Return the file of the backbone: the one given, else the one that torchvision's downloads left behind.

    Raises:
        WeightsError: there is none; one line that says how to get it.
    """
    if path is not None:
        return Path(path).expanduser()
    cached = Path(torch.hub.get_dir()) / "checkpoints" / PUBLISHED[net]
    if cached.is_file():
        return cached
    raise WeightsError(
        f"lpips needs the backbone {PUBLISHED[net]} (torchvision's ImageNet weights): "
        "give the file with --lpips-backbone"
    )


def find_heads(net: Net, path: str | Path | None = None) -> Path:
    """Return the file of the heads: the one given, else the fetched one or that of the installed package `lpips`.

    Raises:
        WeightsError: there is none; one line that says how to get it.
    """
    if path is not None:
        return Path(path).expanduser()
    return find_weights("lpips").parent / f"{net}.pth"


def convert(path: Path) -> dict[str, Tensor]:
    """Return the heads for AlexNet in the package's file, by its names; those for VGG-16 are kept beside them."""
    return read_state_dict(path, "the lpips heads for alex")


def load_lpips(
    net: Net,
    backbone: str | Path | None = None,
    heads: str | Path | None = None,
    device: str | torch.device = "cpu",
) -> tuple[LPIPS, dict[str, str]]:
    """Return the distance, ready to be used, and its identity (network, sha256).

    Args:
        net: which backbone.
        backbone: file of its weights (`.pth` or `.safetensors`, torchvision's names); None: see `find_backbone`.
        heads: file of the heads; None: see `find_heads`.
        device: where it goes.

    Raises:
        WeightsError: a part is missing, or is of another network.
    """
    trunk_file, head_file = find_backbone(net, backbone), find_heads(net, heads)
    network = LPIPS(net)
    trunk = read_state_dict(trunk_file, f"{net} (the backbone of lpips)")
    tensors = {key: tensor for key, tensor in trunk.items() if key.startswith("features.")}
    for key, tensor in read_state_dict(head_file, f"the lpips heads for {net}").items():
        tensors["heads." + key.removeprefix("lin").split(".")[0]] = tensor.flatten()
    fit(network, tensors, trunk_file, f"{net} (lpips)")
    identity = {"network": f"lpips 0.1 {net}", "sha256": sha256(trunk_file), "heads": sha256(head_file)}
    return network.eval().requires_grad_(False).to(device), identity
