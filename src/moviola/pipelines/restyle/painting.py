"""The second stage: key frames painted by a filter, by diffusion, or by the user's own hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from moviola.core.errors import InputError
from moviola.pipelines.restyle.settings import DIFFUSION, RestyleConfig
from moviola.pipelines.restyle.work import load_picture

Read = Callable[[int], np.ndarray]


class Painter(Protocol):
    """Paints the key frames of a video one after the other.

    Attributes:
        notes: what is to be said about the settings.
        chained: a frame depends on those before it.
    """

    notes: list[str]
    chained: bool

    def paint(
        self, keys: Sequence[int], read: Read, anchors: Sequence[int], done: int, memory: Path
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Paint the key frames from place `done` on (or earlier, where more has to be made again).

        Args:
            keys: all key frames. read: a key frame to uint8 (H, W, 3). anchors: keys that are painted on their own.
            done: how many are painted. memory: file to remember in what the next one depends on.

        Yields:
            key and painted frame.
        """
        ...


class FilterPainter:
    """Every key frame through one filter, each on its own.

    Args:
        name: of the filter. strength: 0 to 1.
    """

    chained = False

    def __init__(self, name: str, strength: float) -> None:
        self.name, self.strength = name, strength
        self.notes: list[str] = []

    def paint(
        self, keys: Sequence[int], read: Read, anchors: Sequence[int], done: int, memory: Path
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Paint; see `Painter.paint`."""
        from moviola.models.rerender.filters import paint

        for key in keys[done:]:
            yield key, paint(read(key), self.name, self.strength)


_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


def make_painter(config: RestyleConfig, device: str) -> Painter:
    """Return the painter that the settings name.

    Raises:
        WeightsError, ConfigError: as the painter does when it is loaded.
    """
    if config.painter != DIFFUSION:
        return FilterPainter(config.painter, config.strength)
    from moviola.pipelines.restyle.diffusion import KeyPainter

    return KeyPainter(config, device)


def numbered(folder: Path, said: str = "--keys") -> dict[int, Path]:
    """Return the pictures of a folder by frame number, which is the last number in a file's name.

    Args:
        folder: painted key frames, or pictures for a ControlNet. said: the option that named it, for the error line.

    Raises:
        InputError: no folder, no pictures, a picture without a number, or two with the same.
    """
    if not folder.is_dir():
        raise InputError(
            f"{said} {folder} is no folder; give one with pictures of key frames, 000010.png for frame 10"
        )
    found: dict[int, Path] = {}
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES):
        numbers = re.findall(r"\d+", path.stem)
        if not numbers:
            raise InputError(f"{path} has no frame number in its name; 000010.png is the key for frame 10")
        index = int(numbers[-1])
        if index in found:
            raise InputError(f"{path} and {found[index].name} are both for frame {index}")
        found[index] = path
    if not found:
        raise InputError(f"{said} {folder} holds no pictures; 000010.png is the key for frame 10")
    return dict(sorted(found.items()))


def check_own(found: dict[int, Path], keys: Sequence[int] | None, count: int, size: tuple[int, int]) -> None:
    """Refuse key frames of the user's that do not fit the video.

    Args:
        found: frame number to file. keys: the frames that are keys, None where the files decide that.
        count: frames of the video. size: height and width of a painted frame, px.

    Raises:
        InputError: a missing, an extra, a wrong-sized or a broken one; the line names it.
    """
    for index, path in found.items():
        if index >= count:
            raise InputError(
                f"{path} is for frame {index}, but the video has {count} frames, 0 to {count - 1}"
            )
        if keys is not None and index not in keys:
            raise InputError(f"{path} is for frame {index}, which is no key frame; keys: {_listed(keys)}")
        shape = load_picture(path).shape[:2]
        if shape != size:
            raise InputError(f"{path} is {shape[1]}x{shape[0]}; the video's frames are {size[1]}x{size[0]}")
    missing = [key for key in keys or () if key not in found]
    if missing:
        raise InputError(
            f"no painted picture for key frame {missing[0]} in {next(iter(found.values())).parent}"
        )


def anchors_of(keys: Sequence[int], cuts: Sequence[int], how: str) -> list[int]:
    """Return which keys are painted on their own: the first, and unless `how` is "first" the first of each shot."""
    starts = [] if how == "first" else cuts
    return [key for key in keys if key == keys[0] or key in starts]


def _listed(keys: Sequence[int]) -> str:
    shown = ", ".join(map(str, keys[:8]))
    return shown + (" ..." if len(keys) > 8 else "")
