"""Key frames painted by diffusion: the painter fed frame by frame, its memory kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from moviola.models.rerender.diffusion import DiffusionPainter, DirectFlows, Memory
from moviola.pipelines.restyle.settings import RestyleConfig


class KeyPainter:
    """The painter "diffusion" for the key frames of a video.

    Args:
        config: settings; the model is loaded at once.
        device: where it goes, unless the settings of the painter say so.

    Raises:
        WeightsError, ConfigError, InputError: as `DiffusionPainter.load`.
    """

    chained = True

    def __init__(self, config: RestyleConfig, device: str) -> None:
        own = config.diffusion
        self.config = config
        chosen = own if own.device != "auto" else own.model_copy(update={"device": device})
        self.painter = DiffusionPainter.load(chosen)
        self.notes = list(self.painter.notes)

    def paint(
        self,
        keys: Sequence[int],
        read: Callable[[int], np.ndarray],
        anchors: Sequence[int],
        done: int,
        memory: Path,
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Paint; see `moviola.pipelines.restyle.painting.Painter.paint`."""
        known = Memory.load(memory) if done and memory.exists() else Memory()
        if known.done > done:
            known = Memory()
        frames, config = _Keys(keys, read), self.config
        flows = DirectFlows(frames, config.flow, None if config.raft is None else str(config.raft))
        places = [keys.index(key) for key in anchors]
        first = known.done
        painted = self.painter.paint(
            frames, config.prompt, seed=config.seed, anchors=places, flows=flows, memory=known
        )
        for place, frame in enumerate(painted, start=first):
            known.save(memory)
            yield keys[place], frame


class _Keys(Sequence[np.ndarray]):
    """Key frames that are read when they are asked for.

    Args:
        keys: frame numbers. read: a number to its frame.
    """

    def __init__(self, keys: Sequence[int], read: Callable[[int], np.ndarray]) -> None:
        self.keys, self.read = keys, read

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, place: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[np.ndarray]: ...

    def __getitem__(self, place: int | slice) -> np.ndarray | Sequence[np.ndarray]:
        if isinstance(place, slice):
            return [self.read(key) for key in self.keys[place]]
        return self.read(self.keys[place])
