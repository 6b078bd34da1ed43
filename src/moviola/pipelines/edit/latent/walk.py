"""Walking through the latent space: a film that goes from video to video while time plays.

Source: INR-V, section 5.1: videos between two latents.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import ConfigError
from moviola.core.rates import Rate, as_rate
from moviola.core.video import Video
from moviola.models.inrv import InrvModel, slerp
from moviola.models.inrv.network import PIXELS
from moviola.pipelines.edit.latent.render import frame_numbers, last_number, render

Interpolation = Literal["slerp", "lerp"]
Play = Literal["auto", "loop", "bounce"]
_GAP = 2  # white columns of a grid


def between(codes: Tensor, position: float, kind: Interpolation = "slerp") -> Tensor:
    """Return the code at a position along a way through codes.

    Args:
        codes: (K, code), in the order of the way.
        position: 0 for the first one to K - 1 for the last one.
        kind: "slerp" (directions by angle, lengths linearly) or "lerp".

    Returns:
        (code,); at whole positions the codes themselves.

    Raises:
        ConfigError: no such interpolation.
    """
    if kind not in get_args(Interpolation):
        raise ConfigError(f"no interpolation {kind!r}; there are {' and '.join(get_args(Interpolation))}")
    low = min(max(math.floor(position), 0), len(codes) - 1)
    share = min(max(position - low, 0.0), 1.0)
    if share == 0 or low == len(codes) - 1:
        return codes[low]
    pair = codes[low], codes[low + 1]
    return torch.lerp(*pair, share) if kind == "lerp" else slerp(*pair, share)


def is_loop(model: InrvModel, codes: Tensor) -> bool:
    """Return whether clips lead from their last frame into their first: that step is at most twice a usual one."""
    numbers = torch.arange(model.num_frames, dtype=torch.float32)
    for code in codes:
        frames = torch.cat(list(render(model, code[None], numbers)))
        steps = frames.diff(dim=0).abs().mean(dim=(1, 2, 3))
        gap = float((frames[-1] - frames[0]).abs().mean())
        if not len(steps) or gap > 2 * float(steps.mean()) + 1e-6:
            return False
    return True


def play_numbers(model: InrvModel, count: int, fps: Rate, play: Play = "loop") -> Tensor:
    """Return frame numbers of a clip that plays again and again.

    Args:
        model: whose clip.
        count: T of the film.
        fps: frames a second of the film.
        play: "loop" begins again at the first frame; "bounce" plays to and fro.

    Returns:
        float32 (T,), inside the model's coordinates.
    """
    step, length = model.fps / as_rate(fps), Fraction(model.num_frames)
    numbers = [i * step for i in range(count)]
    if play == "loop":
        looped = [n % length for n in numbers]
        return torch.tensor([float(n) for n in looped]).clamp(max=last_number(model))
    reach = max(length - 1, Fraction(1, 2))
    return torch.tensor([float(reach - abs(n % (2 * reach) - reach)) for n in numbers]).clamp(
        max=float(length - 1)
    )


def walk(
    model: InrvModel,
    codes: Tensor,
    *,
    kind: Interpolation = "slerp",
    seconds: float | None = None,
    fps: Rate | None = None,
    size: tuple[int, int] | None = None,
    play: Play = "auto",
) -> tuple[int, Fraction, Iterator[Video]]:
    """Draw a film that walks through codes while time plays; it slows down at each of them.

    Args:
        model: the space.
        codes: (K, code), K at least 2.
        kind: see `between`.
        seconds: of the film; the length of the model's clips from each code to the next by default.
        fps: frames a second; the model's by default.
        size: H and W, px; the model's by default.
        play: see `play_numbers`; "auto" loops where the clips do (`is_loop`), and bounces otherwise.

    Returns:
        Number of frames, rate, and the film in pieces.

    Raises:
        ConfigError: fewer than 2 codes, a length that is not above 0, no such interpolation or way to play.
    """
    _check(codes, kind, play)
    rate = model.fps if fps is None else as_rate(fps)
    if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
        raise ConfigError(f"a film of {seconds:g} s; it must be longer than 0")
    length = (len(codes) - 1) * model.num_frames / float(model.fps) if seconds is None else seconds
    count = max(2, round(length * float(rate)))
    if play == "auto":
        play = "loop" if is_loop(model, codes) else "bounce"
    path = torch.stack(
        [between(codes, _ease(i / (count - 1) * (len(codes) - 1)), kind) for i in range(count)]
    )
    pieces = render(model, path, play_numbers(model, count, rate, play), size)
    return count, rate, (Video.from_tensor(piece, rate) for piece in pieces)


def walk_grid(
    model: InrvModel,
    codes: Tensor,
    columns: int,
    *,
    kind: Interpolation = "slerp",
    fps: Rate | None = None,
    size: tuple[int, int] | None = None,
) -> tuple[int, Fraction, Iterator[Video]]:
    """Draw videos at even steps of the way side by side, as the paper shows them.

    Args:
        model, codes, kind, fps, size: as for `walk`; the size is that of one video.
        columns: number of steps, at least 2; the first and the last are the ends of the way.

    Raises:
        ConfigError: as `walk`; fewer than 2 columns.
    """
    _check(codes, kind, "loop")
    if columns < 2:
        raise ConfigError(f"a grid of {columns} steps; it has at least 2")
    numbers, rate = frame_numbers(model, fps)
    places = np.linspace(0, len(codes) - 1, columns)
    steps = [between(codes, float(place), kind)[None] for place in places]

    height, width = size or (model.height, model.width)
    at_once = max(1, PIXELS // max(1, height * width))

    def pieces() -> Iterator[Video]:
        for part in numbers.split(at_once):
            videos = [Video.concat(_videos(model, step, part, size, rate)) for step in steps]
            yield Video.side_by_side(videos, _GAP)

    return len(numbers), rate, pieces()


def _videos(
    model: InrvModel, code: Tensor, numbers: Tensor, size: tuple[int, int] | None, rate: Fraction
) -> Sequence[Video]:
    return [Video.from_tensor(piece, rate) for piece in render(model, code, numbers, size)]


def _ease(position: float) -> float:
    """Return a position that moves as a half cosine from each whole number to the next."""
    low = math.floor(position)
    return low + (1 - math.cos(math.pi * (position - low))) / 2


def _check(codes: Tensor, kind: str, play: str) -> None:
    if len(codes) < 2:
        raise ConfigError("a walk leads through 2 videos or more")
    for name, value, known in (("interpolation", kind, Interpolation), ("way to play", play, Play)):
        if value not in get_args(known):
            raise ConfigError(f"no {name} {value!r}; there are {', '.join(get_args(known))}")
