"""The constraints between frames that act on the clean latent: shape-aware, pixel-aware and colour-aware.

Source: Yang et al. 2023, "Rerender A Video", section 4.1. All three change x0, the clean latent that is predicted at a
step, and so work with any scheduler. Where that differs from the published code: there the pixel-aware constraint
replaces the noisy latent, as inpainting does, and a frame is painted twice, first without it, to fill what neither
anchor nor previous frame shows; here that filling is the picture predicted when the window begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import ConfigError
from moviola.models.rerender.diffusion import latents
from moviola.models.rerender.diffusion.config import DiffusionConfig
from moviola.models.rerender.diffusion.memory import Record
from moviola.models.rerender.diffusion.windows import steps

# (i, j) -> flow from frame i to frame j, float32 (2, H, W) in px, x before y, and where frame i is hidden in frame j,
# bool (H, W); i and j are places in the sequence that is painted
Flows = Callable[[int, int], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Link:
    """How a frame goes over into another one that is already painted.

    Attributes:
        record: of the painted one.
        flow: from the frame to the painted one, px, float32 (1, 2, H, W).
        visible: which of the frame's pixels are to be seen in the painted one, bool (1, 1, H, W).
    """

    record: Record
    flow: Tensor
    visible: Tensor

    @property
    def overlap(self) -> float:
        """Share of the frame that is visible in the painted one."""
        return float(self.visible.float().mean())


def link(index: int, record: Record, flows: Flows) -> Link:
    """Return how frame `index` goes over into the painted frame of `record`.

    Raises:
        ConfigError: the callback's arrays have the wrong shape.
    """
    flow, hidden = flows(index, record.index)
    if flow.ndim != 3 or flow.shape[0] != 2 or hidden.shape != flow.shape[1:]:
        raise ConfigError(
            f"the flow of frames {index} and {record.index} is (2, H, W) with occlusion (H, W), "
            f"not {flow.shape} and {hidden.shape}"
        )
    vectors = torch.from_numpy(np.ascontiguousarray(flow, dtype=np.float32))[None]
    return Link(record, vectors, torch.from_numpy(~np.asarray(hidden, dtype=bool))[None, None])


class Constraints:
    """The constraints of one frame.

    Args:
        config: settings.
        n: steps that run.
        vae: the autoencoder.
        dtype: of latents.
        anchor: how the frame goes over into the anchor; None where there is none: then nothing is done.
        previous: the same for the previous frame; None where it is the anchor.
    """

    def __init__(
        self,
        config: DiffusionConfig,
        n: int,
        vae: Any,
        dtype: torch.dtype,
        anchor: Link | None = None,
        previous: Link | None = None,
    ) -> None:
        self.config, self.vae, self.dtype = config, vae, dtype
        self.anchor, self.links = anchor, [link for link in (anchor, previous) if link is not None]
        on = anchor is not None
        self.shape, self.pixel, self.color = (
            steps(part.window if on else None, n) for part in (config.shape, config.pixel, config.color)
        )
        self.fused: tuple[Tensor, Tensor] | None = None

    def acts(self, step: int) -> bool:
        """Whether anything is changed at a step."""
        return step in self.shape or step in self.pixel or step in self.color

    def apply(self, step: int, clean: Tensor) -> Tensor:
        """Return the clean latent (1, C, h, w) as it shall be at a step."""
        if self.anchor is None:
            return clean
        if step in self.shape:
            clean = self._shape(step, clean, self.anchor)
        if step in self.pixel:
            clean = self._pixel(clean)
        if step in self.color:
            mean, deviation = latents.statistics(self.anchor.record.clean[step].to(clean))
            clean = latents.adain(clean, mean, deviation)
        return clean

    def _shape(self, step: int, clean: Tensor, anchor: Link) -> Tensor:
        """Equation 4: the anchor's clean latent of the same step, warped, where the anchor shows the frame."""
        warped = latents.bring(anchor.record.clean[step].to(clean.device), anchor.flow)
        height, width = clean.shape[-2:]
        visible = latents.shrink_visible(anchor.visible, height, width)
        return latents.fuse(clean, warped, visible * self.config.shape.strength)

    def _pixel(self, clean: Tensor) -> Tensor:
        """Equations 5 to 7: the fused picture's latent where anchor or previous frame shows the frame."""
        if self.fused is None:
            self.fused = self._fuse_pixels(clean)
        reference, weight = self.fused
        return latents.fuse(clean, reference, weight)

    def _fuse_pixels(self, clean: Tensor) -> tuple[Tensor, Tensor]:
        """Return the fused picture's latent, and its weight (1, 1, h, w): anchor before previous before prediction."""
        picture = latents.decode(self.vae, clean.to(self.dtype)).float()
        shown = torch.zeros(1, 1, *picture.shape[-2:], dtype=torch.bool, device=picture.device)
        for found in reversed(self.links):  # the anchor last, over the others
            warped = latents.bring(found.record.painted.to(picture.device), found.flow, "bicubic").clamp(
                -1, 1
            )
            visible = found.visible.to(picture.device).float()
            if visible.shape[-2:] != picture.shape[-2:]:
                height, width = picture.shape[-2:]
                visible = latents.shrink_visible(visible.bool(), height, width)
            picture = latents.fuse(picture, warped, visible)
            shown |= visible > 0
        settings = self.config.pixel
        if settings.fidelity:
            reference = latents.encode_faithfully(self.vae, picture, self.dtype)
        else:
            reference = latents.encode(self.vae, picture, self.dtype)
        height, width = clean.shape[-2:]
        weight = latents.shrink_visible(shown, height, width, settings.smooth) * settings.strength
        return reference.float(), weight
