"""The manifest of a text-to-video model: what it can be told, how fast it plays, and where its two networks are.

A model folder holds `config.json` (this), `first/` (caption to first frame) and `next/` (caption and frames to next
frame). Either network may be missing: without `first/`, generation starts from a given image.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import Field

from moviola.core.config import Config
from moviola.core.errors import WeightsError
from moviola.core.weights import CONFIG_NAME, read_config, write_atomic
from moviola.data.grammar import Grammar

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
    frames: int = Field(16, ge=1)
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
            raise WeightsError(f"{folder} already holds a model of another size or caption language; choose another folder")
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
    return TextVideoConfig.make(values)
