"""What is fitted to a space of videos after its training: a prior over its codes, and an encoder into it."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from moviola.core.ranges import to_network
from moviola.core.seeds import numpy_generator
from moviola.data.whole_clips import ClipTable
from moviola.models.inrv import InrvModel
from moviola.training.augment import affine_clips, rotate_hues
from moviola.training.observations import draw_mask

_FRAMES, _POINTS = 6, 512  # of a clip that a step of the encoder sees


def fit_prior(model: InrvModel, steps: int, seed: int, batch: int = 64, spread: float = 0.3) -> float:
    """Fit the prior to the model's codes, blurred by `spread` of the distance to each one's nearest neighbour.

    Without the blur it would learn the codes by heart. Returns the mean loss of the last tenth of the steps.
    """
    assert model.prior is not None
    prior, codes = model.prior.requires_grad_(True), model.codes
    near = torch.cdist(codes, codes) + torch.eye(len(codes)).to(codes) * 1e9
    distance = near.amin(dim=1) if len(codes) > 1 else codes.norm(dim=1)
    prior.set_range(codes)
    optimizer = torch.optim.Adam(prior.parameters(), lr=1e-3)
    random, losses = torch.Generator().manual_seed(seed), []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * 0.5 * (1 + math.cos(math.pi * step / steps))
        rows = torch.randint(len(codes), (batch,), generator=random).to(codes.device)
        noise = torch.randn(batch, codes.shape[1], generator=random).to(codes) / codes.shape[1] ** 0.5
        loss = prior.loss(codes[rows] + noise * (spread * distance[rows])[:, None], random)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    prior.requires_grad_(model.codebook.requires_grad)
    last = losses[-max(len(losses) // 10, 1) :]
    return sum(last) / max(len(last), 1)


def fit_encoder(
    model: InrvModel, clips: ClipTable, steps: int, seed: int, batch: int = 16, *, bf16: bool = False
) -> float:
    """Fit the encoder alone, for codes whose videos agree with clips of which a part is shown; the decoder is held.

    Half of a batch are clips as they are: their codes are known, and are regressed as well, in standard deviations. The
    other half are flipped, moved and tinted. With `bf16` under autocast, as a run is.

    Returns:
        Mean L1 of the last tenth of the steps, values in [-1, 1].
    """
    assert model.encoder is not None
    encoder, losses = model.encoder.requires_grad_(True), []
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
    spread = model.codes.std(dim=0, unbiased=False).clamp(min=1e-6)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * 0.5 * (1 + math.cos(math.pi * step / steps))
        random = [numpy_generator(seed, "encoder", step, k) for k in range(batch)]
        rows = [int(r.integers(len(clips))) for r in random]
        numbers, frames, mask = _draw(clips, rows, random, model.codes.device)
        with torch.autocast(model.codes.device.type, torch.bfloat16, enabled=bf16):
            code = encoder(frames, model.times(numbers), mask)[0].float()
            error = _points_error(model, code, numbers, frames, random)
            known = (code[: batch // 2] - model.codes[rows[: batch // 2]]) / spread
            loss = error + 0.1 * F.smooth_l1_loss(known, torch.zeros_like(known))
        gradients = torch.autograd.grad(loss, list(encoder.parameters()), allow_unused=True)
        for parameter, gradient in zip(encoder.parameters(), gradients, strict=True):
            parameter.grad = gradient
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        losses.append(float(error.detach()))
    encoder.requires_grad_(model.codebook.requires_grad)
    last = losses[-max(len(losses) // 10, 1) :]
    return sum(last) / max(len(last), 1)


def _draw(
    clips: ClipTable, rows: list[int], random: list[np.random.Generator], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw frame numbers (B, T), frames (B, T, C, H, W), the second half of the batch changed, and masks."""
    count = min(_FRAMES, clips.frames)
    numbers = np.stack([np.sort(r.choice(clips.frames, count, replace=False)) for r in random])
    frames = to_network(clips.gather(rows, numbers))
    half = len(rows) // 2
    frames = torch.cat(
        [frames[:half], rotate_hues(affine_clips(frames[half:], random[half:]), random[half:])]
    )
    masks = np.stack([draw_mask(r, count, *frames.shape[-2:]) for r in random])[:, :, None]
    return torch.from_numpy(numbers).float().to(device), frames.to(device), torch.from_numpy(masks).to(device)


def _points_error(
    model: InrvModel, code: Tensor, numbers: Tensor, frames: Tensor, random: list[np.random.Generator]
) -> Tensor:
    """Return the mean absolute error of the videos of codes (B, code), at random points where there can be such."""
    if not model.decoder.pointwise:
        return (model.decode(code, numbers).float() - frames).abs().mean()
    batch, count, _, height, width = frames.shape
    draws = [np.stack([r.integers(n, size=_POINTS) for n in (count, height, width)]) for r in random]
    moment, row, column = torch.from_numpy(np.stack(draws, axis=1)).to(frames.device)
    y, x = model.axes()
    place = torch.stack([model.times(numbers.gather(1, moment)), y[row], x[column]], dim=-1)
    colours = frames[torch.arange(batch, device=frames.device)[:, None], moment, :, row, column]
    return (model.decoder.points(model.decoder.prepare(code), place).float() - colours).abs().mean()
