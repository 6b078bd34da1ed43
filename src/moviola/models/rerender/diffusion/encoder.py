"""The autoencoder of a diffusion model on its own: latents of frames, to measure by them how much a video changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moviola.core.optional import require
from moviola.core.quiet import quiet_libraries
from moviola.core.resample import resize_frames
from moviola.models.rerender.diffusion import latents
from moviola.models.rerender.diffusion.loading import INDEX, load_part

SIZE = 256
"""Shorter side at which frames are encoded, px."""


def load_encoder(model: str, device: str = "cpu", size: int = SIZE) -> Callable[[np.ndarray], Tensor]:
    """Return a function from frames to latents.

    Args:
        model: a folder, file or hub name of SD 1.5, SD 2 or SDXL, or a folder of an autoencoder alone. Of a whole model
            only the autoencoder is loaded.
        device: where it runs.
        size: shorter side at which frames are encoded, px; smaller ones as they are.

    Returns:
        frames uint8 (B, H, W, 3) in, latents float32 (B, C, h, w) out, in the network's scale.

    Raises:
        WeightsError: there is no such model; one line says where to get it. InputError: diffusers is not installed.
    """
    diffusers = require("diffusers", 'measure "latent"')
    path = Path(model).expanduser()
    whole = not path.exists() or (path / INDEX).exists()
    options: dict[str, Any] = {
        "dtype": torch.float32,
        "use_safetensors": True,
        **({"subfolder": "vae"} if whole else {}),
    }
    with quiet_libraries():
        vae = load_part(diffusers.AutoencoderKL, model, options, "the autoencoder", instead="")
    vae = vae.to(device).eval().requires_grad_(False)
    factor = 2 ** (len(vae.config.block_out_channels) - 1)

    def encode(frames: np.ndarray) -> Tensor:
        rows, columns = frames.shape[1:3]
        scale = min(1.0, size / min(rows, columns))
        height, width = (max(factor, round(side * scale / factor) * factor) for side in (rows, columns))
        small = resize_frames(frames, height, width, "box")
        pictures = torch.cat([latents.to_tensor(frame) for frame in small]).to(device)
        with torch.no_grad():
            return latents.encode(vae, pictures, torch.float32)

    return encode
