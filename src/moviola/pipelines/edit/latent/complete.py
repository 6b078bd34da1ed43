"""Completion: what was observed is kept, and the model fills the rest.

The difference between the observation and the model's own picture is carried from the observed pixels to the others by
the method that is usual without a model (the last frame held, frames blended, diffusion from the border, bicubic
enlargement) and added. Where the model explains what moves, only the small remainder is left to that method. The
difference at a whole observed frame belongs to what stands there in the model's picture of it: in other frames it fades
where that picture has changed, else it would stay behind as a ghost of what has moved away.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from moviola.core.errors import ConfigError
from moviola.models.inrv import InrvModel
from moviola.models.inrv.network import PIXELS
from moviola.pipelines.edit.latent.observe import Observation, area
from moviola.pipelines.edit.latent.render import render

_SWEEPS = 24  # of relaxation at each level of the pyramid
_TIME_SWEEPS, _TIME_WEIGHT = (
    60,
    2.0,
)  # of relaxation over time, too; of a neighbour in time against one in space
_REACH = 1 / 8  # of the frame's height: so far a difference is carried into what is hidden
_AT_ONCE = 1 << 23  # pixels of all frames that are relaxed together; beyond, each frame alone
_ROUNDS = 8  # of back-projection
_CHANGE = 0.3  # of the model's picture, values in [-1, 1], at which a whole frame's difference fades by a factor of e


def complete(
    model: InrvModel,
    code: Tensor,
    numbers: Tensor,
    observation: Observation,
    size: tuple[int, int] | None = None,
    pixels: int = PIXELS,
) -> Iterator[Tensor]:
    """Draw a video that keeps what was observed; memory does not grow with its length.

    At the model's frame numbers and at the size of the observation, observed pixels are kept exactly.

    Args:
        model: the decoder.
        code: (1, code), fitted to the observation.
        numbers: (T,), frame numbers, any real ones.
        observation: of the model's frames, at any size.
        size: H and W of the result, px; the observation's by default.
        pixels: see `render`.

    Yields:
        float32 (t, C, H, W) in [-1, 1].

    Raises:
        ConfigError: see `render`; an observation of another number of frames than the model's.
    """
    if len(observation.frames) != model.num_frames:
        raise ConfigError(
            f"the observation has {len(observation.frames)} frames, the model's clips {model.num_frames}"
        )
    size = size or observation.size
    rest = _Remainder(model, code, observation, size)
    first = 0
    for piece in render(model, code, numbers, size, pixels):
        instants = numbers[first : first + len(piece)].tolist()
        first += len(piece)
        whole = torch.stack([f + rest.at(n, f) for f, n in zip(piece, instants, strict=True)])
        yield _keep(whole.clamp(-1, 1), instants, observation, size)


def _keep(frames: Tensor, instants: list[float], observation: Observation, size: tuple[int, int]) -> Tensor:
    """Write observed pixels into the frames that they belong to: sums are exact only to rounding."""
    if observation.frames.shape[1:3] != size:
        return frames
    for place, instant in enumerate(instants):
        if instant == int(instant) and 0 <= instant < len(observation.frames):
            values, mask = observation.values(np.array([int(instant)]))
            frames[place] = torch.where(mask[0] > 0, values[0], frames[place])
    return frames


class _Remainder:
    """What is added to the model's frames, by instant.

    Args:
        model, code, observation, size: see `complete`.
    """

    def __init__(
        self, model: InrvModel, code: Tensor, observation: Observation, size: tuple[int, int]
    ) -> None:
        self.model, self.code, self.observation, self.size = model, code, observation, size
        self.numbers = observation.observed_frames
        self.reach = _REACH * observation.size[0]
        self._is_partial = not observation.mask[self.numbers].all()
        self._frame = lru_cache(maxsize=2)(self._fill)
        self._together: Tensor | None = None

    def at(self, instant: float, drawn: Tensor) -> Tensor:
        """Return what is added to a frame of the model, (C, H, W).

        Linear between the nearest frames that hold observed pixels, held beyond them.

        Args:
            instant: a frame number, any real one.
            drawn: the model's picture of it, (C, H, W).
        """
        after = int(np.searchsorted(self.numbers, instant))
        low, high = self.numbers[max(after - 1, 0)], self.numbers[min(after, len(self.numbers) - 1)]
        if after < len(self.numbers) and self.numbers[after] == instant:
            low = high
        if low == high:
            return self._faded(int(low), drawn)
        share = (instant - low) / (high - low)
        return torch.lerp(self._faded(int(low), drawn), self._faded(int(high), drawn), share)

    def _faded(self, number: int, drawn: Tensor) -> Tensor:
        """Return what is added at a frame, as far as the model's picture of it is that of another frame."""
        added, picture = self._frame(number)
        if picture is None:
            return added
        change = (drawn - picture).abs().mean(dim=0, keepdim=True)
        return added * (-((change / _CHANGE) ** 2)).exp()

    def _fill(self, number: int) -> tuple[Tensor, Tensor | None]:
        """Return what is added at a frame that holds observed pixels, and of a whole one the model's picture.

        Both (C, H, W) at the size of the result.
        """
        values, mask = self.observation.values(np.array([number]))
        instant = torch.tensor([float(number)])
        if self.observation.is_low:
            drawn = next(render(self.model, self.code, instant, self.size))
            return project_back(drawn, values)[0] - drawn[0], None
        own, picture = self.observation.size, None
        if self._is_partial and len(self.numbers) * own[0] * own[1] <= _AT_ONCE:
            filled = self._volume()[int(np.searchsorted(self.numbers, number))][None]
        else:
            drawn = next(render(self.model, self.code, instant, own))
            filled = fill((values - drawn) * mask, mask, self.reach)
            if not self._is_partial:
                picture = (
                    drawn if own == self.size else next(render(self.model, self.code, instant, self.size))
                )[0]
        if own != self.size:
            filled = F.interpolate(filled, self.size, mode="bilinear", align_corners=False, antialias=True)
        return filled[0], picture

    def _volume(self) -> Tensor:
        """Return what is added at all frames that hold observed pixels, (F, C, H, W)."""
        if self._together is None:
            values, mask = self.observation.values(self.numbers)
            instants = torch.from_numpy(self.numbers).float()
            drawn = torch.cat(list(render(self.model, self.code, instants, self.observation.size)))
            self._together = fill_volume((values - drawn) * mask, mask, self.reach)
        return self._together


