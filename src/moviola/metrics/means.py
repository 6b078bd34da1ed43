"""Figures of single clips or of pairs, fed clip by clip: `update`, `compute`, `reset`, `merge`."""

from __future__ import annotations

import math
from typing import Any, Self

from moviola.core.errors import InputError
from moviola.core.video import Video
from moviola.metrics.base import Sample


class ClipMean:
    """The mean of an extractor's figure over clips.

    The figures of all clips are kept, a number each, and added exactly: whatever the order and however many objects
    shared the work before they were merged, the mean is the same.

    Args:
        extractor: an `Extractor`, whose `update` takes a video, or a `PairExtractor`, whose `update` takes the real and
            the generated one.
        output: which of its figures.
    """

    def __init__(self, extractor: Any, output: str) -> None:
        self.extractor, self.output = extractor, output
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.values: list[float] = []

    def update(self, *videos: Video) -> float:
        """Add a clip, or a pair of clips (real, generated); return its figure.

        Raises:
            InputError: what the extractor refuses: shapes that differ, too few frames, too small frames.
        """
        number = len(self.values) + 1
        names = ("real", "fake") if len(videos) == 2 else ("clip",)
        samples = [Sample(video, f"{name} {number}") for name, video in zip(names, videos, strict=True)]
        value = float(self.extractor(*samples)[self.output])
        self.values.append(value)
        return value

    def compute(self) -> float:
        """Return the mean over clips.

        Raises:
            InputError: there are none.
        """
        if not self.values:
            raise InputError(f"{self.output} has seen no clip")
        return math.fsum(self.values) / len(self.values)

    def merge(self, other: Self) -> None:
        """Add what `other` has seen."""
        self.values = [*self.values, *other.values]
