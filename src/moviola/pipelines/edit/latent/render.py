"""Drawing codes at any size and at any times, in pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import torch
from torch import Tensor

from moviola.core.errors import ConfigError
from moviola.core.rates import Rate, as_rate
from moviola.models.inrv import InrvModel

PIXELS = 1 << 16
"""Pixels that are drawn at once, as far as memory allows."""

MAX_SIDE = 16384


def frame_numbers(model: InrvModel, fps: Rate | None = None) -> tuple[Tensor, Fraction]:
    """Return which instants of a clip are drawn.

    Args:
        model: whose clips.
        fps: frames a second; None for the model's own. More of them are more instants of the same seconds.

    Returns:
        Frame numbers, float32 (T,), real ones; and the rate.

    Raises:
        ConfigError: a rate that is none.
    """
    if fps is None:
        return torch.arange(model.num_frames, dtype=torch.float32), model.fps
    rate = as_rate(fps)
    count = max(1, round(model.num_frames * rate / model.fps))
    numbers = torch.tensor([float(i * model.fps / rate) for i in range(count)])
    return numbers.clamp(max=last_number(model)), rate


def last_number(model: InrvModel) -> float:
    """Return the last frame number that lies inside the model's coordinates."""
    return model.num_frames - (0.5 if model.config.grid == "centres" else 1)


@torch.no_grad()
def render(
    model: InrvModel,
    codes: Tensor,
    numbers: Tensor,
    size: tuple[int, int] | None = None,
    pixels: int = PIXELS,
) -> Iterator[Tensor]:
    """Draw frames, piece by piece; memory does not grow with their number, nor with their size beyond one frame's.

    Args:
        model: the decoder.
        codes: (1, code) for all frames, or (T, code), one a frame.
        numbers: (T,), frame numbers, any real ones.
        size: H and W, px; the model's own by default.
        pixels: at most so many are drawn at once; halved whenever memory does not suffice.

    Yields:
        float32 (t, C, H, W) in [-1, 1], on the CPU.

    Raises:
        ConfigError: a size below 1 or above 16384, no frames, or a number that is not finite.
    """
    height, width = size or (model.height, model.width)
    check_size(height, width)
    if not len(numbers) or not bool(torch.isfinite(numbers).all()):
        raise ConfigError("frame numbers are finite, and there is at least one")
    at, first = model.codes, 0
    while first < len(numbers):
        count = max(1, pixels // (height * width))
        part = numbers[first : first + count].to(at)
        chosen = codes if len(codes) == 1 else codes[first : first + count]
        try:
            piece = _piece(model, chosen.to(at), part, height, width, max(1, pixels // (width * len(part))))
        except (RuntimeError, MemoryError) as error:
            if not is_lack_of_memory(error) or pixels <= width:
                raise
            pixels = max(width, min(pixels, height * width * count) // 2)
            continue
        first += len(part)
        yield piece


def _piece(model: InrvModel, codes: Tensor, numbers: Tensor, height: int, width: int, rows: int) -> Tensor:
    """Draw (t, C, H, W), `rows` rows at a time."""
    y, x = model.axes(height, width)
    times = model.times(numbers)
    state = model.decoder.prepare(codes)
    times = times if len(codes) == 1 else times[:, None]
    parts = [model.decoder.grid(state, times, part, x).float().cpu() for part in y.split(rows)]
    return torch.cat(parts, dim=2).flatten(0, 1).movedim(-1, 1).clamp(-1, 1)


def check_size(height: int, width: int) -> None:
    """Refuse sizes that no frame has.

    Raises:
        ConfigError: below 1 or above 16384 px.
    """
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise ConfigError(f"a frame has 1x1 to {MAX_SIDE}x{MAX_SIDE} px, not {width}x{height}")


def is_lack_of_memory(error: BaseException) -> bool:
    """Return whether Python or PyTorch ran out of memory."""
    return (
        isinstance(error, MemoryError | torch.OutOfMemoryError)
        or "can't allocate memory" in str(error)
        or "not enough memory" in str(error)
    )
