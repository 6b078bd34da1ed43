"""I3D features of a clip: what FVD and KVD compare.

How a clip enters the network. StyleGAN-V hands uint8 frames at the size of the data set to a TorchScript file that
resizes and rescales inside (`rescale=True, resize=True, return_features=True`) and returns the 400 numbers before the
softmax. What is known of it, and what is not:

- Range: its author says x / 255 * 2 - 1, and the anchor below agrees. Black is -1 and white is +1.
- Anchor: "FVD between 8 all-zero and 8 all-one clips of 30x64x64 is 151.26" (github.com/JunyaoHu/
  common_metrics_on_video_quality, which runs that TorchScript file) is made with zeros and ones that become -1 and +1
  before the network, that is with clips of 0 and of 255 here. With them our network gives 151.3928; the same page
  prints 151.39244 for the original TensorFlow graph of the FVD paper, and says that its own figure moves by about 1
  from one torch to another. Other readings of "zero" and "one" are far off: 0 and 1 fed as they are 31.8, levels 0
  and 1 out of 255 0.019, 0 and 255 fed as they are 6.2e7.
- Resize: constant clips look the same whatever resizes them, so the anchor says nothing of it. The TorchScript file
  was not at hand. All torch ports (StyleGAN-V's relatives, VideoGPT, TATS, cd-fvd) use `F.interpolate`, bilinear,
  `align_corners=False`, without antialiasing, and so do we by default. The original TensorFlow code does not: its
  `resize_bilinear` samples at pixel corners; StyleGAN-V says that it matches it "up to the upsampling operation".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from moviola.core.errors import ConfigError
from moviola.metrics.base import Sample
from moviola.metrics.cache import full_precision

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from moviola.core.video import Video
    from moviola.nn.pretrained.i3d import I3D

Resize = Literal["bilinear", "bicubic", "nearest"]


class I3DExtractor:
    """One clip in, logits and pooled features out; clips go through the network one at a time.

    So a clip's features do not depend on its neighbours, and clips may be of any size and of different lengths.

    Args:
        network: with its weights, on `device`.
        sha256: of the file the weights came from; part of the cache key.
        resize: kernel that brings frames to `size` (`torch.nn.functional.interpolate`, corners not aligned).
        antialias: low-pass when shrinking; the published protocols do not.
        size: height and width that the network sees, px; frames are stretched to the square.
        device: where the network runs.
    """

    name = "i3d"
    reads = ()

    def __init__(
        self,
        network: I3D,
        sha256: str,
        resize: Resize = "bilinear",
        antialias: bool = False,
        size: int = 224,
        device: str = "cpu",
    ) -> None:
        if antialias and resize == "nearest":
            raise ConfigError("I3D: antialias goes with resize bilinear or bicubic, not nearest")
        self.network, self.sha256 = network, sha256
        self.resize, self.antialias, self.size, self.device = resize, antialias, size, device

    @classmethod
    def load(cls, device: str = "cpu", metric: str = "fvd") -> Self:
        """Return the extractor with the published weights and the published way of resizing.

        Args:
            device: where it runs.
            metric: name of the metric that needs it, for the error line.

        Raises:
            WeightsError: the weights are not on this machine; the line says how to get them.
        """
        from moviola.nn.pretrained.i3d import load_i3d
        from moviola.nn.pretrained.store import weights_sha256

        return cls(load_i3d(device, metric=metric), weights_sha256("i3d"), device=device)

    def identity(self) -> dict[str, str]:
        """Return everything that changes the outputs: network, weights, resizing."""
        return {
            "network": "i3d-kinetics-400",
            "sha256": self.sha256,
            "resize": self.resize,
            "antialias": str(self.antialias).lower(),
            "size": str(self.size),
        }

    def __call__(self, sample: Sample) -> dict[str, np.ndarray]:
        """Return the features of a clip.

        Returns:
            "logits": float32 (400,), before the softmax, averaged over time; "pooled": float32 (1024,).

        Raises:
            ConfigError: the clip is shorter than 10 frames.
        """
        import torch

        from moviola.nn.pretrained.i3d import MIN_FRAMES

        if len(sample.video) < MIN_FRAMES:
            raise ConfigError(
                f"{sample.name} has {len(sample.video)} frames; I3D needs clips of at least {MIN_FRAMES}"
            )
        with torch.inference_mode(), full_precision(self.device):
            out = self.network.features(self.prepare(sample.video)[None])
        return {name: value[0].float().cpu().numpy() for name, value in out.items()}

    def prepare(self, video: Video) -> Tensor:
        """Return what the network sees: float32 (T, 3, size, size), black -1, white +1, on the device."""
        import torch.nn.functional as F

        frames = video.to_tensor().to(self.device)
        if frames.shape[2:] == (self.size, self.size):
            return frames
        corners = None if self.resize == "nearest" else False
        return F.interpolate(
            frames, (self.size, self.size), mode=self.resize, align_corners=corners, antialias=self.antialias
        )
