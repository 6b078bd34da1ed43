"""Codes that a fit begins at: the encoder's, the nearest clips', the mean."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from moviola.models.inrv import InrvModel
from moviola.models.inrv.network import PIXELS
from moviola.pipelines.edit.latent.observe import Observation

_MOST_ROWS = 2048  # of the codebook that are compared
_RANKED_FRAMES, _RANKED_SIDE = 3, 32


@torch.no_grad()
def encode(model: InrvModel, observation: Observation) -> Tensor | None:
    """Return the encoder's code of an observation, (1, code); None for a model without an encoder."""
    if model.encoder is None:
        return None
    numbers = observation.observed_frames
    frames, mask = observation.values(numbers)
    if observation.is_low:
        frames = F.interpolate(frames, observation.size, mode="bicubic", align_corners=False).clamp(-1, 1)
        mask = torch.ones_like(frames[:, :1])
    at = model.codes
    times = model.times(torch.from_numpy(numbers).to(at))[None]
    return model.encoder(frames[None].to(at), times, mask[None].to(at))[0].float()


def choose_starts(
    model: InrvModel, observation: Observation, count: int, generator: torch.Generator
) -> tuple[Tensor, list[str]]:
    """Return codes to begin at, (S, code), and what each is.

    The encoder's code comes first where there is one; then the clip of the codebook that is nearest at the observed
    pixels, the mean code, and the next nearest clips.

    Args:
        model: whose codes.
        observation: what is observed.
        count: S, at least 1; where the codebook has fewer clips, codes beside them are drawn.
        generator: of those.
    """
    clips, names = nearest_clips(model, observation, count, generator)
    starts = list(zip(clips, names, strict=True))
    starts.insert(1, (model.codes.mean(dim=0), "mean"))
    own = encode(model, observation)
    if own is not None:
        starts.insert(0, (own[0], "encoder"))
    chosen = starts[:count]
    return torch.stack([code for code, _ in chosen]), [name for _, name in chosen]


def nearest_clips(
    model: InrvModel, observation: Observation, count: int, generator: torch.Generator
) -> tuple[Tensor, list[str]]:
    """Return the codes of the nearest clips of the codebook, (count, code), the nearest first, and what each is.

    Where there are fewer clips, the others are drawn beside them with `generator`.
    """
    if not count:
        return model.codes[:0], []
    rows = nearest_rows(model, observation)
    codes, names = [model.codes[row] for row in rows[:count]], [f"clip {row}" for row in rows[:count]]
    spread = model.codes.std(dim=0, unbiased=False)
    while len(codes) < count:
        row = rows[len(codes) % len(rows)]
        noise = torch.randn(model.config.code, generator=generator).to(spread)
        codes.append(model.codes[row] + 0.5 * spread * noise)
        names.append(f"near clip {row}")
    return torch.stack(codes), names


@torch.no_grad()
def nearest_rows(model: InrvModel, observation: Observation) -> list[int]:
    """Return the rows of the codebook, the one with the smallest mean error at observed pixels first.

    A few observed frames are compared, about 32 x 32 places each; of a codebook of more than 2,048 clips, as many
    spread evenly.
    """
    rows = torch.linspace(0, len(model.codes) - 1, min(_MOST_ROWS, len(model.codes))).round().long().unique()
    errors = coarse_errors(model, model.codes[rows.to(model.codes.device)], observation)
    return rows[errors.cpu().argsort(stable=True)].tolist()


@torch.no_grad()
def coarse_errors(model: InrvModel, codes: Tensor, observation: Observation) -> Tensor:
    """Return the mean absolute error of codes (B, code) at some of the observed pixels, (B,)."""
    numbers = observation.observed_frames
    some = numbers[np.unique(np.linspace(0, len(numbers) - 1, _RANKED_FRAMES).round().astype(int))]
    frames, mask = (v.to(codes) for v in observation.values(some))
    y, x = model.axes(*observation.frames.shape[1:3])
    stride = max(1, min(frames.shape[-2:]) // _RANKED_SIDE)
    while stride > 1 and mask[..., ::stride, ::stride].sum() < 64:
        stride //= 2
    frames, mask, y, x = (
        frames[..., ::stride, ::stride],
        mask[..., ::stride, ::stride],
        y[::stride],
        x[::stride],
    )
    times = model.times(torch.from_numpy(some).to(codes))
    batch = max(1, PIXELS // (len(times) * len(y) * len(x)))
    errors = []
    for part in codes.split(batch):
        drawn = model.decoder.grid(model.decoder.prepare(part), times, y, x).float().movedim(-1, 2)
        errors.append(((drawn - frames).abs() * mask).sum(dim=(1, 2, 3, 4)))
    return torch.cat(errors) / (mask.sum() * frames.shape[1])


def observed_errors(model: InrvModel, codes: Tensor, observation: Observation) -> Tensor:
    """Return the mean absolute error of codes (B, code) at all observed pixels, (B,), values in [-1, 1]."""
    numbers = observation.observed_frames
    height, width = observation.size
    batch = max(1, PIXELS // (height * width * len(codes)))
    total = torch.zeros(len(codes), device=codes.device)
    with torch.no_grad():
        for part in np.array_split(numbers, math.ceil(len(numbers) / batch)):
            frames, mask = (v.to(codes) for v in observation.values(part))
            drawn = observation.observe(model.decode(codes, torch.from_numpy(part), height, width).float())
            total += ((drawn.clamp(-1, 1) - frames).abs() * mask).sum(dim=(1, 2, 3, 4))
    return total / (observation.count * 3)
