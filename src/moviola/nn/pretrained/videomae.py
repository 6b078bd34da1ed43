"""VideoMAE, a video transformer trained to fill in masked tubes (Tong et al. 2022; version 2: Wang et al. 2023).

Used as CD-FVD does (Ge et al. 2024, "On the content bias in Frechet video distance"): the whole frame is squeezed to
the network's size, the features are the mean over all tokens of the last layer. Where the folder holds a fine-tuned
classifier, its layer norm over that mean is applied, as in the network that the paper uses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from moviola.core.errors import ConfigError
from moviola.nn.pretrained.hub import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    HubSource,
    Normalise,
    import_transformers,
    load_network,
    read_preparation,
)


class VideoMAE(nn.Module):
    """Clips to features.

    Args:
        network: a transformers `VideoMAEModel`.
        norm: applied to the mean, or None.
        normalise: how the network wants its pixels.
    """

    def __init__(
        self, network: Any, norm: nn.Module | None = None, normalise: Normalise | None = None
    ) -> None:
        super().__init__()
        self.network, self.norm = network, norm
        self.normalise = normalise or Normalise(IMAGENET_MEAN, IMAGENET_STD)

    @property
    def size(self) -> int:
        """Height and width of the frames, px."""
        return self.network.config.image_size

    @property
    def frames(self) -> int:
        """Frames of a clip; the network takes no other number."""
        return self.network.config.num_frames

    def check_length(self, frames: int, metric: str) -> None:
        """Raise ConfigError, in the name of `metric`, unless clips of `frames` frames can be looked at."""
        if frames != self.frames:
            raise ConfigError(
                f"{metric}: this VideoMAE takes clips of {self.frames} frames, not {frames}; "
                f"use a protocol of {self.frames} frames"
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map clips, float32 (B, T, 3, size, size) in [-1, 1], to features (B, D)."""
        features = self.network(pixel_values=self.normalise(x)).last_hidden_state.mean(dim=1)
        return features if self.norm is None else self.norm(features)


def load_videomae(folder: str | Path, device: str | torch.device = "cpu", metric: str = "cd-fvd") -> VideoMAE:
    """Return the VideoMAE in `folder` (`config.json` and safetensors, as transformers writes them), or by hub name.

    Raises:
        InputError: transformers is missing. WeightsError: no VideoMAE there.
    """
    transformers = import_transformers(metric)
    classifier: Any = None
    if "VideoMAEForVideoClassification" in _architectures(folder, metric):
        classifier = load_network(transformers.VideoMAEForVideoClassification, folder, metric)
    network: Any = (
        classifier.videomae if classifier else load_network(transformers.VideoMAEModel, folder, metric)
    )
    norm = classifier.fc_norm if classifier else None
    normalise = Normalise.of(read_preparation(folder, metric), IMAGENET_MEAN, IMAGENET_STD)
    return VideoMAE(network, norm, normalise).eval().to(device)


def _architectures(source: str | Path, metric: str) -> list[str]:
    """Return the classes that the folder or hub entry says it was written by."""
    transformers = import_transformers(metric)
    config, _ = HubSource.of(source, metric).open(transformers.PretrainedConfig.get_config_dict)
    return list(config.get("architectures") or [])
