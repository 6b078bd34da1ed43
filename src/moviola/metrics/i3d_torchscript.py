"""The TorchScript file of I3D that StyleGAN-V's code downloads (`i3d_torchscript.pt`), run as that code runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviola.core.errors import ConfigError, WeightsError
from moviola.core.weights import sha256
from moviola.metrics.base import Sample
from moviola.metrics.cache import full_precision

if TYPE_CHECKING:
    import numpy as np

OUTPUTS = 400


class TorchScriptI3DExtractor:
    """One clip in, its 400 logits out, by a TorchScript file that resizes and rescales inside.

    Such a file is a program of tensor operations; torch runs it itself, and no Python in it.

    Args:
        path: the file.
        device: where it runs.

    Raises:
        WeightsError: no such file, or no TorchScript in it.
    """

    name = "i3d"
    reads = ()

    def __init__(self, path: str | Path, device: str = "cpu") -> None:
        import torch

        self.path, self.device = Path(path), device
        if not self.path.is_file():
            raise WeightsError(f"no file {path} to take the TorchScript I3D from")
        try:
            self.network: Any = torch.jit.load(str(self.path), map_location=device).eval()
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:120]
            raise WeightsError(f"{path} is no TorchScript file: {reason}") from None
        self.sha256 = sha256(self.path)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.device)

    def identity(self) -> dict[str, str]:
        """Return what changes the output."""
        return {"network": "i3d-torchscript", "sha256": self.sha256, "resize": "inside the file"}

    def __call__(self, sample: Sample) -> dict[str, np.ndarray]:
        """Return "logits", float32 (400,): what the file gives for `rescale=True, resize=True, return_features=True`.

        Raises:
            ConfigError: the clip is shorter than 10 frames. WeightsError: the file is another network.
        """
        import torch

        from moviola.nn.pretrained.i3d import MIN_FRAMES

        if len(sample.video) < MIN_FRAMES:
            raise ConfigError(
                f"{sample.name} has {len(sample.video)} frames; I3D needs clips of at least {MIN_FRAMES}"
            )
        clip = torch.from_numpy(sample.video.frames).to(self.device).permute(3, 0, 1, 2)[None]
        try:
            with torch.inference_mode(), full_precision(self.device):
                out = self.network(clip, rescale=True, resize=True, return_features=True)
            logits = out.reshape(len(out), -1)
        except (RuntimeError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())[-120:]
            raise WeightsError(f"{self.path} does not run as StyleGAN-V's I3D does: {reason}") from None
        if tuple(logits.shape) != (1, OUTPUTS):
            raise WeightsError(
                f"{self.path} gives {tuple(logits.shape)} for a clip; StyleGAN-V's I3D gives (1, {OUTPUTS})"
            )
        return {"logits": logits[0].float().cpu().numpy()}
