"""Drawing novel videos of a space at another size or rate, or by another method."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from moviola.core.errors import ConfigError, UnknownNameError
from moviola.core.rates import Rate, as_rate
from moviola.models.inrv import InrvModel
from moviola.models.inrv.network import SAMPLERS
from moviola.models.protocols import Generator
from moviola.pipelines.edit.latent.render import check_size, frame_numbers, render


class SpaceGenerator:
    """A space of videos as a generator (`moviola.models.protocols.Generator`) whose videos have a size and a rate.

    Args:
        model: the space.
        method: how codes are drawn: "prior", "slerp", "gaussian" or "mixture"; None for the model's best.
        size: H and W, px; None for the model's.
        fps: frames a second of the same motion; None for the model's.

    Raises:
        ConfigError: a size or a rate that is none, or a prior that the model does not have.
        UnknownNameError: no such method.
    """

    is_conditional = False

    def __init__(
        self,
        model: InrvModel,
        method: str | None = None,
        size: tuple[int, int] | None = None,
        fps: Rate | None = None,
    ) -> None:
        self.height, self.width = size or (model.height, model.width)
        check_size(self.height, self.width)
        if method is not None and method not in SAMPLERS:
            raise UnknownNameError.of("method", method, SAMPLERS)
        self.model, self.method = model, method or ""
        numbers, self.fps = frame_numbers(model, fps)
        self.num_frames = len(numbers)
        model.draw(0, [0], self.method)

    def stream(self, seed: int, index: int, frames: int, prompt: str | None = None) -> Iterator[Tensor]:
        """Draw one video; see `moviola.models.protocols.Generator.stream`."""
        if prompt is not None:
            raise ConfigError("this model takes no prompt; edit interpolate takes the captions of its clips")
        if frames < 1:
            raise ConfigError(f"frames is {frames}; it must be at least 1")
        step = float(self.model.fps / as_rate(self.fps))
        code = self.model.draw(seed, [index], self.method)
        return render(self.model, code, torch.arange(frames) * step, (self.height, self.width))


def on_space(
    generator: Generator,
    *,
    method: str | None = None,
    size: tuple[int, int] | None = None,
    fps: Rate | None = None,
) -> Generator:
    """Return a generator of this method, size and rate, where it is a space of videos; any other as it is.

    Raises:
        ConfigError, UnknownNameError: see `SpaceGenerator`; or a method for another model.
    """
    if isinstance(generator, InrvModel):
        return SpaceGenerator(generator, method, size, fps)
    if method is not None:
        raise ConfigError("--method is for spaces of videos; this model draws in one way")
    return generator
