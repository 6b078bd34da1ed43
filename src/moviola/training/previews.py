"""Pictures of how a run is doing: real above generated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from moviola.core.ranges import from_network, to_network
from moviola.data.loader import Batch
from moviola.data.pictures import write_png
from moviola.models.nextframe import NextFrameNetwork, rollout
from moviola.models.protocols import Condition, Refiner
from moviola.models.textgan import FirstFrameGenerator


def preview_frames(generator: FirstFrameGenerator, shown: Batch, path: Path) -> None:
    """Write one row of real frames over one row of generated frames of the same captions."""
    device = next(generator.parameters()).device
    noise = torch.zeros(shown["slots"].shape[0], generator.config.latent, device=device)
    if "latent" in shown:
        noise[:, : shown["latent"].shape[1]] = shown["latent"]
    drawn = from_network(generator(shown["slots"].to(device), noise)).cpu().numpy()
    _write([shown["frame"].numpy(), drawn], path)


def preview_rollouts(network: NextFrameNetwork, shown: Batch, path: Path) -> None:
    """Write, for every shown clip, a row of real frames over a row of frames rolled out from the first."""
    device = next(network.parameters()).device
    real = shown["future"].numpy()
    first = to_network(shown["history"][:, -1]).to(device)
    drawn = from_network(rollout(network, first, shown["slots"].to(device), real.shape[1] + 1)).cpu().numpy()
    rows = []
    for i in range(real.shape[0]):
        rows += [np.concatenate([shown["history"][i, -1:].numpy(), real[i]]), drawn[i]]
    _write(rows, path)


def preview_refined(network: Refiner, shown: Batch, path: Path) -> None:
    """Write, for every shown clip, a row of flawed frames, a row of refined and a row of clean ones."""
    device = next(network.parameters()).device  # type: ignore[attr-defined]
    mask = shown["mask"][:, :, None].float().to(device)
    condition = Condition(shown["label"].to(device), shown["tokens"].to(device))
    refined = network.refine(to_network(shown["flawed"]).to(device), mask, condition)
    drawn = from_network(refined).cpu().numpy()
    rows = []
    for i in range(len(drawn)):
        rows += [shown["flawed"][i].numpy(), drawn[i], shown["clean"][i].numpy()]
    _write(rows, path)


def preview_clips(clips: Tensor, real: Tensor, path: Path) -> None:
    """Write a row of frames for each of the real clips, uint8 (B, T, H, W, 3), then for each of `clips`.

    Args:
        clips: (B, T, C, H, W) in [-1, 1].
    """
    _write([*real.cpu().numpy(), *from_network(clips).cpu().numpy()], path)


def _write(rows: list[np.ndarray], path: Path) -> None:
    picture = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    write_png(path, picture)
