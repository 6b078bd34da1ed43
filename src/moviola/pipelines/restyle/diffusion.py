"""Key frames painted by diffusion: the painter fed frame by frame, its memory kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from moviola.core.errors import InputError
from moviola.models.rerender.diffusion import DiffusionPainter, Memory
from moviola.pipelines.restyle.footage import Footage
from moviola.pipelines.restyle.masking import Mask
from moviola.pipelines.restyle.motion import ChainedFlows
from moviola.pipelines.restyle.pictures import numbered
from moviola.pipelines.restyle.settings import RestyleConfig
from moviola.pipelines.restyle.work import load_picture
from moviola.propagation.flow import estimator

_EVERY = 4  # key frames between two times that the memory, which is large, is written


class KeyPainter:
    """The painter "diffusion" for the key frames of a video.

    Args:
        config: settings; the model is loaded at once.
        device: where it goes, unless the settings of the painter say so.

    Raises:
        WeightsError, ConfigError, InputError: as `DiffusionPainter.load`.
    """

    def __init__(self, config: RestyleConfig, device: str) -> None:
        own = config.diffusion
        self.config, self.device = config, device
        chosen = own if own.device != "auto" else own.model_copy(update={"device": device})
        self.painter = DiffusionPainter.load(chosen)
        self.notes = self.painter.notes

    def paint(
        self,
        keys: Sequence[int],
        footage: Footage,
        anchors: Sequence[int],
        missing: Sequence[int],
        memory: Path,
        mask: Mask | None = None,
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Paint; see `moviola.pipelines.restyle.painting.Painter.paint`."""
        done = missing[0]  # a frame depends on those before it, so all from here on are painted
        known = Memory.load(memory) if done and memory.exists() else Memory()
        if known.done > done:
            known = Memory()
        frames, config = Lazy(keys, footage.at), self.config
        flows = ChainedFlows(keys, footage.span, estimator(config.flow, config.raft, self.device))
        places = [keys.index(key) for key in anchors]
        painted = self.painter.paint(
            frames, config.prompt, seed=config.seed, anchors=places, flows=flows, memory=known,
            controls={kind: _pictures(kind, folder, keys) for kind, folder in config.pictures.items()},
            masks=None if mask is None else Lazy(keys, mask),
        )  # fmt: skip
        saved = known.done
        try:
            for place, frame in enumerate(painted, start=known.done):
                yield keys[place], frame
                if known.done - saved >= _EVERY:
                    known.save(memory)
                    saved = known.done
        finally:  # also where the run is stopped: what was painted since is not painted again
            if known.done < len(keys) and known.done > saved:
                known.save(memory)


def _pictures(kind: str, folder: Path, keys: Sequence[int]) -> Lazy:
    """Return pictures made elsewhere for a ControlNet, one for each key frame; they are named as the user's own keys.

    Raises:
        InputError: no folder, or no picture for a key frame.
    """
    found = numbered(folder, f"pictures.{kind}")
    missing = [key for key in keys if key not in found]
    if missing:
        raise InputError(f"no picture for {kind} of key frame {missing[0]} in {folder}")
    return Lazy(keys, lambda key: load_picture(found[key]))


class Lazy(Sequence[np.ndarray]):
    """Pictures of key frames that are read when they are asked for.

    Args:
        keys: frame numbers. read: a number to its picture, uint8 (H, W, 3).
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
