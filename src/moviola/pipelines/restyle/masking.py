"""The mask of a restyling: read, and where only a few frames have one, carried to all others first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from moviola.core.contents import contents
from moviola.core.errors import InputError
from moviola.core.luma import luma_levels
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.masks import Masks, Piece, check_size, open_masks
from moviola.pipelines.restyle.by_shot import parts_by_shot, without_key
from moviola.pipelines.restyle.carrying import Part
from moviola.pipelines.restyle.footage import Footage
from moviola.pipelines.restyle.pictures import numbered
from moviola.pipelines.restyle.settings import RestyleConfig
from moviola.pipelines.restyle.work import Work, load_picture, stamp
from moviola.propagation.carry_mask import carry_mask
from moviola.propagation.composite import composite, feathered
from moviola.propagation.flow import estimator

if TYPE_CHECKING:
    from moviola.data.codec.info import Info


Mask = Callable[[int], np.ndarray]
"""A frame's number in, what of it is repainted out, float32 (H, W), 0 to 1."""


@dataclass(frozen=True)
class Masking:
    """The masks of a video, and how paint is put in through them.

    Attributes:
        masks: of every frame, cropped. feather, reach: see `moviola.pipelines.restyle.settings.MaskConfig`.
    """

    masks: Masks
    feather: float
    reach: float | None

    def at(self, index: int) -> np.ndarray:
        """Return how much of each pixel of a frame is repainted, float32 (H, W), 0 to 1."""
        return feathered(self.masks.at(index), self.feather)

    def shares(self) -> Iterator[np.ndarray]:
        """Give that for all frames in order."""
        return (feathered(mask, self.feather) for mask in self.masks.frames())

    def put(self, frames: np.ndarray, paint: np.ndarray, shares: Iterator[np.ndarray]) -> np.ndarray:
        """Return frames with paint where their shares say so, all uint8 (n, H, W, 3); takes n of the shares."""
        return np.stack(
            [composite(f, p, next(shares), self.reach) for f, p in zip(frames, paint, strict=True)]
        )


def is_sparse(path: Path, count: int) -> bool:
    """Return whether a folder holds masks of fewer frames than a video of `count` has."""
    return path.is_dir() and codec.probe(path).frames < count


class Carrying:
    """Masks of a few frames, carried to all others by flow; each part is kept in the work folder.

    Args:
        source: the video. info: its numbers. config: settings; `config.mask.file` is a folder of masks by frame number.
        work: its folder. device: where the flow "raft" runs.

    Raises:
        InputError: a picture without a number, for a frame that is not there, or of another size.
    """

    def __init__(self, source: Path, info: Info, config: RestyleConfig, work: Work, device: str) -> None:
        assert config.mask.file is not None
        self.config, self.work, self.device = config, work, device
        self.folder, self.count = config.mask.file, info.frames
        self.footage = Footage(source, slice(None), slice(None))
        self.given = numbered(self.folder, "--mask")
        for index, path in self.given.items():
            if index >= info.frames:
                raise InputError(
                    f"{path} is the mask of frame {index}, but {source.name} has {info.frames} frames, 0 to "
                    f"{info.frames - 1}"
                )
            check_size(path, load_picture(path).shape[:2], (info.height, info.width), source.name)

    @property
    def note(self) -> str:
        """What is to be known of them."""
        return f"{len(self.given)} of {self.count} frames have a mask in {self.folder}; they were carried to the others"

    def parts(self, cuts: Sequence[int]) -> list[Part]:
        """Return the parts of the video between masks.

        Raises:
            InputError: a shot has no mask.
        """
        keys = list(self.given)
        bare = without_key(keys, self.count, cuts)
        if bare:
            first, stop = bare[0]
            raise InputError(
                f"{self.folder} holds no mask for the shot of frames {first} to {stop - 1}; give one for one of them, "
                "all black where nothing is repainted"
            )
        return parts_by_shot(keys, self.count, cuts)

    def carried(self, parts: Sequence[Part]) -> Masks:
        """Return the masks of parts of the video, carried where they are not there yet."""
        flow = estimator(self.config.flow, self.config.raft, self.device)
        pieces = []
        for part in parts:
            output, mark = self.work.masks(part.start), self._mark(part)
            if not (self.work.done("mask", mark, part.start) and output.exists()):
                self._carry(part, output, flow)
                self.work.finish("mask", mark, part.start)
            pieces.append(Piece(part.start, part.stop, output))
        return Masks(tuple(pieces), self.config.mask.invert)

    def _mark(self, part: Part) -> str:
        raft = self.config.raft if self.config.flow == "raft" else None
        return stamp(
            self.config.flow,
            None if raft is None else contents(raft),
            [part.start, part.stop, part.first, part.last],
            [contents(self.given[key]) for key in (part.first, part.last) if key is not None],
        )

    def _carry(self, part: Part, output: Path, flow: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
        ends = [
            None if key is None else luma_levels(load_picture(self.given[key]))
            for key in (part.first, part.last)
        ]
        frames = self.footage.frames(part.read)
        with codec.Writer(output, codec.DEFAULT_FPS, lossless=True) as writer:
            masks = carry_mask(frames, ends[0], ends[1], flow, folder=output.parent)
            for _, mask in zip(range(part.stop - part.start), masks, strict=False):
                writer.write(Video(np.repeat(mask[None, ..., None], 3, -1), codec.DEFAULT_FPS))


def prepare(
    source: Path,
    info: Info,
    config: RestyleConfig,
    work: Work,
    device: str,
    find_cuts: Callable[[], list[int]],
    first_only: bool = False,
) -> tuple[Masking | None, list[str]]:
    """Return the mask of a restyling, None where whole frames are repainted, and notes on it.

    Args:
        source: the video. info: its numbers. config: settings. work: its folder. device: where the flow "raft" runs.
        find_cuts: looks for the first frames of new shots; called where masks are to be carried.
        first_only: that of the first frame will do.

    Raises:
        InputError: masks that do not fit the video. VideoReadError, FormatError: as the codec.
    """
    mask = config.mask
    if mask.file is None:
        return None, []
    notes: list[str] = []
    if is_sparse(mask.file, info.frames):
        carrying = Carrying(source, info, config, work, device)
        parts = carrying.parts(find_cuts())
        masks = carrying.carried(parts[:1] if first_only else parts)
        notes.append(carrying.note)
    else:
        masks = open_masks(mask.file, info.frames, (info.height, info.width), source.name, invert=mask.invert)
    masks = masks.cropped(*config.cropped(info.height, info.width))
    return Masking(masks, mask.feather, mask.reach), notes
