"""The frozen network of a perceptual loss, as runs name it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from moviola.core.config import Config
from moviola.core.errors import ConfigError, WeightsError
from moviola.nn.pretrained.lpips import LPIPS, PUBLISHED, SMALLEST, find_backbone, load_lpips


class PerceptualConfig(Config):
    """The frozen network of the perceptual loss, where `objective.lpips` is not 0.

    Attributes:
        net: "alex" or "vgg".
        backbone: file of its ImageNet weights (torchvision's); None for the one that torchvision has downloaded.
        heads: file of the learned heads; None for the fetched ones.
    """

    net: Literal["alex", "vgg"] = "alex"
    backbone: Path | None = None
    heads: Path | None = None

    def load(self, height: int, width: int) -> LPIPS:
        """Load it for frames of H and W.

        Raises:
            ConfigError: frames that are too small for it. WeightsError: a part is missing; one line that says which.
        """
        if min(height, width) < SMALLEST[self.net]:
            raise ConfigError(
                f"objective.lpips ({self.net}) needs frames of at least {SMALLEST[self.net]} px, "
                f"not {height}x{width}; set it to 0"
            )
        try:
            backbone = find_backbone(self.net, self.backbone)
        except WeightsError:
            raise WeightsError(
                f"objective.lpips needs the backbone {PUBLISHED[self.net]} (torchvision's ImageNet weights): "
                "give the file with --set perceptual.backbone=FILE, or set objective.lpips=0"
            ) from None
        return load_lpips(self.net, backbone, self.heads)[0]
