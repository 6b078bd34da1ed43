"""The three kinds of metric: of sets of clips, of single clips, and of clips beside their real ones.

A metric is ready to run: it has its extractor (the map step) and makes the figure of what that gives (the reduce step).
It serves twice. Fed by hand, it is `update / compute / reset / merge`::

    metric = ClipMetric("clip-score", MetricOptions(clip="..."))
    metric.update(video, caption="a dog runs")
    print(metric.compute())

Handed to `moviola.evaluate`, it says which sets its extractor looks at, and makes of the features a `Score` with
interval, floor and warnings. The same reduce stands behind both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from moviola.core.errors import InputError
from moviola.metrics.base import Kind, MetricSpec, Sample
from moviola.metrics.catalog import METRICS, find_metric
from moviola.metrics.distances import SetDistance
from moviola.metrics.functional.bootstrap import interval
from moviola.metrics.functional.floor import real_floor
from moviola.metrics.functional.infinity import extrapolate
from moviola.metrics.functional.nearest import nearest_distance
from moviola.metrics.measures import FrechetMeasure, SetMeasure
from moviola.metrics.metric import Metric, load
from moviola.metrics.results import Score
from moviola.metrics.scoring import DRAWS_OF_SETS, Draws, Table, mean_interval, mean_of

if TYPE_CHECKING:
    from moviola.core.video import Video
    from moviola.metrics.options import MetricOptions
    from moviola.metrics.protocol import Protocol

FEWEST = 10
"""Clips below which a bootstrap interval of a distance is too narrow to be believed."""
FEW_IN_CLASS = 50
STILL = 0.25
"""Part of REAL's motion below which FAKE is called still."""
_NAMED = 3


