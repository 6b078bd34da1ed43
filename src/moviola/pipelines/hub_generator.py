"""A diffusers pipeline as one more generator: what the rest of moviola asks of it, and nothing of its own names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from moviola.core.errors import ConfigError, PromptError
from moviola.core.rates import as_rate
from moviola.models.protocols import Description
from moviola.pipelines import hub
from moviola.pipelines.hub import UNKNOWN_RATE, HubPipeline, Made, Request
from moviola.pipelines.hub_files import FRAME_ARGUMENTS

if TYPE_CHECKING:
    from torch import Tensor

HUB = "hub:"
"""What the name of a pipeline begins with."""

_USUAL_FRAMES = 16
_CHUNK = 32


@dataclass(frozen=True)
class HubSettings:
    """What only pipelines of diffusers take; None leaves it to the pipeline.

    Attributes:
        size: height and width, px, at least 1.
        steps: of denoising, at least 1.
        guidance: weight of classifier-free guidance, 0 or more.
        fps: frames a second, above 0; a pipeline that can be told the rate is told.
        negative: what shall not be seen; "" for nothing.
    """

    size: tuple[int, int] | None = None
    steps: int | None = None
    guidance: float | None = None
    fps: float | None = None
    negative: str = ""

    @property
    def given(self) -> list[str]:
        """Names of what is set and no other model takes."""
        names = [name for name in ("size", "steps", "guidance") if getattr(self, name) is not None]
        return [*names, "negative"] if self.negative else names

    def request(self, prompt: str, frames: int | None, seed: int) -> Request:
        """Return what the pipeline is asked.

        Raises:
            PromptError, ConfigError: see `Request`.
        """
        return Request(prompt, frames, self.size, self.steps, self.guidance, self.fps, seed, self.negative)


@dataclass(frozen=True, eq=False)
class HubGenerator:
    """A text-to-video pipeline of diffusers: a `moviola.models.protocols.TextGenerator`.

    Video `index` of `seed` is what diffusers makes of `torch.Generator("cpu").manual_seed(seed + index)`.

    Attributes:
        pipeline: loaded, on its device.
        settings: for every video of it.
    """

    pipeline: HubPipeline
    settings: HubSettings = HubSettings()

    @classmethod
    def load(cls, name: str, device: str = "cpu", settings: HubSettings | None = None) -> HubGenerator:
        """Load the pipeline `name`; arguments and errors as `moviola.pipelines.hub.load_hub`."""
        settings = settings or HubSettings()
        settings.request("anything", None, 0)  # numbers are looked at before anything is loaded
        return cls(hub.load_hub(name, device), settings)

    @property
    def is_conditional(self) -> bool:
        """It is told a text."""
        return True

    @property
    def num_frames(self) -> int:
        """The pipeline's own number; a usual one where it keeps that to itself."""
        own = [self.pipeline.default(name) for name in FRAME_ARGUMENTS]
        own.append(self._network_config("sample_frames"))
        return next((int(value) for value in own if isinstance(value, int)), _USUAL_FRAMES)

    @property
    def height(self) -> int:
        """H of a frame, px, as far as it is known before one is drawn; see `width`."""
        return self._side("height", 0)

    @property
    def width(self) -> int:
        """W of a frame, px, as far as it is known before one is drawn.

        Raises:
            ConfigError: neither the settings, nor the pipeline's arguments, nor its networks say it.
        """
        return self._side("width", 1)

    @property
    def fps(self) -> Fraction:
        """Frames a second: as set, the pipeline's own, or a usual one."""
        if self.settings.fps is not None:
            return as_rate(self.settings.fps)
        return self.pipeline.fps or as_rate(UNKNOWN_RATE)

    def with_fps(self, fps: float | None) -> HubGenerator:
        """Return the generator at another rate; None for the same."""
        return self if fps is None else replace(self, settings=replace(self.settings, fps=fps))

    def describe(self, seed: int, index: int, prompt: str | None = None) -> Description:
        """Say what `stream` will draw: the prompt as it stands.

        Raises:
            PromptError: there is none, or an empty one.
        """
        return Description(self._request(seed, index, None, prompt).prompt)

    def draw(self, seed: int, index: int, frames: int | None, prompt: str | None) -> Made:
        """Draw one video at once, with what is to be said about it.

        Args:
            seed, index: which video.
            frames: at least 1; None for the pipeline's own number.
            prompt: any text.

        Raises:
            PromptError, ConfigError: see `Request`. InputError: see `HubPipeline.generate`.
        """
        return self.pipeline.generate(self._request(seed, index, frames, prompt))

    def stream(self, seed: int, index: int, frames: int, prompt: str | None = None) -> Iterator[Tensor]:
        """Draw one video, all of it at the first piece; see `moviola.models.protocols.Generator`."""
        request = self._request(seed, index, frames, prompt)
        return self._pieces(request)

    def _pieces(self, request: Request) -> Iterator[Tensor]:
        video = self.pipeline.generate(request).video
        for start in range(0, len(video), _CHUNK):
            yield video[start : start + _CHUNK].to_tensor()

    def _request(self, seed: int, index: int, frames: int | None, prompt: str | None) -> Request:
        if prompt is None:
            raise PromptError(f"{self.pipeline.name} draws nothing without a text; give a prompt or captions")
        return self.settings.request(prompt, frames, seed + index)

    def _side(self, name: str, axis: int) -> int:
        if self.settings.size is not None:
            return self.settings.size[axis]
        value = self.pipeline.default(name)
        if isinstance(value, int):
            return value
        own = self._network_config(f"sample_{name}") or self._network_config("sample_size")
        own = own[axis] if isinstance(own, list | tuple) else own
        if not isinstance(own, int):
            raise ConfigError(f"{self.pipeline.name} says its size only when it draws; give --size")
        parts = self.pipeline.pipeline
        factors = (getattr(parts, key, None) for key in ("vae_scale_factor", "vae_scale_factor_spatial"))
        return own * next((int(factor) for factor in factors if factor), 1)

    def _network_config(self, key: str) -> Any:
        """Return a value of the configuration of the network that removes the noise, None where it has none."""
        for part in ("transformer", "unet"):
            config = getattr(getattr(self.pipeline.pipeline, part, None), "config", None)
            value = getattr(config, key, None)
            if value is not None:
                return value
        return None
