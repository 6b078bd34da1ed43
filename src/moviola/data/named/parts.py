"""Clips that are less than a file: a range of the frames of another clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from moviola.core.errors import VideoReadError
from moviola.data.layouts import ClipInfo, StoredClip

if TYPE_CHECKING:
    from moviola.core.video import Video


@dataclass(frozen=True)
class RangeClip(StoredClip):
    """The frames `start` to `stop` of another clip.

    Args:
        whole: the other clip.
        start: its first frame, from 0.
        stop: the frame after its last; a clip that ends earlier ends the range.
    """

    whole: StoredClip
    start: int
    stop: int

    def info(self) -> ClipInfo:
        """See `StoredClip`; `VideoReadError` where the other clip ends before the range begins."""
        return self._info

    def read(self, indices: Sequence[int] | None = None) -> Video:
        """See `StoredClip`."""
        numbers = self._checked(indices, self.info().frames)
        return self.whole.read([self.start + i for i in numbers])

    def files(self) -> Sequence[str]:
        """See `StoredClip`."""
        return self.whole.files()

    @property
    def extent(self) -> str:
        """See `StoredClip`."""
        return f"{self.start}-{self.stop}"

    @property
    def where(self) -> str:
        """See `StoredClip`."""
        return f"{self.whole.where} frames {self.start + 1} to {self.stop}"

    @cached_property
    def _info(self) -> ClipInfo:
        whole = self.whole.info()
        stop = min(self.stop, whole.frames)
        if stop <= self.start:
            raise VideoReadError(f"{self.where}: the video has only {whole.frames} frames")
        clock = whole.clock.part(range(self.start, stop))
        return replace(whole, frames=stop - self.start, fps=clock.fps, times=clock.times)
