"""Text to first frame to video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from moviola.core.errors import ConfigError, VideoReadError, WeightsError
from moviola.core.rates import as_rate
from moviola.core.seeds import normal_rows, numpy_generator
from moviola.core.video import Video
from moviola.data import codec
from moviola.models.catalog import load
from moviola.models.nextframe import stream
from moviola.models.textvideo import TextToVideo

_CHUNK = 32


@dataclass(frozen=True)
class Plan:
    """Everything that decides one video, worked out before the networks run.

    Attributes:
        caption: what will be drawn, in full.
        slots: the same as numbers, int64 (S,).
        first: the given first frame, or None.
        fps: frames a second.
        notes: what was ignored, chosen or resized, one line each.
    """

    caption: str
    slots: Tensor
    first: Video | None
    fps: Fraction
    notes: tuple[str, ...]


def plan(
    prompt: str,
    model: TextToVideo,
    *,
    image: str | Path | Video | None = None,
    fps: float | None = None,
    seed: int = 0,
    index: int = 0,
) -> Plan:
    """Read the prompt and draw by the seed what it leaves open.

    Args:
        prompt: in the model's words (`moviola models show NAME`).
        model: a loaded model.
        image: a first frame: an image or video file, or a Video whose first frame is taken; brought to the model's
            size by a centred square crop and a Lanczos resize.
        fps: frames a second, above 0; None for the model's own.
        seed, index: sample `index` of seed `seed`; nothing else decides what is drawn.

    Raises:
        PromptError: an empty prompt, one without a known word, or one that contradicts itself.
        VideoReadError: the image cannot be read.
        WeightsError: no image is given and the model has no first-frame network.
        ConfigError: an fps that is no frame rate.
    """
    rate = as_rate(model.config.fps if fps is None else fps)
    grammar = model.config.grammar
    parse = grammar.parse(prompt)
    notes = [
        f"{word!r} is not known and was ignored" + (f"; did you mean {' or '.join(near)}?" if near else "")
        for word, near in parse.unknown
    ]
    notes += parse.notes
    first = None
    if image is not None:
        first, resized = _first_frame(image, model.config.size)
        notes += [resized] if resized else []
    elif model.first is None:
        raise WeightsError("this model has no first-frame network; give a first frame with --image")
    slots = grammar.fill(parse, numpy_generator(seed, index, "slots"), seen=image is not None)
    return Plan(grammar.caption(slots), torch.from_numpy(slots), first, rate, tuple(notes))


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


def generate_stream(
    model: TextToVideo, planned: Plan, frames: int, *, seed: int = 0, index: int = 0
) -> Iterator[Video]:
    """Yield the video of a plan in pieces of up to 32 frames; memory does not grow with `frames`.

    Raises:
        ConfigError: `frames` below 1.
    """
    if frames < 1:
        raise ConfigError(f"frames is {frames}; it must be at least 1")
    device = next(model.next.parameters()).device
    slots = planned.slots[None].to(device)
    if planned.first is not None:
        first = planned.first.to_tensor().to(device)
    elif model.first is not None:
        noise = normal_rows(seed, [index], model.first.config.latent).to(device)
        with torch.no_grad():
            first = model.first(slots, noise).clamp(-1, 1)
    else:
        raise WeightsError("this model has no first-frame network; give a first frame with --image")
    made = stream(model.next, first, slots)
    for start in range(0, frames, _CHUNK):
        piece = torch.cat([next(made) for _ in range(min(_CHUNK, frames - start))])
        yield Video.from_tensor(piece, planned.fps)


def generate(
    prompt: str,
    *,
    model: str | Path | TextToVideo = "sprites",
    image: str | Path | Video | None = None,
    frames: int | None = None,
    fps: float | None = None,
    seed: int = 0,
    index: int = 0,
    device: str = "cpu",
) -> Video:
    """Make a video from a text.

    Source: the "Videogeneration" project: text to first frame by a conditional GAN, then next frame by next frame.

    Args:
        prompt: in the model's words.
        model: a catalog name, a model folder, or a loaded model.
        image: a first frame to start from, instead of one made from the text.
        frames: number of frames, at least 1; None for the model's own number.
        fps: frames a second; None for the model's own.
        seed, index: sample `index` of seed `seed`.
        device: where to run a model given by name or folder.

    Returns:
        A `Video` of the model's size.

    Raises:
        PromptError, VideoReadError, ConfigError, WeightsError: see `plan`.
        UnknownNameError: no such model.
    """
    loaded = model if isinstance(model, TextToVideo) else load(model, device)
    planned = plan(prompt, loaded, image=image, fps=fps, seed=seed, index=index)
    count = loaded.config.frames if frames is None else frames
    return Video.concat(list(generate_stream(loaded, planned, count, seed=seed, index=index)))
