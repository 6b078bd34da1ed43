"""What an image network makes of single frames: the distance of their features and the variety of their classes.

The network is always named beside the figure: efficientnet-lite0, which can be had from a package registry, gives
other numbers than the Inception-v3 behind figures called FID and Inception Score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from moviola.core.devices import pick_device
from moviola.core.errors import WeightsError
from moviola.metrics.base import Sample
from moviola.metrics.cache import PerVideo, full_precision, load_shared
from moviola.metrics.measures import FrechetMeasure, InceptionMeasure

if TYPE_CHECKING:
    from torch import Tensor, nn

    from moviola.core.video import Video
    from moviola.metrics.options import MetricOptions
    from moviola.metrics.protocol import Protocol

EXTRACTOR = "frame-features"
Resize = Literal["bicubic, antialiased, bytes", "bilinear"]


class ImageNetwork:
    """A classifier of pictures that also shows the features before its last layer.

    Args:
        network: maps (B, 3, size, size) in [-1, 1] to (features (B, D), logits (B, C)).
        name: for reports.
        sha256: of its weights' file.
        size: height and width it takes, px; the whole frame is stretched to it.
        resize: Pillow's bicubic kernel and whole bytes, as efficientnet-lite0 was trained; or torch's bilinear
            interpolation without antialiasing, as pytorch-fid does before Inception-v3.
        device: where it runs.
        batch: frames at a time.
    """

    def __init__(
        self,
        network: nn.Module,
        name: str,
        sha256: str,
        size: int,
        resize: Resize = "bicubic, antialiased, bytes",
        device: str = "cpu",
        batch: int = 16,
    ) -> None:
        self.network, self.name, self.sha256 = network, name, sha256
        self.size, self.resize, self.device, self.batch = size, resize, device, batch
        self.look = PerVideo(self._look)

    def identity(self) -> dict[str, str]:
        """Return what changes the outputs."""
        return {
            "network": self.name,
            "sha256": self.sha256,
            "resize": self.resize,
            "size": str(self.size),
        }

    def prepare(self, video: Video) -> Tensor:
        """Return what the network sees, float32 (T, 3, size, size) in [-1, 1]."""
        import torch.nn.functional as F

        if self.resize != "bilinear":
            return video.resize(self.size, self.size, "bicubic").to_tensor()
        size = (self.size, self.size)
        return F.interpolate(video.to_tensor(), size, mode="bilinear", align_corners=False)

    def _look(self, video: Video) -> tuple[np.ndarray, np.ndarray]:
        """Return features (T, D) and class probabilities (T, C) of the frames, float32."""
        import torch

        parts = []
        with torch.inference_mode(), full_precision(self.device):
            for start in range(0, len(video), self.batch):
                x = self.prepare(video[start : start + self.batch]).to(self.device)
                pooled, logits = self.network(x.contiguous(memory_format=torch.channels_last))
                parts.append((pooled.float().cpu().numpy(), logits.float().softmax(dim=1).cpu().numpy()))
        pooled, probabilities = (np.concatenate(column) for column in zip(*parts, strict=True))
        return pooled, probabilities


class FrameExtractor:
    """Features and class probabilities of every frame.

    Args:
        network: what looks at them.
    """

    name = EXTRACTOR
    reads = ()

    def __init__(self, network: ImageNetwork) -> None:
        self.network = network

    def identity(self) -> dict[str, str]:
        """Return what changes the outputs: network, weights, resizing."""
        return self.network.identity()

    def __call__(self, sample: Sample) -> dict[str, np.ndarray]:
        """Return "pooled" (T, D) and "probabilities" (T, C), float32."""
        pooled, probabilities = self.network.look(sample.video)
        return {"pooled": pooled, "probabilities": probabilities}


def load_image_network(options: MetricOptions, device: str, metric: str) -> ImageNetwork:
    """Return the network that `options.image_network` names.

    Args:
        options: what the user chose.
        device: where it runs.
        metric: name of the metric that needs it, for error lines.

    Raises:
        WeightsError: its weights are not here, one line: how to get them.
    """
    device = str(pick_device(device))
    if options.image_network == "inception":
        return load_shared(
            ("inception", str(options.inception), device), lambda: _inception(options, device, metric)
        )
    return load_efficientnet(device, metric)


def load_efficientnet(device: str, metric: str) -> ImageNetwork:
    """Return efficientnet-lite0 with the weights that the store finds; metrics that ask for it share it.

    Raises:
        WeightsError: they are not here.
    """
    from moviola.nn.pretrained.efficientnet_lite import NAME, load_efficientnet_lite0
    from moviola.nn.pretrained.store import find_weights, weights_sha256

    path = find_weights(NAME, metric)

    def load() -> ImageNetwork:
        network = load_efficientnet_lite0(path, device)
        return ImageNetwork(network, NAME, weights_sha256(NAME), network.config.size, device=device)

    return load_shared((NAME, path, device), load)


def _inception(options: MetricOptions, device: str, metric: str) -> ImageNetwork:
    from moviola.core.weights import sha256
    from moviola.nn.pretrained.inception import FILE, NAME, load_inception

    if options.inception is None:
        raise WeightsError(
            f"{metric} with inception needs the file {FILE} of pytorch-fid: give it with --inception"
        )
    network = load_inception(options.inception, device)
    digest = sha256(options.inception)
    return ImageNetwork(network, NAME, digest, network.config.size, "bilinear", device)


def make_frame_fd(
    protocol: Protocol, device: str, options: MetricOptions
) -> tuple[FrameExtractor, str, FrechetMeasure]:
    """Return extractor, output and measure of frame-fd: the Fréchet distance of all frames' features.

    As Heusel et al. 2017 define FID, but for the network, which the score names. Frames of one clip are alike, so
    the number of independent pictures is nearer to that of clips than to that of frames.

    Raises:
        WeightsError: the network's weights are not here.
    """
    network = load_image_network(options, device, "frame-fd")
    return FrameExtractor(network), "pooled", FrechetMeasure(protocol.ddof)


def make_frame_is(
    protocol: Protocol, device: str, options: MetricOptions
) -> tuple[FrameExtractor, str, InceptionMeasure]:
    """Return extractor, output and measure of frame-is: how sure and how various the classes of FAKE's frames are.

    As Salimans et al. 2016 define the Inception Score, but for the network, which the score names. REAL is not used.

    Raises:
        WeightsError: the network's weights are not here.
    """
    network = load_image_network(options, device, "frame-is")
    return FrameExtractor(network), "probabilities", InceptionMeasure()
