"""What decides a video of our own text-to-video models, worked out before the networks run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from moviola.core.errors import ConfigError, PromptError, VideoReadError
from moviola.core.rates import as_rate
from moviola.core.video import Video
from moviola.data import codec
from moviola.models.textvideo import TextToVideo

Join = Literal["cut", "carry"]
"""How a film goes on under its next caption: from a first frame drawn anew, or from the newest frame."""


@dataclass(frozen=True)
class Part:
    """What of a film one caption holds for.

    Attributes:
        caption: what will be drawn, in full.
        first_frame: number of its first frame in the film, from 0.
        frames: how many.
    """

    caption: str
    first_frame: int
    frames: int


@dataclass(frozen=True)
class Plan:
    """Everything that decides one video, worked out before the networks run.

    Attributes:
        caption: what will be drawn, in full.
        slots: the same as numbers, int64 (S,).
        first: the given first frame, or None.
        fps: frames a second.
        notes: what was ignored, chosen or resized, one line each.
        later: what holds after one another when the first caption has had its frames: captions and slots.
        cut: begin anew with a drawn first frame where the caption changes; False to go on from the newest frame.
    """

    caption: str
    slots: Tensor
    first: Video | None
    fps: Fraction
    notes: tuple[str, ...]
    later: tuple[tuple[str, Tensor], ...] = ()
    cut: bool = True

    def parts(self, frames: int) -> tuple[Part, ...]:
        """Return the parts of the film, each of `frames` frames, in their order."""
        captions = (self.caption, *(caption for caption, _ in self.later))
        return tuple(Part(caption, k * frames, frames) for k, caption in enumerate(captions))

    def changes(self, frames: int) -> dict[int, Tensor]:
        """Return the numbers of the frames at which the slots change, and the slots from there on."""
        rows = (self.slots, *(row for _, row in self.later))
        return {k * frames: rows[k] for k in range(1, len(rows)) if not torch.equal(rows[k], rows[k - 1])}


def plan(
    prompt: str,
    model: TextToVideo,
    *,
    image: str | Path | Video | None = None,
    fps: float | None = None,
    seed: int = 0,
    index: int = 0,
    then: str | Sequence[str] = (),
    join: Join | None = None,
) -> Plan:
    """Read the prompts and draw by the seed what they leave open.

    Args:
        prompt: in the model's words (`moviola models show NAME`).
        model: a loaded model.
        image: a first frame: an image or video file, or a Video whose first frame is taken; brought to the model's
            size by a centred square crop and a Lanczos resize.
        fps: frames a second, above 0; None for the model's own.
        seed, index: sample `index` of seed `seed`; nothing else decides what is drawn.
        then: prompts that follow in the same film; what one leaves open stays as it was.
        join: "cut" begins each part with a first frame made from its text, "carry" goes on from the newest frame; None
            for "cut", but "carry" after a given image, whose look no text says.

    Raises:
        PromptError: an empty prompt, one without a known word, or one that contradicts itself.
        VideoReadError: the image cannot be read.
        WeightsError: no image is given and the model has no first-frame network.
        ConfigError: an fps that is no frame rate, or a `join` that is unknown, has no effect or cannot be.
    """
    rate = model.fps if fps is None else as_rate(fps)
    prompts = (then,) if isinstance(then, str) else tuple(then)
    cut = _is_cut(join, given=image is not None, changes=bool(prompts))
    slots, notes = model.fill(seed, index, prompt, seen=image is not None)
    first, resized = (None, "") if image is None else _first_frame(image, model.config.size)
    model.check_first(first is not None)
    later, told = _later(model, prompts, slots, seed, index)
    notes = (*notes, *filter(None, [resized]), *told)
    return Plan(model.config.grammar.caption(slots.numpy()), slots, first, rate, notes, later, cut)


def _is_cut(join: Join | None, *, given: bool, changes: bool) -> bool:
    if join is not None and join not in get_args(Join):
        raise ConfigError(f"--join is {join!r}; it is one of {', '.join(get_args(Join))}")
    if join is not None and not changes:
        raise ConfigError(f"--join {join} has no effect without --then; give it, or leave it out")
    if join == "cut" and given:
        raise ConfigError(
            "--join cut makes first frames from the text alone, not from --image; use --join carry"
        )
    return join == "cut" if join else not given


def _later(
    model: TextToVideo, prompts: tuple[str, ...], slots: Tensor, seed: int, index: int
) -> tuple[tuple[tuple[str, Tensor], ...], list[str]]:
    """Return captions and slots of the prompts that follow, and notes; each line says of which prompt it is."""
    later: list[tuple[str, Tensor]] = []
    notes: list[str] = []
    for number, prompt in enumerate(prompts, start=1):
        title = "--then" if len(prompts) == 1 else f"--then, number {number}"
        try:
            row, told = model.follow(seed, index, number, prompt, slots)
        except PromptError as error:
            raise PromptError(f"{title}: {error}") from None
        if torch.equal(row, slots):
            told = (*told, "nothing changes, the film goes on as it was")
        notes += [f"{title}: {note}" for note in told]
        later.append((model.config.grammar.caption(row.numpy()), row))
        slots = row
    return tuple(later), notes


def _first_frame(image: str | Path | Video, size: int) -> tuple[Video, str]:
    if not isinstance(image, Video):
        path = Path(image)
        if not path.exists():
            raise VideoReadError(f"no image at {path}")
        image = codec.read(path, stop=1)
    video = image[:1]
    if (video.height, video.width) == (size, size):
        return video, ""
    note = f"the image was brought from {video.width}x{video.height} to {size}x{size} (centre crop, lanczos)"
    return video.center_crop_square().resize(size, size), note
