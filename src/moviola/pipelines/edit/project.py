"""Projection: the codes of a model's video that comes nearest to a given clip.

Source: Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", appendix D, for one frame: Adam on
w and the noise maps. Here all frames share w_c, the noise and one motion code. Phases make the motion's error full of
local minima: the search begins at the best of many drawn motions. A projection can also fail by standing still: the
mean of a clip whose frames are nearly alike is near all of them. How near that mean is, and how much the result moves
over how much the clip does, are measured beside the error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from moviola.core.errors import ConfigError, InputError
from moviola.core.rates import Rate, as_rate, nominal_rate
from moviola.core.video import Video
from moviola.data import codec
from moviola.models.freqmotion import Codes, FreqMotionGenerator

_LEVELS = 3  # of the picture pyramid
_BATCH = 16  # drawn motions that are tried at once
_ALIKE = 40.0  # dB: frames this near to their mean picture are nearly alike
_STANDS = 0.25  # of the clip's motion: a result that moves less hardly moves


@dataclass(frozen=True)
class Projection:
    """What a projection found.

    Attributes:
        codes: of one video.
        psnr: of the result against the clip, dB.
        still: PSNR of a still, the mean picture of the clip, against the clip, dB. What `psnr` has above it is motion;
            where it is high, the frames are nearly alike and a result that stands still is near all of them.
        motion: mean absolute change from frame to frame of the result, over that of the clip; near 0 it stands still.
        start: number of the drawn motion that the search began at.
    """

    codes: Codes
    psnr: float
    still: float
    motion: float
    start: int

    @property
    def is_still_near(self) -> bool:
        """Whether the clip's frames are nearly alike, so that its motion can hardly be fitted."""
        return self.still >= _ALIKE

    @property
    def stands_still(self) -> bool:
        """Whether the result hardly moves although the clip does."""
        return not self.is_still_near and self.motion < _STANDS


def read_clip(
    model: FreqMotionGenerator, path: str | Path, frames: int | None = None, fps: Rate | None = None
) -> tuple[Video, str]:
    """Read the beginning of a video, to be projected; a variable rate is made constant.

    Args:
        model: the generator.
        path: a video file or a folder of frames.
        frames: how many, 2 or more; None for those of the model's window of time, or all where there are fewer.
        fps: frames a second to take the clip at; None for its own.

    Returns:
        the clip, and a line on what was left out, empty for nothing.

    Raises:
        InputError: it has fewer frames than asked for, or fewer than 2. ConfigError: `frames` below 2, or no rate.
        VideoReadError, FormatError: it cannot be read.
    """
    if frames is not None and frames < 2:
        raise ConfigError(f"frames is {frames}; a projection needs 2 or more")
    info = codec.probe(path)
    if info.frames < (frames or 2):
        raise InputError(f"{path} has too few frames: {info.frames}; this projection needs {frames or 2}")
    window = model.num_frames / model.fps  # seconds
    rate = nominal_rate(info.fps) if fps is None else as_rate(fps)
    count = frames or min(info.frames, max(2, round(window * rate)))
    video = codec.read(path, stop=count)
    varies = fps is None and video.times is not None
    video = video.resample(rate)[:count] if varies else video.with_fps(rate)
    if frames is not None or count == info.frames:
        return video, ""
    return (
        video,
        f"the first {count} of {info.frames} frames, as long as the model's clips were, are projected",
    )


def fit_clip(model: FreqMotionGenerator, video: Video) -> Tensor:
    """Return a clip as the model draws it: float32 (T, C, H, W), cropped to the centred square, resized.

    Raises:
        InputError: fewer than 2 frames.
    """
    if len(video) < 2:
        raise InputError(f"a projection needs 2 frames or more, the clip has {len(video)}")
    side, video = model.config.size, video.square_pixels()
    if (video.height, video.width) != (side, side):
        video = video.center_crop_square().resize(side, side)
    return video.to_tensor().to(model.synthesis.constant.device)


def project(
    model: FreqMotionGenerator,
    clip: Tensor,
    times: Tensor | None = None,
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
        clip: (T, C, H, W) in [-1, 1]; see `fit_clip`.
        times: of its frames, (T,), time units; None for the model's rate.
        steps: of Adam; the noise maps join after half of them.
        starts: drawn videos that are compared with the clip first.
        rate: learning rate; it falls to 0 as a half cosine.
        noise_weight: weight of the noise maps' distance from mean 0 and variance 1, which keeps them from drawing.
        seed: of the drawn videos.
        tick: called with 1 after each step.

    Raises:
        ConfigError: no steps or starts, or a learning rate that is none.
    """
    if steps < 1 or starts < 1:
        raise ConfigError(f"steps is {steps} and starts {starts}; both must be at least 1")
    if not 0 < rate < math.inf:
        raise ConfigError(f"the learning rate is {rate}; it must be above 0")
    times = (model.frame_times(len(clip)) if times is None else times).to(clip)[None]
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
    moving = float(clip.diff(dim=0).abs().mean())
    motion = float(drawn.diff(dim=0).abs().mean()) / max(moving, 1e-9)
    still = clip.mean(dim=0, keepdim=True)
    return Projection(codes, _psnr(drawn, clip), _psnr(still, clip), motion, start)


def _psnr(a: Tensor, b: Tensor) -> float:
    """Return the PSNR of values that span 2, dB, at most 120."""
    return -10 * math.log10(max(float((a - b).square().mean()) / 4, 1e-12))
