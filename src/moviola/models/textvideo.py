"""A text-to-video model: what it can be told, how fast it plays, and its two networks.

A model folder holds `config.json` (this), `first/` (caption to first frame) and `next/` (caption and frames to next
frame). Either network may be missing: without `first/`, generation starts from a given image.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, Self

import torch
from pydantic import Field
from torch import Tensor

from moviola.core.atomic import write_atomic
from moviola.core.config import Config
from moviola.core.errors import ConfigError, PromptError, WeightsError
from moviola.core.rates import as_rate
from moviola.core.seeds import normal_rows, numpy_generator
from moviola.core.weights import CONFIG_NAME, read_config
from moviola.data.grammar import Grammar, Parse
from moviola.models import nextframe
from moviola.models.nextframe import NextFrame, NextFrameNetwork
from moviola.models.protocols import Description
from moviola.models.textgan import FirstFrameGenerator, load_first_frame

FIRST, NEXT = "first", "next"
_CHUNK = 32


class TextVideoConfig(Config):
    """What a text-to-video model folder says of itself.

    Attributes:
        family: always "text-to-video".
        size: H = W in pixels.
        fps: frames a second it was trained at.
        frames: a good number of frames to generate.
        grammar: the captions it understands.
    """

    family: Literal["text-to-video"] = "text-to-video"
    size: int = Field(ge=16)
    fps: float = Field(gt=0)
    frames: int = Field(default=16, ge=1)
    grammar: Grammar


def write_manifest(config: TextVideoConfig, folder: Path) -> None:
    """Write `config.json` of a model folder; an equal one may stand there already.

    Raises:
        WeightsError: when the folder belongs to a model of other captions or size.
    """
    path = folder / CONFIG_NAME
    if path.exists():
        old = TextVideoConfig.make(read_config(folder))
        if (old.size, old.grammar) != (config.size, config.grammar):
            raise WeightsError(
                f"{folder} holds a model of another size or caption language; choose another folder"
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (json.dumps(config.model_dump(mode="json"), indent=1) + "\n").encode())


def read_manifest(folder: str | Path) -> TextVideoConfig:
    """Read what `write_manifest` wrote.

    Raises:
        WeightsError: when there is none, or it is of another family.
    """
    values = read_config(folder)
    if values.get("family") != "text-to-video":
        raise WeightsError(f"{folder} holds no text-to-video model, but family {values.get('family')!r}")
    try:
        return TextVideoConfig.make(values)
    except ConfigError as error:
        raise WeightsError(f"{Path(folder) / CONFIG_NAME} is no text-to-video config: {error}") from None


@dataclass(frozen=True)
class TextToVideo:
    """The two networks and their captions: a `moviola.models.protocols.TextGenerator`.

    Attributes:
        config: the manifest.
        first: caption to first frame; None when the folder has none.
        next: caption and frames to next frame.
    """

    config: TextVideoConfig
    first: FirstFrameGenerator | None
    next: NextFrameNetwork

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Load a model folder, on the CPU, in eval mode.

        Raises:
            WeightsError: when a part is damaged, or there is no next-frame network.
        """
        folder = Path(folder)
        config = read_manifest(folder)
        if not (folder / NEXT).is_dir():
            raise WeightsError(
                f"{folder} has no next-frame network yet; train one into it with moviola train nextframe_..."
            )
        first = load_first_frame(folder / FIRST) if (folder / FIRST).is_dir() else None
        return cls(config, first, NextFrame.from_pretrained(folder / NEXT))

    def to(self, device: str) -> Self:
        """Move the networks to `device`; return the model."""
        self.next.to(device)
        if self.first is not None:
            self.first.to(device)
        return self

    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> Path:
        """Write the manifest and both networks into `folder`."""
        folder = Path(folder)
        write_manifest(self.config, folder)
        self.next.save_pretrained(folder / NEXT, half=half)
        if self.first is not None:
            self.first.save_pretrained(folder / FIRST, half=half)
        return folder

    @property
    def is_conditional(self) -> bool:
        """It is told a text."""
        return True

    @property
    def num_frames(self) -> int:
        """A good number of frames."""
        return self.config.frames

    @property
    def height(self) -> int:
        """H of a frame, px."""
        return self.config.size

    @property
    def width(self) -> int:
        """W of a frame, px."""
        return self.config.size

    @property
    def fps(self) -> Fraction:
        """Frames a second it was trained at."""
        return as_rate(self.config.fps)

    def fill(
        self, seed: int, index: int, prompt: str | None = None, *, seen: bool = False
    ) -> tuple[Tensor, tuple[str, ...]]:
        """Read the prompt and draw by the seed what it leaves open.

        Args:
            seed, index: sample `index` of seed `seed`; nothing else decides what is drawn.
            prompt: in the model's words; None leaves everything open.
            seen: a first frame is given, so what it shows need not be said.

        Returns:
            slots, int64 (S,), and what was ignored or chosen, one line each.

        Raises:
            PromptError: an empty prompt, one without a known word, or one that contradicts itself; or none, and the
                captions are free text, of which none can be drawn.
        """
        grammar = self.config.grammar
        if prompt is None and not grammar.template:
            raise PromptError(
                "this model's captions are free text, of which none can be drawn; give a prompt or captions"
            )
        parse = Parse([None] * len(grammar.sizes)) if prompt is None else grammar.parse(prompt)
        slots = grammar.fill(parse, numpy_generator(seed, index, "slots"), has_frame=seen)
        return torch.from_numpy(slots), (*_unknown_notes(parse), *parse.notes)

    def follow(
        self, seed: int, index: int, number: int, prompt: str, slots: Tensor
    ) -> tuple[Tensor, tuple[str, ...]]:
        """Read a later prompt of the same film: what it leaves open stays as it was.

        Args:
            seed, index: of the film.
            number: of the prompt, from 1 for the first change.
            prompt: in the model's words.
            slots: int64 (S,), what held before.

        Returns:
            slots, int64 (S,), and what was ignored or changed with it, one line each.

        Raises:
            PromptError: see `fill`.
        """
        grammar = self.config.grammar
        parse = grammar.parse(prompt)
        row, notes = grammar.follow(parse, slots.numpy(), numpy_generator(seed, index, "slots", number))
        return torch.from_numpy(row), (*_unknown_notes(parse), *parse.notes, *notes)

    def describe(self, seed: int, index: int, prompt: str | None = None) -> Description:
        """Say what `stream` will draw; see `fill`."""
        slots, notes = self.fill(seed, index, prompt)
        return Description(self.config.grammar.caption(slots.numpy()), notes)

    def stream(self, seed: int, index: int, frames: int, prompt: str | None = None) -> Iterator[Tensor]:
        """Draw one video in pieces of up to 32 frames; see `moviola.models.protocols.Generator`.

        Raises:
            PromptError: see `fill`. ConfigError: `frames` below 1. WeightsError: there is no first-frame network.
        """
        return self.stream_slots(self.fill(seed, index, prompt)[0], frames, seed=seed, index=index)

    def stream_slots(
        self,
        slots: Tensor,
        frames: int,
        *,
        seed: int,
        index: int,
        first: Tensor | None = None,
        changes: Mapping[int, Tensor] | None = None,
        cut: bool = True,
    ) -> Iterator[Tensor]:
        """Draw one video of a row of slots, int64 (S,), in pieces of up to 32 frames; none goes across a change.

        Args:
            slots: what `fill` gave.
            frames: of the whole video, at least 1.
            seed, index: of the noise of the first frame.
            first: a given first frame, float32 (1, 3, H, W) in [-1, 1]; None for one made from the slots.
            changes: number of a frame, at least 1, to the slots that hold from it on; see `follow`.
            cut: begin anew at a change with a first frame made from the new slots and the same noise; False to go on
                from the newest frame.

        Raises:
            ConfigError: `frames` below 1. WeightsError: no first frame, and no network that makes one.
        """
        if frames < 1:
            raise ConfigError(f"frames is {frames}; it must be at least 1")
        changes = changes or {}
        self.check_first(first is not None and not (changes and cut))
        return self._pieces(slots, frames, seed, index, first, changes, cut)

    def check_first(self, given: bool) -> None:
        """Refuse to begin without a first frame.

        Raises:
            WeightsError: none is `given`, and there is no network that makes one.
        """
        if not given and self.first is None:
            raise WeightsError("this model has no first-frame network; give a first frame with --image")

    def _pieces(
        self,
        slots: Tensor,
        frames: int,
        seed: int,
        index: int,
        first: Tensor | None,
        changes: Mapping[int, Tensor],
        cut: bool,
    ) -> Iterator[Tensor]:
        device = next(self.next.parameters()).device
        start = self._first_frame(slots, seed, index) if first is None else first.to(device)
        steps = {
            number: nextframe.Change(
                row[None].to(device), self._first_frame(row, seed, index) if cut else None
            )
            for number, row in changes.items()
        }
        endless = nextframe.stream(self.next, start, slots[None].to(device), steps)
        ends = [0, *sorted(number for number in changes if number < frames), frames]
        for begin, end in itertools.pairwise(ends):
            for piece in range(begin, end, _CHUNK):
                yield torch.cat([next(endless) for _ in range(min(_CHUNK, end - piece))])

    @torch.no_grad()
    def _first_frame(self, slots: Tensor, seed: int, index: int) -> Tensor:
        """Return a frame of slots, int64 (S,): float32 (1, 3, H, W) in [-1, 1], where the networks are."""
        assert self.first is not None  # check_first
        device = next(self.first.parameters()).device
        noise = normal_rows(seed, [index], self.first.config.latent).to(device)
        return self.first(slots[None].to(device), noise).clamp(-1, 1)


def _unknown_notes(parse: Parse) -> list[str]:
    return [
        f"{word!r} is not known and was ignored" + (f"; did you mean {' or '.join(near)}?" if near else "")
        for word, near in parse.unknown
    ]
