"""Generated clips beside the real clips that they should have been, to train and to judge refiners."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from moviola.core.atomic import new_folder
from moviola.core.errors import ConfigError, WeightsError
from moviola.core.ranges import from_network, to_network
from moviola.core.seeds import normal_rows, numpy_generator
from moviola.core.video import Video
from moviola.data.captions import write_captions
from moviola.data.loader import Clip, Clips
from moviola.models.nextframe import rollout
from moviola.models.textvideo import TextToVideo

REAL, GENERATED = "real", "generated"


@dataclass(frozen=True, eq=False)
class Pair:
    """A real clip and what a model made of its caption.

    Attributes:
        caption: in the model's words; "" where there is none.
        label: what the caption's slot "action" says, "" where there is no such slot or it is left open.
        real, generated: of one shape and rate; frame n of one stands for frame n of the other.
    """

    caption: str
    label: str
    real: Video
    generated: Video


def make_pairs(
    model: TextToVideo,
    clips: Clips,
    count: int,
    *,
    frames: int = 16,
    seed: int = 0,
    given: bool = False,
    anywhere: bool = False,
    batch: int = 16,
) -> Iterator[Pair]:
    """Draw real clips, and generate from the caption of each.

    Args:
        model: speaks the captions of `clips`.
        clips: real clips; cyclic ones are played on from their first frame.
        count: pairs, at least 1.
        frames: of a clip, at least 2.
        seed: pair n follows from (seed, n) alone.
        given: start from the real first frame rather than from one made from the text.
        anywhere: begin anywhere in clips that are longer, not at their first frame.
        batch: pairs generated at a time.

    Raises:
        ConfigError: count below 1, frames below 2, or captions the model does not speak.
        WeightsError: `given` is not set, and the model makes no first frames.
    """
    if count < 1 or frames < 2:
        raise ConfigError(f"pairs need a count of at least 1 and 2 frames, not {count} and {frames}")
    if clips.grammar.sizes != model.config.grammar.sizes:
        raise ConfigError(
            "the model does not speak the captions of these clips; use the clips it was trained on"
        )
    if model.first is None and not given:
        raise WeightsError("this model has no first-frame network; start from real first frames (--given)")
    for start in range(0, count, batch):
        numbers = range(start, min(count, start + batch))
        drawn = [_draw(clips, seed, n, frames, anywhere) for n in numbers]
        made = _generate(model, drawn, numbers, frames, seed, given)
        for (clip, real), frames_made in zip(drawn, made, strict=True):
            yield Pair(
                clips.grammar.caption(clip.slots),
                _label(clips, clip.slots),
                Video(real, model.config.fps),
                Video(frames_made, model.config.fps),
            )


def write_pairs(pairs: Iterator[Pair], out: str | Path, tick: Callable[[], object] = lambda: None) -> Path:
    """Write pairs as `OUT/real/LABEL/NNNNNN.npz` and `OUT/generated/LABEL/NNNNNN.npz`, all or nothing.

    Captions go beside them, where there are any.

    Args:
        pairs: what `make_pairs` yields.
        out: a new or empty folder; its parent exists.
        tick: called after each pair.

    Raises:
        OutputError: the folder holds something, or cannot be written.
    """
    from moviola.data import codec

    with new_folder(Path(out)) as folder:
        rows = []
        for number, pair in enumerate(pairs):
            place = f"{pair.label.replace(' ', '-') or 'all'}/{number:06d}.npz"
            for side, video in ((REAL, pair.real), (GENERATED, pair.generated)):
                (folder / side / place).parent.mkdir(parents=True, exist_ok=True)
                codec.write(video, folder / side / place)
            if pair.caption:
                rows.append({"file": place, "caption": pair.caption})
            tick()
        for side in (REAL, GENERATED) if rows else ():
            write_captions(folder / side / "captions.jsonl", iter(rows))
    return Path(out)


def _draw(clips: Clips, seed: int, number: int, frames: int, anywhere: bool) -> tuple[Clip, np.ndarray]:
    rng = numpy_generator(seed, number, "pair")
    clip = clips.draw(rng)
    start = 0
    if anywhere and not clip.cyclic:
        start = int(rng.integers(max(1, clip.length - frames + 1)))
    index = np.arange(start, start + frames)
    return clip, clip.read(index if clip.cyclic else index.clip(max=clip.length - 1))


@torch.no_grad()
def _generate(
    model: TextToVideo,
    drawn: list[tuple[Clip, np.ndarray]],
    numbers: range,
    frames: int,
    seed: int,
    given: bool,
) -> np.ndarray:
    """Return uint8 (B, T, H, W, 3)."""
    device = next(model.next.parameters()).device
    slots = torch.from_numpy(np.stack([clip.slots for clip, _ in drawn])).to(device)
    if given or model.first is None:
        first = to_network(torch.from_numpy(np.stack([real[0] for _, real in drawn]))).to(device)
    else:
        noise = normal_rows(seed, list(numbers), model.first.config.latent).to(device)
        first = model.first(slots, noise).clamp(-1, 1)
    return from_network(rollout(model.next, first, slots, frames)).cpu().numpy()


def _label(clips: Clips, slots: np.ndarray) -> str:
    """Return what the slot "action" says; "" where there is none, as in captions of several elements."""
    names = [slot.name for slot in clips.grammar.slots]
    value = int(slots[names.index("action")]) if "action" in names else 0
    if not value:
        return ""
    action = clips.grammar.slots[names.index("action")].values[value - 1]
    return action.name or action.phrases[0]
