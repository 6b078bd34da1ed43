"""The second stage: key frames painted by a filter, by diffusion, or by the user's own hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from moviola.core.provenance import declare
from moviola.pipelines.restyle.footage import Footage
from moviola.pipelines.restyle.masking import Mask
from moviola.pipelines.restyle.settings import DIFFUSION, RestyleConfig
from moviola.propagation.propagate import Paint


class Painter(Protocol):
    """Paints the key frames of a video one after the other.

    Attributes:
        notes: what is to be said about the settings and the prompt; whole when all is painted.
    """

    notes: list[str]

    def paint(
        self,
        keys: Sequence[int],
        footage: Footage,
        anchors: Sequence[int],
        missing: Sequence[int],
        memory: Path,
        mask: Mask | None = None,
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Paint the key frames that are missing, and those that have to be made again for them.

        Args:
            keys: all key frames. footage: the frames. anchors: keys that are painted on their own.
            missing: places in `keys`, rising. memory: file to remember in what the next one depends on.
            mask: a frame's number to what of it is repainted, float32 (H, W); None for whole frames.

        Yields:
            key and painted frame.
        """
        ...


class FilterPainter:
    """Every key frame through one filter, each on its own.

    Args:
        own: the filter.
    """

    def __init__(self, own: Paint) -> None:
        self.own = own
        self.notes: list[str] = []

    def paint(
        self,
        keys: Sequence[int],
        footage: Footage,
        anchors: Sequence[int],
        missing: Sequence[int],
        memory: Path,
        mask: Mask | None = None,
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Paint; see `Painter.paint`."""
        for place in missing:
            yield keys[place], self.own(footage.at(keys[place]))


def make_painter(config: RestyleConfig, device: str) -> Painter:
    """Return the painter that the settings name.

    Raises:
        WeightsError, ConfigError: as the painter does when it is loaded.
    """
    own = own_paint(config)
    if own is not None:
        return FilterPainter(own)
    from moviola.pipelines.restyle.diffusion import KeyPainter

    return KeyPainter(config, device)


def own_paint(config: RestyleConfig) -> Paint | None:
    """Return what paints any frame by itself: the filter; None for diffusion, which agrees with other frames."""
    if config.painter == DIFFUSION:
        return None
    from moviola.models.rerender.filters import paint

    return partial(paint, name=config.painter, strength=config.strength, settings=config.brush())


def anchors_of(keys: Sequence[int], cuts: Sequence[int], how: str) -> list[int]:
    """Return which keys are painted on their own: the first, and unless `how` is "first" the first of each shot."""
    starts = [] if how == "first" else cuts
    firsts = [next((key for key in keys if key >= start), None) for start in (0, *starts)]
    return [key for key in keys if key in firsts]


def declare_paint(config: RestyleConfig, by_hand: bool) -> None:
    """Tell the records of this run what the settings came to, and which weights painted.

    Args:
        config: the settings. by_hand: the key frames are the user's own.
    """
    names = [] if config.keys.vae is None else [config.keys.vae]
    if config.painter == DIFFUSION and not by_hand:
        from moviola.models.rerender.diffusion.sources import sources

        names = [*sources(config.diffusion), *names]
    declare(config.model_dump(mode="json"), {"model": names})
