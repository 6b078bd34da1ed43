"""Procedural data sets whose every clip comes with an exact caption and the truth behind it.

A toy is a module with `Config` (a frozen config) and `make(index, seed, config) -> ToyClip`; `TOYS` names them.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from moviola.core.errors import check_name

if TYPE_CHECKING:
    from moviola.core.config import Config
    from moviola.core.video import Video

# toy -> the module that makes it
TOYS: dict[str, str] = {
    "digits": "moviola.data.toys.digits",
    "icons": "moviola.data.toys.icons",
    "sinusoid": "moviola.data.toys.sinusoid",
    "sprites": "moviola.data.toys.sprites",
}


@dataclass(frozen=True, eq=False)
class ToyClip:
    """One made clip.

    Args:
        video: the frames.
        caption: one sentence of the toy's closed grammar.
        truth: what was drawn; for digits and icons see `moviola.data.toys.scene`.
    """

    video: Video
    caption: str
    truth: dict[str, Any] = field(repr=False)


class Toy(Protocol):
    """What the module of a toy holds."""

    Config: type[Config]

    def make(self, index: int, seed: int, config: Any) -> ToyClip:
        """Make clip `index` of the set `seed`: the same arguments give the same bytes."""
        ...


def load_toy(name: str) -> Toy:
    """Return the module of the toy `name`, a key of `TOYS`.

    Raises:
        UnknownNameError: there is no such toy; the message names the nearest.
    """
    check_name("toy", name, TOYS)
    return cast(Toy, importlib.import_module(TOYS[name]))
