"""What every kind of metric can do; the kinds are in `moviola.metrics.kinds`."""

from __future__ import annotations

import copy
import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from moviola.core.errors import InputError
from moviola.metrics.base import Kind, MetricSpec
from moviola.metrics.catalog import find_metric
from moviola.metrics.results import Score
from moviola.metrics.scoring import Draws, Table

if TYPE_CHECKING:
    from moviola.metrics.options import MetricOptions
    from moviola.metrics.protocol import Protocol

_OTHER_KIND: dict[Kind, str] = {
    "set": "compares sets of clips and is no mean over clips; use SetMetric or moviola.evaluate",
    "paired": "compares each clip with its real one; use PairMetric",
    "video": "is a figure of single clips; use ClipMetric",
}
"""What to say of a metric where one of another kind is wanted."""


class Metric(ABC):
    """A metric ready to run.

    Args:
        metric: its key in `moviola.metrics.catalog`, or what a catalog would say of it.
        options: choices of networks and methods; None for the defaults.
        device: "auto", "cpu", "cuda" ...
        extractor: the map step, to measure with features of your own; None: the catalog's.
        output: which of the extractor's arrays is read, where an extractor is given.
        protocol: how clips are cut, for extractors and measures that depend on it; None: the default.

    Raises:
        UnknownNameError: no such metric. InputError: a metric of another kind. WeightsError: its network's weights
            are not here; one line says how to get them.
    """

    sets: ClassVar[tuple[str, ...]] = ("fake", "real")
    """What its extractor looks at: clips of "fake" and of "real" each alone, or a "pair" of both."""
    least_clips: ClassVar[int] = 1
    clip_figure: ClassVar[str] = ""
    """What stands in `Score.per_clip`, in words; "" for the figure itself."""
    kinds: ClassVar[tuple[Kind, ...]]
    """Of `MetricSpec.kind`, those it takes."""

    def __init__(
        self,
        metric: str | MetricSpec,
        options: MetricOptions | None = None,
        device: str = "auto",
        *,
        extractor: Any = None,
        output: str = "",
        protocol: Protocol | None = None,
    ) -> None:
        self.spec = find_metric(metric)
        if self.spec.kind not in self.kinds:
            raise InputError(f"{self.spec.key} {_OTHER_KIND[self.spec.kind]}")
        if extractor is None:
            extractor, output = self._load(options, device, protocol)
        self.extractor, self.output = extractor, output
        self.reset()

    @property
    def key(self) -> str:
        """Its name."""
        return self.spec.key

    def sharing(self, extractor: Any) -> Self:
        """Return the metric with this extractor, which is equal to its own."""
        if extractor is self.extractor:
            return self
        metric = copy.copy(self)
        metric.extractor = extractor
        return metric

    def _load(self, options: MetricOptions | None, device: str, protocol: Protocol | None) -> tuple[Any, str]:
        """Return the catalog's extractor and the output to read."""
        extractor, output = load(self.spec, options, device, protocol)
        return extractor, output

    @abstractmethod
    def reset(self) -> None:
        """Forget everything."""

    @abstractmethod
    def compute(self) -> float:
        """Return the figure of what `update` was given."""

    @abstractmethod
    def values(self, output: np.ndarray) -> np.ndarray:
        """Return an output of the extractor over a set, (N, ...), as the values of a `Table`."""

    @abstractmethod
    def score(self, real: Table | None, fake: Table, draws: Draws) -> Score:
        """Return the score of FAKE; `real` is None where the extractor did not look at REAL."""

    @abstractmethod
    def figure(self, real: np.ndarray | None, fake: np.ndarray) -> float | None:
        """Return the bare figure of some clips, given their values; None where they are too few for one."""

    @abstractmethod
    def undamaged(self, values: np.ndarray, draws: Draws) -> float:
        """Return what good clips score against as many; NaN where that is not known."""

    @classmethod
    def clip_better(cls, better: str) -> str:
        """Return which way the figures of single clips are better, given which way the score is."""
        return better

    def class_warnings(self, classes: Mapping[str, tuple[int, int]]) -> list[str]:
        """Return what to know of figures by class; `classes`: label to number of real and generated clips."""
        return []

    def _score(
        self, fake: Table, n_real: int, draws: Draws, value: float, low: float | None, high: float | None,
        **more: Any,
    ) -> Score:  # fmt: skip
        identity = self.extractor.identity()
        network = {"network": identity.get("network", ""), "network_sha256": identity.get("sha256", "")}
        return Score(
            self.key, value, low, high, n_real, len(fake), self.spec.better, unit=self.spec.unit,
            level=draws.level, **network, **more,
        )  # fmt: skip


def load(
    spec: MetricSpec,
    options: MetricOptions | None = None,
    device: str = "auto",
    protocol: Protocol | None = None,
) -> tuple[Any, ...]:
    """Return what the factory of a metric makes: extractor, output, and for a set metric the measure."""
    from moviola.core.devices import pick_device
    from moviola.metrics.options import MetricOptions
    from moviola.metrics.protocol import Protocol

    module, _, function = spec.factory.partition(":")
    factory = getattr(importlib.import_module(module), function)
    return factory(protocol or Protocol(), str(pick_device(device)), options or MetricOptions())
