"""Text to first frame to video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from moviola.core.errors import VideoReadError
from moviola.core.rates import as_rate
from moviola.core.video import Video
from moviola.data import codec
from moviola.models.catalog import load_text_to_video
from moviola.models.textvideo import TextToVideo


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
    rate = model.fps if fps is None else as_rate(fps)
    slots, notes = model.fill(seed, index, prompt, seen=image is not None)
    first, resized = (None, "") if image is None else _first_frame(image, model.config.size)
    model.check_first(first is not None)
    notes = (*notes, *filter(None, [resized]))
    return Plan(model.config.grammar.caption(slots.numpy()), slots, first, rate, notes)


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
    first = None if planned.first is None else planned.first.to_tensor()
    for piece in model.stream_slots(planned.slots, frames, seed=seed, index=index, first=first):
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
    loaded = model if isinstance(model, TextToVideo) else load_text_to_video(model, device)
    planned = plan(prompt, loaded, image=image, fps=fps, seed=seed, index=index)
    count = loaded.config.frames if frames is None else frames
    return Video.concat(list(generate_stream(loaded, planned, count, seed=seed, index=index)))
