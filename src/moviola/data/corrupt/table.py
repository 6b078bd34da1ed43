"""The corruptions by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from moviola.core.errors import ConfigError, look_up
from moviola.data.corrupt import coding, faults, regions

if TYPE_CHECKING:
    from numpy.random import Generator

Corrupted = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Corruption:
    """A flaw of any strength that says where it is.

    Attributes:
        name: a word: "held-block".
        title: what it does, for tables.
        function: frames uint8 (T, H, W, 3), strength in (0, 1] and generator to the corrupted frames, uint8 of the
            same shape, and the mask, bool (T, H, W), True where the clip is corrupted. Call `apply`, which checks.
        coverage: share of the clip that the mask covers at strength 1.
        grows: whether the coverage is `coverage * strength`; otherwise strength changes what is done there, and the
            coverage stays.
    """

    name: str
    title: str
    function: Callable[[np.ndarray, float, Generator], Corrupted]
    coverage: float = 1.0
    grows: bool = False

    def apply(self, frames: np.ndarray, strength: float, generator: Generator) -> Corrupted:
        """Corrupt a clip.

        Args:
            frames: uint8 (T, H, W, 3); left as it is.
            strength: above 0, up to 1.
            generator: where everything random comes from.

        Returns:
            The corrupted frames, uint8 (T, H, W, 3), and the mask, bool (T, H, W).

        Raises:
            ConfigError: frames of another shape or type, or a strength outside its range.
        """
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not frames.size:
            raise ConfigError(
                f"a corruption takes frames uint8 (T, H, W, 3), not {frames.dtype} {frames.shape}"
            )
        if not 0 < strength <= 1:
            raise ConfigError(f"a strength is above 0 and at most 1, not {strength}")
        return self.function(frames, strength, generator)

    def covers(self, strength: float) -> float:
        """Return the share of the clip that the mask covers at a strength."""
        return self.coverage * strength if self.grows else self.coverage

    def for_pass(self, number: int) -> Corruption:
        """Return what to use in pass `number` (from 0) of an iteration: a mask that slides moves on, others stay."""
        if self.name != "sliding":
            return self
        return replace(self, function=partial(regions.sliding, stage=number))


CORRUPTIONS: dict[str, Corruption] = {
    c.name: c
    for c in (
        Corruption("blocks", "grey boxes in space and time", regions.blocks, regions.BLOCKS, True),
        Corruption(
            "held-block", "one grey box through the whole clip", regions.held_block, regions.HELD, True
        ),
        Corruption(
            "frame-blocks", "grey boxes anew in every frame", regions.frame_blocks, regions.FRAME_BLOCKS, True
        ),
        Corruption("pixels", "grey single pixels", regions.pixels, regions.PIXELS, True),
        Corruption(
            "sliding", "a grey band that moves on with every pass", regions.sliding, 1 / regions.STAGES
        ),
        Corruption("noise", "Gaussian noise", faults.noise),
        Corruption("blur-blocks", "boxes blurred", regions.blur_blocks, regions.FILTERED),
        Corruption("pixelate", "boxes in coarse cells", regions.pixelate, regions.FILTERED),
        Corruption("frozen", "a piece that stands still for a while", regions.frozen, regions.FROZEN, True),
        Corruption("jitter", "frames at wrong times and places", faults.jitter),
        Corruption("flicker", "brightness and colour that jump", faults.flicker),
        Corruption("ghost", "earlier frames shining through", faults.ghost),
        Corruption("drift", "texture that swims", faults.drift),
        Corruption("checkerboard", "the pattern of up-convolutions", faults.checkerboard),
        Corruption("low-bit", "few levels of colour", faults.low_bit),
        Corruption("soft", "detail lost after the first frame", faults.soft),
        Corruption("colours", "colours taken away or swapped", faults.colours),
        Corruption("jpeg", "JPEG artefacts", coding.jpeg),
        Corruption("codec", "H.264 artefacts", coding.codec),
    )
}


def find_corruption(name: str) -> Corruption:
    """Return the corruption called `name`.

    Raises:
        UnknownNameError: there is none; the message names the nearest.
    """
    return look_up("corruption", name, CORRUPTIONS)
