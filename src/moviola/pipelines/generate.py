"""Drawing videos with anything that generates: our own models, or a pipeline of diffusers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from moviola.core.errors import ConfigError, InputError
from moviola.core.rates import as_rate
from moviola.core.video import Video
from moviola.models.catalog import load_generator
from moviola.models.protocols import Description, Generator, is_generator, is_text_generator
from moviola.models.textvideo import TextToVideo
from moviola.pipelines.generate_plan import Join, Part, Plan, plan
from moviola.pipelines.hub_generator import HUB, HubGenerator, HubSettings

Model = str | Path | Generator
"""A catalog name, a model folder, "hub:" and a pipeline's name or folder, or a loaded generator."""


def generate_stream(
    model: TextToVideo, planned: Plan, frames: int, *, seed: int = 0, index: int = 0
) -> Iterator[Video]:
    """Yield the video of a plan in pieces of up to 32 frames; memory does not grow with `frames`.

    Args:
        model: which networks.
        planned: what `plan` returned.
        frames: of each part; the whole video where no caption follows.
        seed, index: as for `plan`.

    Raises:
        ConfigError: `frames` below 1.
    """
    first = None if planned.first is None else planned.first.to_tensor()
    pieces = model.stream_slots(
        planned.slots, frames * (1 + len(planned.later)), seed=seed, index=index, first=first,
        changes=planned.changes(frames), cut=planned.cut,
    )  # fmt: skip
    for piece in pieces:
        yield Video.from_tensor(piece, planned.fps)


@dataclass(frozen=True)
class Take:
    """One video that is about to be made.

    Attributes:
        caption: what will be drawn, in full, at first; "" of a model that is told nothing.
        notes: what was ignored, chosen or resized, one line each.
        frames: how many.
        fps: frames a second.
        pieces: gives the video piece by piece; none goes across a change of caption.
        parts: what each caption holds for, where there are several; else empty.
    """

    caption: str
    notes: tuple[str, ...]
    frames: int
    fps: Fraction
    pieces: Callable[[], Iterator[Video]]
    parts: tuple[Part, ...] = ()


def open_generator(model: Model, device: str = "cpu", settings: HubSettings | None = None) -> Generator:
    """Return what draws: this is where our own models and pipelines of diffusers part.

    Args:
        model: see `Model`.
        device: where to run a model given by name or folder.
        settings: what only pipelines take.

    Raises:
        UnknownNameError, WeightsError: no such model, or one of another kind. InputError: an object that draws
        nothing, or diffusers is not installed. ConfigError: settings for one of our own models, or out of range.
    """
    name = str(model) if isinstance(model, str | Path) else ""
    if name.startswith(HUB):
        return HubGenerator.load(name, device, settings)
    if settings is not None and settings.given:
        title = f"model {name}" if name else f"a loaded {type(model).__name__}"
        raise ConfigError(f"{', '.join(settings.given)} is for {HUB}NAME; {title} has no such setting")
    if isinstance(model, str | Path):
        return load_generator(model, device)
    if not is_generator(model):
        raise InputError(
            f"a {type(model).__name__} draws no videos; give a generator, its name or its folder"
        )
    return model


def take(
    generator: Generator,
    prompt: str | None,
    *,
    seed: int,
    index: int,
    frames: int | None = None,
    fps: float | None = None,
    image: str | Path | Video | None = None,
    then: str | Sequence[str] = (),
    join: Join | None = None,
) -> Take:
    """Plan one video; only a pipeline of diffusers draws it at once, and tells its notes afterwards.

    Args:
        generator: what `open_generator` returned.
        prompt: what to show; None for what the seed draws.
        seed, index: which video.
        frames: at least 1, of each part; None for the generator's own number.
        fps: frames a second it is to play at; None for the generator's own.
        image: a first frame; see `plan`.
        then, join: prompts that follow, and how; see `plan`.

    Raises:
        PromptError, VideoReadError, WeightsError: see `plan`. InputError: see `HubPipeline.generate`.
        ConfigError: a number out of range, or a prompt or an image for a model that takes none.
    """
    if isinstance(generator, TextToVideo) and prompt is not None:
        planned = plan(prompt, generator, image=image, fps=fps, seed=seed, index=index, then=then, join=join)
        return _planned_take(generator, planned, _count(generator, frames), seed, index)
    _refuse_then(f"a {type(generator).__name__}", then, join)
    if image is not None:
        raise ConfigError(f"--image is for models that start from one; a {type(generator).__name__} does not")
    if isinstance(generator, HubGenerator):
        hub = generator.with_fps(fps)
        made = hub.draw(seed, index, frames, prompt)
        video = made.video
        return Take(prompt or "", made.notes, len(video), video.fps, lambda: iter([video]))
    if prompt is not None and not generator.is_conditional:
        raise ConfigError("the model is told no text; leave the prompt out (moviola sample MODEL -o DIR)")
    count = _count(generator, frames)
    told = Description("")
    if is_text_generator(generator):
        told = generator.describe(seed, index, prompt)
    rate = generator.fps if fps is None else as_rate(fps)

    def pieces() -> Iterator[Video]:
        stream = generator.stream(seed, index, count, prompt)
        return (Video.from_tensor(piece, rate) for piece in stream)

    return Take(told.caption, told.notes, count, rate, pieces)