class SetMetric(SetDistance, Metric):
    """A distribution against a distribution: `update(videos, real=True or False)`.

    Args:
        metric, options, device, extractor, output, protocol: as `Metric`.
        measure: of two sets of features, where an extractor is given; None: the Fréchet distance.
    """

    least_clips = 2
    clip_figure = "distance from the nearest real clip"
    kinds = ("set",)

    def __init__(
        self,
        metric: str | MetricSpec,
        options: MetricOptions | None = None,
        device: str = "auto",
        *,
        extractor: Any = None,
        output: str = "",
        measure: SetMeasure | None = None,
        protocol: Protocol | None = None,
    ) -> None:
        self.measure = measure or FrechetMeasure()
        Metric.__init__(self, metric, options, device, extractor=extractor, output=output, protocol=protocol)

    def _load(self, options: MetricOptions | None, device: str, protocol: Protocol | None) -> tuple[Any, str]:
        extractor, output, self.measure = load(self.spec, options, device, protocol)
        return extractor, output

    def update(self, features: Sequence[Video] | np.ndarray, *, real: bool) -> None:
        """Add videos.

        Args:
            features: clips cut as the protocol has it (FVD: 16 frames), or features that the same extractor made,
                (clips, d) or (clips, rows, d).
            real: whether they are of the real set.

        Raises:
            InputError: a clip the extractor refuses (too few frames), or features as in `SetDistance.update`.
        """
        if len(features):
            super().update(self._features(features), real=real)

    def _features(self, videos: Sequence[Video] | np.ndarray) -> np.ndarray:
        if isinstance(videos, np.ndarray):
            return videos
        samples = [Sample(video, f"video {index}") for index, video in enumerate(videos)]
        return np.stack([np.asarray(self.extractor(sample)[self.output]) for sample in samples])

    def values(self, output: np.ndarray) -> np.ndarray:
        """Return (N, rows, d)."""
        return output[:, None, :] if output.ndim == 2 else output

    def figure(self, real: np.ndarray | None, fake: np.ndarray) -> float | None:
        """Return the figure, None for fewer than 2 clips on a side."""
        if real is None or min(len(real), len(fake)) < self.least_clips:
            return None
        return float(self.measure.score(real, fake))

    def floor(self, real: np.ndarray, n_real: int, n_fake: int, draws: Draws) -> tuple[float | None, str]:
        """Return what real clips score against real ones at these N, and how it was found."""
        return real_floor(self.measure, real, n_real, n_fake, draws.generator("floor", self.key))

    def undamaged(self, values: np.ndarray, draws: Draws) -> float:
        """Return the real-against-real floor."""
        floor, _ = self.floor(values, len(values), len(values), draws)
        return math.nan if floor is None else floor

    def score(self, real: Table | None, fake: Table, draws: Draws) -> Score:
        """Return the score with interval, floor and extrapolation."""
        if real is None:
            raise InputError(f"{self.key} compares with REAL")
        measure, count = self.measure, draws.draws or DRAWS_OF_SETS
        value = float(measure.score(real.values, fake.values))
        drawn = measure.resample(real.values, fake.values, count, draws.generator("bootstrap", self.key))
        low, high = interval(value, drawn, draws.level, measure.lowest)
        floor, floor_how = self.floor(real.values, len(real), len(fake), draws)
        line = extrapolate(measure, real.values, fake.values, draws.generator("infinity", self.key))
        per_clip: dict[str, float] = {}
        if not measure.fake_only:
            distances = nearest_distance(real.values, fake.values)
            per_clip = {name: float(d) for name, d in zip(fake.names, distances, strict=True)}
        return self._score(
            fake, len(real), draws, value, low, high,
            floor=floor, floor_how=floor_how, infinity=None if line is None else line.value, per_clip=per_clip,
            warnings=self._warnings(min(len(real), len(fake)), fake.values.shape[1:], value, low, floor),
        )  # fmt: skip

    def _warnings(
        self, n: int, shape: tuple[int, ...], value: float, low: float, floor: float | None
    ) -> tuple[str, ...]:
        """What there is to say with `n` clips on the smaller side, whose features are of `shape` (rows, d)."""
        warnings = []
        rows, d = shape
        published = self.spec.published_clips
        if published is not None and n < published:
            warnings.append(
                f"only {n} clips on one side: figures made of {published}, as published ones are, cannot be compared "
                "with this one"
            )
        if n < FEWEST:
            warnings.append(f"{n} clips are too few for the interval: it is narrower than it says")
        is_biased = not (self.measure.unbiased or self.measure.fake_only)
        if is_biased and n * rows <= d:
            what = "clips" if rows == 1 else "rows"
            warnings.append(f"no more {what} ({n * rows}) than features ({d}): most of the figure is bias")
        if self.spec.better == "lower" and floor is not None:
            if value <= floor:
                warnings.append("not above the real-against-real floor: with this N it sees no difference")
            elif low <= floor:
                warnings.append(
                    "the interval reaches the real-against-real floor: the difference may be chance"
                )
        if floor is None:
            warnings.append("too few real clips for a real-against-real floor")
        return tuple(warnings)

    @classmethod
    def clip_better(cls, better: str) -> str:
        """Return "lower": a clip's figure is its distance from the nearest real clip."""
        return "lower"

    def class_warnings(self, classes: Mapping[str, tuple[int, int]]) -> list[str]:
        """Return a warning about classes of few clips."""
        small = [label for label, counts in classes.items() if min(counts) < FEW_IN_CLASS]
        if not small:
            return []
        more = f" and {len(small) - _NAMED} more" if len(small) > _NAMED else ""
        return [
            f"{len(small)} of {len(classes)} classes have fewer than {FEW_IN_CLASS} clips on one side "
            f"({', '.join(small[:_NAMED])}{more}): set metrics by class are mostly bias there"
        ]


