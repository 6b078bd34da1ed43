"""V-JEPA 2, a video transformer trained to predict the features of masked parts (Assran et al. 2025).

The whole frame is squeezed to the network's size; the features are the mean over all tokens of the encoder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from moviola.core.errors import ConfigError, InputError
from moviola.nn.pretrained.hub import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Normalise,
    import_transformers,
    load_network,
    read_preparation,
)


class VJEPA(nn.Module):
    """Clips to features.

    Args:
        network: a transformers `VJEPA2Model`; its predictor is not used.
        normalise: how the network wants its pixels.
    """

    def __init__(self, network: Any, normalise: Normalise | None = None) -> None:
        super().__init__()
        self.network = network
        self.normalise = normalise or Normalise(IMAGENET_MEAN, IMAGENET_STD)

    @property
    def size(self) -> int:
        """Height and width of the frames, px."""
        return self.network.config.crop_size

    def check_length(self, frames: int, metric: str) -> None:
        """Raise ConfigError, in the name of `metric`, unless clips of `frames` frames can be looked at."""
        tube = self.network.config.tubelet_size
        if frames < tube or frames % tube:
            raise ConfigError(
                f"{metric}: this V-JEPA takes frames in groups of {tube}; a clip of {frames} frames leaves some over"
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map clips, float32 (B, T, 3, size, size) in [-1, 1], to features (B, D)."""
        return self.network.get_vision_features(self.normalise(x)).mean(dim=1)


def load_vjepa(folder: str | Path, device: str | torch.device = "cpu", metric: str = "jepa-fd") -> VJEPA:
    """Return the V-JEPA 2 in `folder` (`config.json` and safetensors, as transformers writes them), or by hub name.

    Raises:
        InputError: transformers is missing or too old. WeightsError: no V-JEPA 2 there.
    """
    transformers = import_transformers(metric)
    if not hasattr(transformers, "VJEPA2Model"):
        raise InputError(f"{metric} needs transformers 4.53 or newer, not {transformers.__version__}")
    network: Any = load_network(transformers.VJEPA2Model, folder, metric, ignore=("predictor.",))
    normalise = Normalise.of(read_preparation(folder, metric), IMAGENET_MEAN, IMAGENET_STD)
    return VJEPA(network, normalise).eval().to(device)
