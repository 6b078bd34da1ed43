"""What the three refiners share."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from torch import Tensor

from moviola.core.config import Config
from moviola.core.errors import ConfigError


class RefinerConfig(Config):
    """Sizes that every refiner states.

    Attributes:
        family: set by each.
        channels: C of a frame.
        frames: T of the windows it is trained on, and the most it is given.
        size: H = W in pixels it is trained at.
        multiple: H and W of what it is given must be multiples of this.
        classes: names of the classes it can be told; empty for none.
        text: whether it can be told a text.
    """

    family: str
    channels: int = Field(default=3, ge=1)
    frames: int = Field(default=16, ge=1)
    size: int = Field(default=64, ge=8)
    multiple: int = Field(default=8, ge=1)
    classes: tuple[str, ...] = ()
    text: bool = False


def check_clip(video: Tensor, mask: Tensor | None, config: Any) -> None:
    """Refuse a clip that does not fit a refiner.

    Args:
        video: (B, T, C, H, W).
        mask: (B, T, 1, H, W) or None.
        config: a `RefinerConfig`.

    Raises:
        ConfigError: other axes or channels, sides that `multiple` does not divide, a mask of another shape.
    """
    if video.ndim != 5 or video.shape[2] != config.channels:
        raise ConfigError(
            f"{config.family} refines clips (B, T, {config.channels}, H, W), not {tuple(video.shape)}"
        )
    height, width = video.shape[-2:]
    if height % config.multiple or width % config.multiple:
        raise ConfigError(f"{config.family} needs sides that {config.multiple} divides, not {width}x{height}")
    expected = (video.shape[0], video.shape[1], 1, height, width)
    if mask is not None and tuple(mask.shape) != expected:
        raise ConfigError(f"the mask of a clip {tuple(video.shape)} is {expected}, not {tuple(mask.shape)}")