class ClipMetric(Metric):
    """The mean of a figure of single clips: `update(video)`, with `caption=` where it compares with one.

    The figures of all clips are kept, a number each, and added exactly: whatever the order and however many objects
    shared the work before they were merged, the mean is the same. By key it takes metrics of pairs, too:
    `ClipMetric("psnr")` is fed with `update(real, fake)`.

    Args:
        metric, options, device, extractor, output, protocol: as `Metric`.
    """

    kinds = ("video", "paired")
    endless: ClassVar[str] = "give infinity"

    def reset(self) -> None:
        """Forget everything."""
        self.figures: list[float] = []

    def update(self, *videos: Video, caption: str | None = None) -> float:
        """Add a clip, or a pair of clips (real, generated); return its figure.

        Args:
            videos: the clip or the pair.
            caption: of the clip, for figures that compare with it.

        Raises:
            InputError: what the extractor refuses: shapes that differ, too few frames, too small frames.
        """
        number = len(self.figures) + 1
        names = ("real", "fake") if len(videos) == 2 else ("clip",)
        samples = [
            Sample(video, f"{name} {number}", caption=caption)
            for name, video in zip(names, videos, strict=True)
        ]
        self.figures.append(float(self.extractor(*samples)[self.output]))
        return self.figures[-1]

    def compute(self) -> float:
        """Return the mean over clips.

        Raises:
            InputError: there are none.
        """
        if not self.figures:
            raise InputError(f"{self.output} has seen no clip")
        return math.fsum(self.figures) / len(self.figures)

    def merge(self, other: Self) -> None:
        """Add what `other` has seen."""
        self.figures = [*self.figures, *other.figures]

    def values(self, output: np.ndarray) -> np.ndarray:
        """Return (N,), float64: the mean of what there is of a clip."""
        return np.asarray(output, np.float64).reshape(len(output), -1).mean(axis=1)

    def figure(self, real: np.ndarray | None, fake: np.ndarray) -> float | None:
        """Return the mean over FAKE, None where no clip has a figure."""
        value = mean_of(fake)
        return None if math.isnan(value) else value

    def undamaged(self, values: np.ndarray, draws: Draws) -> float:
        """Return the mean over good clips."""
        return mean_of(values)

    def score(self, real: Table | None, fake: Table, draws: Draws) -> Score:
        """Return the mean over FAKE, and beside it that over REAL."""
        value, low, high = mean_interval(fake.values, draws, self.key)
        reference = None if real is None else mean_of(real.values)
        per_clip = {name: float(v) for name, v in zip(fake.names, fake.values, strict=True)}
        return self._score(
            fake, self._count_real(real, fake), draws, value, low, high, reference=reference, per_clip=per_clip,
            warnings=self._warnings(fake.values, value, reference),
        )  # fmt: skip

    def _count_real(self, real: Table | None, fake: Table) -> int:
        return 0 if real is None else len(real)

    def _warnings(self, values: np.ndarray, value: float, reference: float | None) -> tuple[str, ...]:
        """What there is to say of the figures of FAKE, NaN where there is none, their mean and that of REAL."""
        warnings = []
        lost, endless = int(np.isnan(values).sum()), int(np.isinf(values).sum())
        if lost:
            warnings.append(f"{lost} of {len(values)} clips give no figure and are left out")
        if endless:
            warnings.append(f"{endless} of {len(values)} clips {self.endless}")
        if self.spec.moves and reference and math.isfinite(value) and value < STILL * reference:
            warnings.append(
                f"FAKE moves {100 * value / reference:.0f} % as much as REAL: still video looks steady to every "
                "metric that compares neighbouring frames"
            )
        if len(values) < 2:
            warnings.append("a single clip has no interval")
        return tuple(warnings)


class PairMetric(ClipMetric):
    """The mean of a figure of clips beside their real ones: `update(real, fake)`.

    Args:
        metric, options, device, extractor, output, protocol: as `Metric`; the extractor is a `PairExtractor`.
    """

    sets = ("pair",)
    kinds = ("paired",)
    endless = "are equal to their real clip, so it is infinite"

    def _count_real(self, real: Table | None, fake: Table) -> int:
        return len(fake)


KINDS: dict[Kind, type[Metric]] = {"set": SetMetric, "paired": PairMetric, "video": ClipMetric}
"""`MetricSpec.kind` to the type that runs it."""


def kind_of(metric: MetricSpec) -> type[Metric]:
    """Return the type that runs a metric."""
    return KINDS[metric.kind]


def spec_of(metric: str | Metric) -> MetricSpec:
    """Return what the catalog says of a metric; raises UnknownNameError for a key that it does not hold."""
    return metric.spec if isinstance(metric, Metric) else find_metric(metric)


def build(
    metrics: Iterable[str | Metric], protocol: Protocol, device: str, options: MetricOptions
) -> list[Metric]:
    """Make metrics ready to run; those that share an extractor share the one object.

    Args:
        metrics: keys, or metrics made by hand; repeated ones are taken once.
        protocol, device, options: handed to the factories.

    Returns:
        The metrics in the order asked for.

    Raises:
        InputError: none is asked for. UnknownNameError: no such key. WeightsError: weights are missing, one line
            that says how to get them.
    """
    built: dict[str, Metric] = {}
    shared: dict[tuple[str, str], Any] = {}
    for metric in metrics:
        spec = spec_of(metric)
        if spec.key in built and not isinstance(metric, Metric):
            continue
        ready = (
            metric if isinstance(metric, Metric) else kind_of(spec)(spec, options, device, protocol=protocol)
        )
        extractor = ready.extractor
        identity = extractor.name, repr(sorted(extractor.identity().items()))
        built[spec.key] = ready.sharing(shared.setdefault(identity, extractor))
    if not built:
        raise InputError(f"no metric asked for; known: {', '.join(METRICS)}")
    return list(built.values())
