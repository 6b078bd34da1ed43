"""Figures of single clips or of pairs, fed clip by clip: `update`, `compute`, `reset`, `merge`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

from moviola.core.errors import InputError
from moviola.core.video import Video
from moviola.metrics.base import Sample

if TYPE_CHECKING:
    from moviola.metrics.options import MetricOptions


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

    def update(self, *videos: Video, caption: str | None = None) -> float:
        """Add a clip, or a pair of clips (real, generated); return its figure.

        Args:
            videos: the clip or the pair.
            caption: of the clip, for figures that compare with it.

        Raises:
            InputError: what the extractor refuses: shapes that differ, too few frames, too small frames.
        """
        number = len(self.values) + 1
        names = ("real", "fake") if len(videos) == 2 else ("clip",)
        samples = [
            Sample(video, f"{name} {number}", caption=caption)
            for name, video in zip(names, videos, strict=True)
        ]
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


class ClipMetric(ClipMean):
    """Any metric of single clips or of pairs, by its key: `ClipMetric("clip-score", MetricOptions(clip="..."))`.

    Args:
        key: of `moviola.metrics.catalog`, of kind "paired" (`update(real, fake)`) or "video" (`update(video)`, with
            `caption=` where the metric compares with one).
        options: choices of networks and methods; None for the defaults.
        device: "auto", "cpu", "cuda" ...

    Raises:
        UnknownNameError: no such metric. InputError: a set metric, which is no mean over clips. WeightsError: its
            network's weights are not here; one line says how to get them.
    """

    def __init__(self, key: str, options: MetricOptions | None = None, device: str = "auto") -> None:
        from moviola.core.devices import pick_device
        from moviola.metrics.catalog import build, find_metric
        from moviola.metrics.options import MetricOptions
        from moviola.metrics.protocol import Protocol

        if find_metric(key).kind == "set":
            raise InputError(
                f"{key} compares sets of clips and is no mean over clips; "
                "use FrechetVideoDistance, KernelVideoDistance or moviola.evaluate"
            )
        (metric,) = build([key], Protocol(), str(pick_device(device)), options or MetricOptions())
        super().__init__(metric.extractors[0], str(metric.measure))
