"""Drawing codes at any size and at any times, in pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import torch
from torch import Tensor

from moviola.core.errors import ConfigError
from moviola.core.rates import Rate, as_rate
from moviola.models.inrv import InrvModel
from moviola.models.inrv.network import PIXELS

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


def render(
    model: InrvModel,
    codes: Tensor,
    numbers: Tensor,
    size: tuple[int, int] | None = None,
    pixels: int = PIXELS,
) -> Iterator[Tensor]:
    """Draw frames, piece by piece; see `InrvModel.render`.

    Args:
        model, codes, numbers, pixels: as there.
        size: H and W, px; the model's own by default.

    Raises:
        ConfigError: besides, a side above 16384.
    """
    height, width = size or (model.height, model.width)
    check_size(height, width)
    return model.render(codes, numbers, height, width, pixels)


def check_size(height: int, width: int) -> None:
    """Refuse sizes that no frame has.

    Raises:
        ConfigError: below 1 or above 16384 px.
    """
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise ConfigError(f"a frame has 1x1 to {MAX_SIDE}x{MAX_SIDE} px, not {width}x{height}")
