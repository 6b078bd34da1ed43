"""Repainting a part of a picture with a plain text-to-image network: the rest is noised anew at every step.

Source: Lugmayr et al. 2022, "RePaint", equation 8, without resampling; as in the inpainting pipelines of the diffusers
library where the network is not one for inpainting.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from moviola.core.errors import ConfigError
from moviola.models.rerender.diffusion.schedulers import Schedule


def repainted_latents(mask: np.ndarray, height: int, width: int) -> Tensor:
    """Return which latents are repainted: those with any pixel that is, float32 (1, 1, height, width), 0 or 1.

    Args:
        mask: float32 (H, W), above 0 where pixels are repainted. height, width: of the latent.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(mask > 0)).float()[None, None]
    return F.adaptive_max_pool2d(pixels, (height, width))


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a picture that is repainted in part.

    Attributes:
        latent: of the picture, (1, C, h, w). noise: that of the first step, as large.
        repainted: 1 where the picture is repainted, 0 where it is known, (1, 1, h, w).
    """

    latent: Tensor
    noise: Tensor
    repainted: Tensor

    def put(self, latent: Tensor, step: int, plan: Schedule) -> Tensor:
        """Return the latent that leaves a step, with the known part at the noise of the next one.

        RePaint, equation 8c: x = m x_unknown + (1 - m) x_known; after the last step the known part is without noise.

        Args:
            latent: (1, C, h, w). step: that it leaves. plan: the steps.
        """
        known = self.latent
        if step + 1 < len(plan.timesteps):
            known = plan.scheduler.add_noise(known, self.noise, plan.timesteps[step + 1 : step + 2])
        part = self.repainted.to(latent)
        return (1 - part) * known.to(latent) + part * latent


def check_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray | None:
    """Return the mask of a frame, None where all of it is repainted.

    Args:
        mask: float32 (H, W), 0 to 1. size: height and width of the frame.

    Raises:
        ConfigError: it is of another size.
    """
    if mask.shape != size:
        raise ConfigError(f"the mask of a frame {size} is (H, W) of its size, not {mask.shape}")
    return None if (mask > 0).all() else mask
