"""The frames of the input, as the stages ask for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moviola.data import codec


@dataclass(frozen=True)
class Footage:
    """A video that is cropped as it is read.

    Attributes:
        source: a video file or a folder of frames.
        rows, columns: what is left of each frame.
    """

    source: Path
    rows: slice
    columns: slice

    def at(self, index: int) -> np.ndarray:
        """Return one frame, uint8 (H, W, 3)."""
        return next(self.span(index, index + 1))

    def span(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Give the frames `start` to `stop` - 1 one after the other, uint8 (H, W, 3)."""
        for piece in codec.stream(self.source, 1, start, stop):
            yield np.ascontiguousarray(piece.frames[0, self.rows, self.columns])
