"""Many videos of one model: drawn one after the other, or written into a folder that can be gone on with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from moviola.core.errors import ConfigError, InputError, PromptError
from moviola.core.rates import as_rate
from moviola.core.video import Video
from moviola.models.catalog import is_space
from moviola.models.inrv import InrvModel
from moviola.models.protocols import Generator, is_text_generator
from moviola.pipelines.edit.clock import ClockedGenerator, on_clock
from moviola.pipelines.edit.latent.sampling import SpaceGenerator, on_space
from moviola.pipelines.generate import Model, Take, open_generator, take
from moviola.pipelines.hub_generator import HUB, HubGenerator, HubSettings


@dataclass(frozen=True, eq=False)
class Sampling:
    """What is drawn: video n follows from the fields and n alone.

    Attributes:
        generator: what draws.
        prompt: what every video shows.
        captions: what each shows, in turn: video n is told number n modulo their count. Without either, a model that is
            told a text draws its own captions by the seed.
        frames: T; None for the generator's own number.
        fps: frames a second they are to play at; None for the generator's own.
        seed: of all of them.
    """

    generator: Generator
    prompt: str | None = None
    captions: tuple[str, ...] | None = None
    frames: int | None = None
    fps: float | None = None
    seed: int = 0

    def check(self) -> None:
        """Look at everything that can be looked at before a network runs.

        Raises:
            ConfigError: a number out of range, a text for a model that is told none, or a prompt beside captions.
            PromptError: a text that the model cannot follow. InputError: no captions. WeightsError: no first frames.
        """
        if self.prompt is not None and self.captions is not None:
            raise ConfigError("give a prompt or captions, not both")
        if self.captions is not None and not self.captions:
            raise InputError("there are no captions; give at least one")
        for name, value in (("frames", self.frames), ("fps", self.fps)):
            if value is not None and not value > 0:
                raise ConfigError(f"{name} is {value}; it must be more than 0")
        _ = self.rate
        if is_text_generator(self.generator):
            self._check_texts()
        elif self.prompt is not None or self.captions is not None:
            raise ConfigError("the model is told no text; leave prompt and captions out")
        self.generator.stream(self.seed, 0, self.frames or self.generator.num_frames, self.text(0))

    @property
    def rate(self) -> Fraction:
        """Frames a second of the videos."""
        return self.generator.fps if self.fps is None else as_rate(self.fps)

    def text(self, index: int) -> str | None:
        """Return what video `index` is told; None for nothing."""
        return self.captions[index % len(self.captions)] if self.captions else self.prompt

    def caption(self, index: int) -> str:
        """Return what video `index` shows, in full; "" of a model that is told nothing. Nothing is drawn."""
        if not is_text_generator(self.generator):
            return ""
        return self.generator.describe(self.seed, index, self.text(index)).caption

    def take(self, index: int) -> Take:
        """Plan video `index`; see `moviola.pipelines.generate.take`."""
        return take(
            self.generator, self.text(index), seed=self.seed, index=index, frames=self.frames, fps=self.fps
        )

    def _check_texts(self) -> None:
        assert is_text_generator(self.generator)
        for number, text in enumerate(dict.fromkeys(self.captions or [self.prompt])):
            try:
                self.generator.describe(self.seed, 0, text)
            except PromptError as error:
                raise PromptError(f"caption {number + 1}: {error}" if self.captions else str(error)) from None


def open_sampling(
    model: Model,
    *,
    prompt: str | None = None,
    captions: Sequence[str] | None = None,
    frames: int | None = None,
    fps: float | None = None,
    span: tuple[float, float] | None = None,
    loop: bool = False,
    size: tuple[int, int] | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    method: str | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Sampling:
    """Load what draws and look at what is asked; arguments and errors as `sample`."""
    space = _is_space(model)
    generator = open_generator(model, device, HubSettings(None if space else size, steps, guidance))
    if isinstance(generator, HubGenerator):
        generator = generator.with_fps(fps)
    generator = on_clock(generator, frames=frames, fps=fps, span=span, loop=loop)
    generator = on_space(generator, method=method, size=size, fps=fps)
    if isinstance(generator, ClockedGenerator):
        frames = fps = None  # the clock holds them
    elif isinstance(generator, SpaceGenerator):
        fps = None
    texts = None if captions is None else tuple(captions)
    sampling = Sampling(generator, prompt, texts, frames, fps, seed)
    sampling.check()
    return sampling


def sample(
    model: Model,
    *,
    num: int,
    prompt: str | None = None,
    captions: Sequence[str] | None = None,
    frames: int | None = None,
    fps: float | None = None,
    span: tuple[float, float] | None = None,
    loop: bool = False,
    size: tuple[int, int] | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    method: str | None = None,
    seed: int = 0,
    first: int = 0,
    device: str = "cpu",
) -> Iterator[Video]:
    """Draw many videos of one model, one at a time.

    Args:
        model: a catalog name, a model folder, "hub:" and a pipeline's name or folder, or a loaded generator.
        num: how many, at least 1.
        prompt: what every video shows; for models that are told a text.
        captions: what each shows, in turn; without either, such a model draws its own captions by the seed.
        frames: of each, at least 1; None for the model's own number.
        fps: frames a second they are to play at; None for the model's own. A model with a continuous clock draws as
            many instants a second, at the same speed.
        span, loop: seconds that are shown, and whether the videos loop; models with a continuous clock only.
        size: (height, width), px; pipelines of diffusers and spaces of videos only.
        steps: denoising steps; pipelines of diffusers only, as the next one.
        guidance: weight of classifier-free guidance.
        method: how codes are drawn: "prior", "slerp", "gaussian" or "mixture"; spaces of videos only.
        seed, first: number n of what is returned is video `first + n` of `seed`, and the same as
            `moviola.generate` makes of its caption, seed and index.
        device: where to run a model given by name or folder.

    Returns:
        The videos. What is wrong is raised at once, not at the first video.

    Raises:
        ConfigError, PromptError, InputError, WeightsError, UnknownNameError: see `Sampling.check` and
            `moviola.pipelines.generate.open_generator`.
    """
    if num < 1 or first < 0:
        raise ConfigError(f"num is {num} and first {first}; they must be at least 1 and 0")
    sampling = open_sampling(
        model, prompt=prompt, captions=captions, frames=frames, fps=fps, span=span, loop=loop,
        size=size, steps=steps, guidance=guidance, method=method, seed=seed, device=device,
    )  # fmt: skip
    return (Video.concat(list(sampling.take(index).pieces())) for index in range(first, first + num))


def _is_space(model: Model) -> bool:
    """Return whether a model, its name or its folder is a space of videos."""
    if isinstance(model, str | Path):
        return not str(model).startswith(HUB) and is_space(model)
    return isinstance(model, InrvModel)