def fill(values: Tensor, mask: Tensor, reach: float = math.inf) -> Tensor:
    """Spread observed values smoothly over the others: the harmonic function that has them, held at the borders.

    Laplace's equation, by relaxation; coarse levels are solved first, each the start of the next finer one. With a
    finite reach it is the screened equation: what is far from all observed pixels is 0.

    Source: Burt 1988, "Moment images, polynomial fit filters, and the problem of surface interpolation".

    Args:
        values: (B, C, H, W), 0 where hidden.
        mask: (B, 1, H, W), 1 where observed; each frame has observed pixels.
        reach: px in which a value falls by a factor of e.

    Returns:
        (B, C, H, W); observed values are kept.
    """
    height, width = values.shape[-2:]
    if bool((mask > 0).all()):
        return values
    if height == width == 1:
        return values
    half = ((height + 1) // 2, (width + 1) // 2)
    odd = (0, 2 * half[1] - width, 0, 2 * half[0] - height)
    weight = F.avg_pool2d(F.pad(mask, odd), 2)
    coarse = F.avg_pool2d(F.pad(values * mask, odd), 2) / weight.clamp(min=1e-6)
    solved = fill(coarse * (weight > 0), (weight > 0).to(values.dtype), reach / 2)
    out = F.interpolate(solved, (2 * half[0], 2 * half[1]), mode="bilinear", align_corners=False)
    out = torch.where(mask > 0, values, out[..., :height, :width])
    for _ in range(_SWEEPS):
        out = torch.where(mask > 0, values, _beside(out) / (4 + reach**-2))
    return out


def fill_volume(values: Tensor, mask: Tensor, reach: float = math.inf) -> Tensor:
    """Spread observed values over space and time: each frame as `fill`, then relaxed with the frames beside it.

    What one frame hides another may show, and what changes little from frame to frame is known from several.

    Args:
        values: (T, C, H, W), 0 where hidden.
        mask: (T, 1, H, W), 1 where observed; each frame has observed pixels.
        reach: see `fill`.

    Returns:
        (T, C, H, W); observed values are kept.
    """
    out = fill(values, mask, reach)
    for _ in range(_TIME_SWEEPS if len(out) > 1 else 0):
        near = _beside(out)
        near[1:] += _TIME_WEIGHT * out[:-1]
        near[:-1] += _TIME_WEIGHT * out[1:]
        near[[0, -1]] += _TIME_WEIGHT * out[[0, -1]]
        out = torch.where(mask > 0, values, near / (4 + 2 * _TIME_WEIGHT + reach**-2))
    return out


def _beside(frames: Tensor) -> Tensor:
    """Return the sum of each pixel's four neighbours, (B, C, H, W); borders are held."""
    padded = F.pad(frames, (1, 1, 1, 1), mode="replicate")
    return padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1] + padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]


def project_back(drawn: Tensor, low: Tensor) -> Tensor:
    """Change drawn frames (B, C, H, W) until their means over areas are those of `low` (B, C, h, w).

    Source: Irani and Peleg 1991, "Improving resolution by image registration", with bicubic enlargement.
    """
    out = drawn
    for _ in range(_ROUNDS):
        rest = low - area(out, *low.shape[-2:])
        out = (out + F.interpolate(rest, drawn.shape[-2:], mode="bicubic", align_corners=False)).clamp(-1, 1)
    return out