def takes(
    prompt: str,
    model: Model,
    num: int,
    *,
    image: str | Path | Video | None = None,
    frames: int | None = None,
    fps: float | None = None,
    seed: int = 0,
    first: int = 0,
    settings: HubSettings | None = None,
    device: str = "cpu",
    then: str | Sequence[str] = (),
    join: Join | None = None,
) -> Iterable[Take]:
    """Plan the videos `first` ... `first + num - 1` of `seed`; arguments and errors as `generate`.

    Returns:
        A list where nothing is drawn yet; of a pipeline of diffusers an iterator, which draws one at a time.
    """
    if str(model).startswith(HUB):  # before what may be gigabytes is loaded
        if image is not None:
            raise ConfigError(f"--image is for our own models; {model} makes a video from the text alone")
        _refuse_then(str(model), then, join)
        (settings or HubSettings()).request(prompt, frames, seed)
    generator = open_generator(model, device, settings)
    made = (
        take(
            generator,
            prompt,
            seed=seed,
            index=index,
            frames=frames,
            fps=fps,
            image=image,
            then=then,
            join=join,
        )
        for index in range(first, first + num)
    )
    return made if isinstance(generator, HubGenerator) else list(made)


def generate(
    prompt: str,
    *,
    model: Model = "sprites",
    image: str | Path | Video | None = None,
    frames: int | None = None,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    seed: int = 0,
    index: int = 0,
    device: str = "cpu",
    then: str | Sequence[str] = (),
    join: Join | None = None,
    negative: str = "",
) -> Video:
    """Make a video from a text, or from several that follow one another.

    Source: the "Videogeneration" project: text to first frame by a conditional GAN, then next frame by next frame; or
    whatever a pipeline of diffusers does.

    Args:
        prompt: in the model's words; any text for a pipeline.
        model: a catalog name, a model folder, "hub:" and a pipeline's name or folder, or a loaded generator.
        image: a first frame to start from, instead of one made from the text; our own models only.
        frames: number of frames, at least 1, of each part; None for the model's own number.
        fps: frames a second; None for the model's own.
        size: (height, width), px; pipelines of diffusers only, as are the next two.
        steps: denoising steps.
        guidance: weight of classifier-free guidance.
        seed, index: sample `index` of seed `seed`.
        device: where to run a model given by name or folder.
        then, join: prompts that follow in the same film, and how it goes on; see `plan`.
        negative: what shall not be seen; pipelines of diffusers only.

    Returns:
        A `Video` of the model's size.

    Raises:
        PromptError, VideoReadError, ConfigError, WeightsError: see `plan`.
        UnknownNameError: no such model. InputError: diffusers is not installed, or the pipeline stopped.
    """
    settings = HubSettings(size, steps, guidance, negative=negative)
    made = takes(
        prompt, model, 1, image=image, frames=frames, fps=fps, seed=seed, first=index, settings=settings,
        device=device, then=then, join=join,
    )  # fmt: skip
    return Video.concat([piece for one in made for piece in one.pieces()])


def _planned_take(model: TextToVideo, planned: Plan, count: int, seed: int, index: int) -> Take:
    parts = planned.parts(count)
    return Take(
        planned.caption, planned.notes, count * len(parts), planned.fps,
        lambda: generate_stream(model, planned, count, seed=seed, index=index),
        parts if len(parts) > 1 else (),
    )  # fmt: skip


def _refuse_then(who: str, then: str | Sequence[str], join: Join | None) -> None:
    """Refuse prompts that follow.

    Raises:
        ConfigError: there is one.
    """
    for option, value in (("--then", then), ("--join", join)):
        if value:
            raise ConfigError(
                f"{option} is for text-to-video models of ours (sprites, actions, your own); {who} has one text a video"
            )


def _count(generator: Generator, frames: int | None) -> int:
    """Return how many frames to draw.

    Raises:
        ConfigError: below 1.
    """
    count = generator.num_frames if frames is None else frames
    if count < 1:
        raise ConfigError(f"frames is {count}; it must be at least 1")
    return count
