"""A text-to-video model: what it can be told, how fast it plays, and its two networks.

A model folder holds `config.json` (this), `first/` (caption to first frame) and `next/` (caption and frames to next
frame). Either network may be missing: without `first/`, generation starts from a given image.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from moviola.core.config import Config
from moviola.core.errors import ConfigError, WeightsError
from moviola.core.weights import CONFIG_NAME, read_config, write_atomic
from moviola.data.grammar import Grammar
from moviola.models.nextframe import NextFrameUNet
from moviola.models.textgan import FrameGenerator

FIRST, NEXT = "first", "next"


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
    """The two networks and their captions.

    Attributes:
        config: the manifest.
        first: caption to first frame; None when the folder has none.
        next: caption and frames to next frame.
    """

    config: TextVideoConfig
    first: FrameGenerator | None
    next: NextFrameUNet

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
        first = FrameGenerator.from_pretrained(folder / FIRST) if (folder / FIRST).is_dir() else None
        return cls(config, first, NextFrameUNet.from_pretrained(folder / NEXT))

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
