"""Known flaws to put into good video: to test what a metric sees, and to train networks that mend.

Every function takes a `Video` and returns one of the same shape and rate; what is random is drawn from the generator
given, so the same seed gives the same flaw.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from moviola.core.errors import ConfigError, look_up
from moviola.core.video import Video

if TYPE_CHECKING:
    from numpy.random import Generator


def add_noise(video: Video, sd: float, generator: Generator) -> Video:
    """Add Gaussian noise, drawn anew for every frame and channel.

    Args:
        video: any.
        sd: standard deviation, in steps of 0 to 255; at least 0.
        generator: where the noise comes from.

    Raises:
        ConfigError: a negative `sd`.
    """
    _at_least("the noise's standard deviation", sd, 0)
    out = np.empty_like(video.frames)
    for i, frame in enumerate(video.frames):
        noise = generator.standard_normal(frame.shape, dtype=np.float32)
        out[i] = np.rint(frame + np.float32(sd) * noise).clip(0, 255).astype(np.uint8)
    return replace(video, frames=out)


def blur(video: Video, sigma: float) -> Video:
    """Blur every frame with a Gaussian; the border is repeated outwards.

    Args:
        video: any.
        sigma: its standard deviation, px; at least 0. The kernel reaches 4 sigma each way.

    Raises:
        ConfigError: a negative `sigma`.
    """
    _at_least("the blur's sigma", sigma, 0)
    radius = math.ceil(4 * sigma)
    if radius == 0:
        return video
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    out = np.empty_like(video.frames)
    for i, frame in enumerate(video.frames):
        smooth = _convolve(_convolve(frame.astype(np.float32), weights, 0), weights, 1)
        out[i] = np.rint(smooth).clip(0, 255).astype(np.uint8)
    return replace(video, frames=out)


def jpeg(video: Video, quality: int) -> Video:
    """Save every frame as JPEG (4:2:0) and read it again.

    Args:
        video: any.
        quality: Pillow's, 1 (worst) to 95.

    Raises:
        ConfigError: a quality outside that range.
    """
    from PIL import Image

    if not 1 <= quality <= 95:
        raise ConfigError(f"a JPEG quality is 1 to 95, not {quality}")
    out = np.empty_like(video.frames)
    for i, frame in enumerate(video.frames):
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(frame)).save(file, "JPEG", quality=quality, subsampling=2)
        with Image.open(file) as image:
            out[i] = np.asarray(image)
    return replace(video, frames=out)


def freeze(video: Video) -> Video:
    """Show the first frame all the time."""
    return replace(video, frames=video.frames[:1].repeat(len(video), axis=0))


def shuffle(video: Video, generator: Generator) -> Video:
    """Show the frames in an order drawn at random."""
    return replace(video, frames=video.frames[generator.permutation(len(video))])


def reverse(video: Video) -> Video:
    """Show the frames backwards, at the same rate."""
    return replace(video, frames=video.frames[::-1])


def drop(video: Video, fraction: float, generator: Generator) -> Video:
    """Lose frames: in place of a lost frame the one before stays, as players do it.

    Args:
        video: any.
        fraction: how many of the frames after the first are lost, 0 to 1; rounded to whole frames.
        generator: draws which.

    Raises:
        ConfigError: a fraction outside that range.
    """
    if not 0 <= fraction <= 1:
        raise ConfigError(f"the fraction of lost frames is 0 to 1, not {fraction}")
    rest = len(video) - 1
    lost = 1 + generator.permutation(rest)[: round(fraction * rest)]
    shown = np.arange(len(video))
    shown[lost] = 0
    return replace(video, frames=video.frames[np.maximum.accumulate(shown)])


@dataclass(frozen=True)
class Damage:
    """A flaw of one strength.

    Attributes:
        name: a word: "noise".
        title: the same with its strength, for tables: "noise, sd 25 of 255".
        temporal: whether every single frame is as good as before.
        apply: the flaw: a video and a generator in, a video out.
    """

    name: str
    title: str
    temporal: bool
    apply: Callable[[Video, Generator], Video]

    def __reduce__(self) -> tuple[Callable[[str], Damage], tuple[str]]:
        return find_damage, (self.name,)  # `apply` may be a lambda, which no other process could be sent


DAMAGES: dict[str, Damage] = {
    damage.name: damage
    for damage in (
        Damage("noise", "noise, sd 25 of 255", False, lambda v, g: add_noise(v, 25, g)),
        Damage("blur", "blur, sigma 2 px", False, lambda v, _: blur(v, 2)),
        Damage("jpeg", "JPEG, quality 10", False, lambda v, _: jpeg(v, 10)),
        Damage("frozen", "frozen at the first frame", True, lambda v, _: freeze(v)),
        Damage("shuffled", "frames shuffled", True, lambda v, g: shuffle(v, g)),
        Damage("reversed", "played backwards", True, lambda v, _: reverse(v)),
        Damage("dropped", "half of the frames lost", True, lambda v, g: drop(v, 0.5, g)),
    )
}


def find_damage(name: str) -> Damage:
    """Return the damage called `name`.

    Raises:
        UnknownNameError: there is none; the message names the nearest.
    """
    return look_up("damage", name, DAMAGES)


def _at_least(what: str, value: float, least: float) -> None:
    if not value >= least:
        raise ConfigError(f"{what} is at least {least}, not {value}")


def _convolve(image: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    """Convolve float32 (H, W, 3) along an axis with symmetric weights, the border repeated."""
    radius, length = len(weights) // 2, image.shape[axis]
    pad = [(0, 0)] * image.ndim
    pad[axis] = (radius, radius)
    wide = np.pad(image, pad, mode="edge")
    out = np.zeros_like(image)
    for shift, weight in enumerate(weights):
        window = [slice(None)] * image.ndim
        window[axis] = slice(shift, shift + length)
        out += weight * wide[tuple(window)]
    return out
