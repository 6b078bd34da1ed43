"""Fréchet distances on the features of video transformers: CD-FVD on VideoMAE, and its kin on V-JEPA."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moviola.core.devices import pick_device
from moviola.core.errors import WeightsError
from moviola.metrics.base import Sample
from moviola.metrics.cache import full_precision
from moviola.metrics.measures import FrechetMeasure

if TYPE_CHECKING:
    from moviola.core.video import Video
    from moviola.metrics.options import MetricOptions
    from moviola.metrics.protocol import Protocol
    from moviola.nn.pretrained.videomae import VideoMAE
    from moviola.nn.pretrained.vjepa import VJEPA


class VideoTransformerExtractor:
    """One clip in, one feature vector out; clips go through the network one at a time.

    The whole frame is stretched to the network's size by bilinear interpolation; CD-FVD's own code does so without
    antialiasing.

    Args:
        network: with its weights, on `device`.
        name: of the extractor.
        metric: whom it serves, for error lines.
        title: of the network, for reports.
        antialias: low-pass when shrinking.
        device: where it runs.
    """

    reads = ()

    def __init__(
        self,
        network: VideoMAE | VJEPA,
        name: str,
        metric: str,
        title: str,
        antialias: bool = False,
        device: str = "cpu",
    ) -> None:
        from moviola.nn.pretrained.hub import fingerprint

        self.network, self.name, self.metric, self.title = network, name, metric, title
        self.antialias, self.device = antialias, device
        self.sha256 = fingerprint(network)

    def identity(self) -> dict[str, str]:
        """Return what changes the output: network, weights, resizing, normalisation."""
        return {
            "network": self.title,
            "sha256": self.sha256,
            "resize": "bilinear",
            "antialias": str(self.antialias).lower(),
            "size": str(self.network.size),
            "pixels": self.network.normalise.text(),
        }

    def prepare(self, video: Video) -> Any:
        """Return what the network sees, float32 (1, T, 3, size, size) in [-1, 1]."""
        import torch.nn.functional as F

        size = (self.network.size, self.network.size)
        frames = video.to_tensor().to(self.device)
        if frames.shape[2:] != size:
            frames = F.interpolate(
                frames, size, mode="bilinear", align_corners=False, antialias=self.antialias
            )
        return frames[None]

    def __call__(self, sample: Sample) -> dict[str, np.ndarray]:
        """Return "features", float32 (D,).

        Raises:
            ConfigError: a clip of a length that the network does not take.
        """
        import torch

        self.network.check_length(len(sample.video), self.metric)
        with torch.inference_mode(), full_precision(self.device):
            features = self.network(self.prepare(sample.video))[0]
        return {"features": features.float().cpu().numpy()}


def make_cd_fvd(
    protocol: Protocol, device: str, options: MetricOptions
) -> tuple[VideoTransformerExtractor, str, FrechetMeasure]:
    """Return extractor, output and measure of CD-FVD: the Fréchet distance of VideoMAE features (Ge et al. 2024).

    The published figures are made with a giant VideoMAE v2, fine-tuned on Something-Something v2, whose code does not
    normalise its pixels: a folder of that network says `"do_normalize": false` in its preprocessor_config.json.

    Raises:
        WeightsError: no model is named, or it cannot be loaded. InputError: transformers is missing. ConfigError:
            the protocol's clips are not of the network's length.
    """
    from moviola.nn.pretrained.videomae import load_videomae

    folder = _require_folder(options.videomae, "cd-fvd", "VideoMAE", "--videomae")
    device = str(pick_device(device))
    network = load_videomae(folder, device)
    network.check_length(protocol.frames, "cd-fvd")
    extractor = VideoTransformerExtractor(
        network, "videomae", "cd-fvd", f"VideoMAE {folder.name}", device=device
    )
    return extractor, "features", FrechetMeasure(protocol.ddof)


def make_jepa_fd(
    protocol: Protocol, device: str, options: MetricOptions
) -> tuple[VideoTransformerExtractor, str, FrechetMeasure]:
    """Return extractor, output and measure of the Fréchet distance of V-JEPA 2 features.

    Luo et al. 2024, "Beyond FVD", show that V-JEPA's features need fewer clips than I3D's; their own figure (JEDi)
    is a kernel distance on the first V-JEPA and another number.

    Raises:
        As `make_cd_fvd`.
    """
    from moviola.nn.pretrained.vjepa import load_vjepa

    folder = _require_folder(options.vjepa, "jepa-fd", "V-JEPA 2", "--vjepa")
    device = str(pick_device(device))
    network = load_vjepa(folder, device)
    network.check_length(protocol.frames, "jepa-fd")
    extractor = VideoTransformerExtractor(
        network, "vjepa", "jepa-fd", f"V-JEPA 2 {folder.name}", antialias=True, device=device
    )
    return extractor, "features", FrechetMeasure(protocol.ddof)


def _require_folder(folder: Path | None, metric: str, what: str, option: str) -> Path:
    if folder is None:
        raise WeightsError(f"{metric} needs a {what} model: give its folder with {option}")
    return folder
