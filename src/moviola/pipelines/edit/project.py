"""Projection: the codes of a model's video that comes nearest to a given clip.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", appendix D, for one frame: Adam on
w and the noise maps. Here all frames share w_c, the noise and one motion code. Phases make the motion's error full of
local minima: the search begins at the best of many drawn motions. A projection can also fail by standing still: the
mean of a clip whose frames are nearly alike is near all of them. How much the result moves, over how much the clip
does, is measured beside the error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from moviola.core.errors import ConfigError, InputError
from moviola.core.video import Video
from moviola.models.freqmotion import Codes, FreqMotionGenerator

_LEVELS = 3  # of the picture pyramid
_BATCH = 16  # drawn motions that are tried at once


@dataclass(frozen=True)
class Projection:
    """What a projection found.

    Attributes:
        codes: of one video.
        psnr: of the result against the clip, dB.
        motion: mean absolute change from frame to frame of the result, over that of the clip; near 0 it stands still.
        start: number of the drawn motion that the search began at.
    """

    codes: Codes
    psnr: float
    motion: float
    start: int


def fit_clip(model: FreqMotionGenerator, video: Video) -> Tensor:
    """Return a clip as the model draws it: float32 (T, C, H, W), cropped to the centred square, resized.

    Raises:
        InputError: fewer than 2 frames.
    """
    if len(video) < 2:
        raise InputError(f"a projection needs 2 frames or more, the clip has {len(video)}")
    side = model.config.size
    if (video.height, video.width) != (side, side):
        video = video.center_crop_square().resize(side, side)
    return video.to_tensor().to(model.synthesis.constant.device)


def project(
    model: FreqMotionGenerator,
    clip: Tensor,
    *,
    steps: int = 300,
    starts: int = 64,
    rate: float = 0.05,
    noise_weight: float = 0.05,
    seed: int = 0,
    tick: Callable[[int], object] = lambda n: None,
) -> Projection:
    """Fit w_c, the scales of every sinusoid and the noise maps to a clip.

    Args:
        model: the generator; it is not changed.
        clip: (T, C, H, W) in [-1, 1], at the model's rate; see `fit_clip`.
        steps: of Adam; the noise maps join after half of them.
        starts: drawn videos that are compared with the clip first.
        rate: learning rate; it falls to 0 as a half cosine.
        noise_weight: weight of the noise maps' distance from mean 0 and variance 1, which keeps them from drawing.
        seed: of the drawn videos.
        tick: called with 1 after each step.

    Raises:
        ConfigError: no steps or starts.
    """
    if steps < 1 or starts < 1:
        raise ConfigError(f"steps is {steps} and starts {starts}; both must be at least 1")
    times = model.frame_times(len(clip)).to(clip)[None]
    best, begin = _best_start(model, clip, times, starts, seed)
    content = begin.content.clone().requires_grad_(True)
    scales = [s.clone().requires_grad_(True) for s in begin.scales]
    noise = [m.clone().requires_grad_(True) for m in begin.noise]
    optimizer = torch.optim.Adam([{"params": [content, *scales]}, {"params": noise, "lr": 0.0}], lr=rate)
    target = _pyramid(clip)
    for step in range(steps):
        factor = (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.param_groups[0]["lr"] = rate * factor
        optimizer.param_groups[1]["lr"] = rate * factor if step >= steps // 2 else 0.0
        drawn = model(times, Codes(content, tuple(scales), tuple(noise)))[0]
        loss = _distance(_pyramid(drawn), target)
        loss = loss + noise_weight * sum(m.mean().square() + (m.var() - 1).square() for m in noise)
        optimizer.zero_grad(set_to_none=True)
        gradients = torch.autograd.grad(loss, [content, *scales, *noise])
        for parameter, gradient in zip([content, *scales, *noise], gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        tick(1)
    codes = Codes(content.detach(), tuple(s.detach() for s in scales), tuple(m.detach() for m in noise))
    return _measured(model, clip, times, codes, best)


@torch.no_grad()
def _best_start(
    model: FreqMotionGenerator, clip: Tensor, times: Tensor, starts: int, seed: int
) -> tuple[int, Codes]:
    """Return the number and the codes of the drawn video nearest to the clip."""
    target, least, best = _pyramid(clip), math.inf, 0
    for first in range(0, starts, _BATCH):
        numbers = range(first, min(first + _BATCH, starts))
        drawn = model(times.expand(len(numbers), -1), model.draw(seed, numbers))
        for number, frames in zip(numbers, drawn, strict=True):
            distance = float(_distance(_pyramid(frames), target))
            if distance < least:
                least, best = distance, number
    return best, model.draw(seed, [best])


def _pyramid(frames: Tensor) -> list[Tensor]:
    """Return (T, C, H, W) at full, half and quarter size: what lies beside its place is near it at a coarser level."""
    levels = [frames]
    for _ in range(_LEVELS - 1):
        levels.append(F.avg_pool2d(levels[-1], 2))
    return levels


def _distance(a: list[Tensor], b: list[Tensor]) -> Tensor:
    return torch.stack([(x - y).square().mean() for x, y in zip(a, b, strict=True)]).sum()


@torch.no_grad()
def _measured(
    model: FreqMotionGenerator, clip: Tensor, times: Tensor, codes: Codes, start: int
) -> Projection:
    drawn = model(times, codes)[0].clamp(-1, 1)
    error = float((drawn - clip).square().mean()) / 4  # the values span 2
    psnr = -10 * math.log10(max(error, 1e-12))
    moving = float(clip.diff(dim=0).abs().mean())
    motion = float(drawn.diff(dim=0).abs().mean()) / max(moving, 1e-9)
    return Projection(codes, psnr, motion, start)
