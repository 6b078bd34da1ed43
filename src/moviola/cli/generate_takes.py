"""Where `moviola generate` gets its videos: our own models, or a diffusers pipeline; refined or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from moviola.core.errors import ConfigError

if TYPE_CHECKING:
    from moviola.core.video import Video
    from moviola.pipelines.refine import Plan

HUB = "hub:"


@dataclass(frozen=True)
class Take:
    """One video that is about to be made.

    Attributes:
        caption: what will be drawn, in full.
        notes: what was ignored, chosen or resized, one line each.
        frames: how many. fps: Hz.
        pieces: gives the video piece by piece.
    """

    caption: str
    notes: tuple[str, ...]
    frames: int
    fps: Fraction
    pieces: Callable[[], Iterator[Video]]


@dataclass(frozen=True)
class HubOptions:
    """What only pipelines of diffusers take; None leaves it to the pipeline.

    Attributes:
        size: "WIDTHxHEIGHT". steps: of denoising. guidance: weight of classifier-free guidance.
    """

    size: str | None = None
    steps: int | None = None
    guidance: float | None = None

    def check(self, model: str) -> None:
        """Refuse them for our own models.

        Raises:
            ConfigError: one is given.
        """
        given = [f"--{name}" for name, value in self.__dict__.items() if value is not None]
        if given and not model.startswith(HUB):
            raise ConfigError(f"{', '.join(given)} is for {HUB}NAME; model {model} has no such setting")

    def pixels(self) -> tuple[int, int] | None:
        """Return (height, width).

        Raises:
            ConfigError: not two whole numbers of at least 1.
        """
        if self.size is None:
            return None
        width, sign, height = self.size.lower().partition("x")
        if not (sign and width.isdecimal() and height.isdecimal() and int(width) > 0 and int(height) > 0):
            raise ConfigError(f"--size is {self.size}; it must be WIDTHxHEIGHT, such as 256x256")
        return int(height), int(width)


def own_takes(
    prompt: str,
    model: str,
    num: int,
    *,
    image: Path | None,
    frames: int | None,
    fps: float | None,
    seed: int,
    device: str,
) -> list[Take]:
    """Plan `num` videos with one of our own models; errors are those of `moviola.pipelines.generate.plan`."""
    from moviola.models.catalog import load_text_to_video
    from moviola.pipelines.generate import generate_stream, plan

    loaded = load_text_to_video(model, device)
    count = loaded.config.frames if frames is None else frames

    def take(index: int) -> Take:
        planned = plan(prompt, loaded, image=image, fps=fps, seed=seed, index=index)
        return Take(
            planned.caption, planned.notes, count, planned.fps,
            lambda: generate_stream(loaded, planned, count, seed=seed, index=index),
        )  # fmt: skip

    return [take(k) for k in range(num)]


def hub_takes(
    prompt: str,
    model: str,
    num: int,
    *,
    image: Path | None,
    frames: int | None,
    fps: float | None,
    seed: int,
    device: str,
    options: HubOptions,
) -> Iterator[Take]:
    """Make `num` videos with a pipeline of diffusers, one at a time; video k has seed + k.

    Raises:
        ConfigError: an image, a size that is none. Otherwise as `moviola.pipelines.hub.load_hub` and its `generate`.
    """
    if image is not None:
        raise ConfigError(f"--image is for our own models; {model} makes a video from the text alone")
    size = options.pixels()
    from moviola.pipelines.hub import Request, load_hub

    asked = Request(prompt, frames, size, options.steps, options.guidance, fps, seed)
    pipeline = load_hub(model, device)
    for k in range(num):
        made = pipeline.generate(replace(asked, seed=seed + k))
        video = made.video
        yield Take(prompt, made.notes, len(video), video.fps, lambda video=video: iter([video]))


def refined(take: Take, plan: Plan) -> Take:
    """Return the take with its pieces refined."""
    from moviola.pipelines.refine import refine_stream

    return replace(take, pieces=lambda: refine_stream(take.pieces(), plan))
