"""From two sets of videos to a report: plan, map, reduce."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moviola.core.devices import pick_device
from moviola.core.errors import ConfigError, InputError
from moviola.core.paths import cache_dir
from moviola.core.progress import Tick
from moviola.metrics.base import MetricSpec
from moviola.metrics.catalog import renamed
from moviola.metrics.kinds import Metric, build, kind_of, spec_of
from moviola.metrics.options import MetricOptions
from moviola.metrics.protocol import Protocol, find_protocol
from moviola.metrics.results import Report, Score
from moviola.metrics.scoring import Draws, Table
from moviola.pipelines.evaluate import sanity, warnings
from moviola.pipelines.evaluate.assemble import Features
from moviola.pipelines.evaluate.features import (
    Column,
    FrameDigest,
    Mapper,
    extract,
    pair_column,
    serial,
    set_column,
)
from moviola.pipelines.evaluate.inputs import Given, check_apart, open_set
from moviola.pipelines.evaluate.pairs import check_pairing, pair_clips
from moviola.pipelines.evaluate.samples import Plan, make_plan
from moviola.pipelines.evaluate.store import write_errors

DEFAULT_METRICS = ("fvd", "kvd", "motion")


def evaluate(
    real: Given,
    fake: Given,
    metrics: Sequence[str | Metric] | str = DEFAULT_METRICS,
    protocol: str | Protocol = "quick",
    *,
    options: MetricOptions | None = None,
    device: str = "auto",
    seed: int | None = None,
    cache: bool = True,
    skip_bad: bool = False,
    sanity: bool = False,
    level: float = 0.95,
    draws: int | None = None,
    pair: str = "auto",
    mapper: Mapper = serial,
    tick: Tick | None = None,
    expect: Callable[[int], object] | None = None,
) -> Report:
    """Judge generated video against real video.

    Args:
        real: the real clips: a path (folder, zip, list file, video), a `Source`, a `Video`, or a list of videos and
            paths. fake: the generated ones, the same.
        metrics: keys of `moviola.metrics.catalog`, or `Metric`s of your own.
        protocol: how clips are cut: a preset's name or a `Protocol`.
        options: choices of networks and methods.
        device: "auto", "cpu", "cuda" ...
        seed: of every random draw; None: the protocol's.
        cache: keep the features for the next time.
        skip_bad: leave out clips that cannot be read, are too short or of another size, and name them.
        sanity: also score REAL against damaged copies of itself.
        level: of the confidence intervals, above 0 and below 1.
        draws: bootstrap resamplings, 2 and up; None: 200 for set metrics, 1000 for means.
        pair: how paired metrics find partners: "auto", "name" or "order".
        mapper: where clips are worked on; `moviola.scale.evaluate` brings one for Ray.
        tick: called after each block with the number of clips decoded. expect: called once with their total.

    Returns:
        The scores with their intervals and floors, the protocol, and what to know before believing them.

    Raises:
        InputError: one of its kinds, one line: what is wrong, where, what would be right.
    """
    started = time.perf_counter()
    asked = (
        [m.strip() for m in metrics.split(",") if m.strip()] if isinstance(metrics, str) else list(metrics)
    )
    if not 0 < level < 1 or (draws is not None and draws < 2):
        raise ConfigError(f"a level lies between 0 and 1 and draws are at least 2, not {level} and {draws}")
    chosen = find_protocol(protocol)
    if seed is not None:
        chosen = chosen.model_copy(update={"seed": seed})
    run = _prepare(
        real, fake, asked, chosen, options or MetricOptions(), str(pick_device(device)), skip_bad, pair
    )
    how = Draws(level, draws, chosen.seed)
    with _root(cache) as root:
        found = run.measure(root, how, sanity, skip_bad, mapper, tick, expect)
    return Report(**found, seconds=time.perf_counter() - started)


@dataclass(frozen=True, eq=False)
class _Run:
    """An evaluation that is planned.

    Attributes:
        protocol: how clips are cut.
        metrics: ready to run.
        plans: "real" and "fake" to their clips.
        pairs: (real row, fake row), empty where no paired metric is asked for.
        files: (set, name, reason) of files that are no videos.
        warnings: found while planning.
        blind: keys of metrics that cannot look at REAL, as it lacks captions that they need.
    """

    protocol: Protocol
    metrics: list[Metric]
    plans: dict[str, Plan]
    pairs: list[tuple[int, int]]
    files: list[tuple[str, str, str]]
    warnings: list[str]
    blind: frozenset[str]

    def measure(
        self,
        root: Path,
        how: Draws,
        sane: bool,
        skip_bad: bool,
        mapper: Mapper,
        tick: Tick | None,
        expect: Callable[[int], object] | None,
    ) -> dict[str, Any]:
        """Make the features and the scores; return the fields of a `Report`."""
        real = self.plans["real"]
        digests = {which: set_column(plan, FrameDigest()) for which, plan in self.plans.items()}
        columns = {(m.key, which): self._column(m, which) for m in self.metrics for which in self._sets(m)}
        real = self.plans["real"]
        rows = sanity.choose(real, how.seed) if sane else ()
        views = (
            sanity.views([m for m in self.metrics if self._on_real(m)], real, rows, how.seed) if sane else []
        )
        requested = [*digests.values(), *columns.values(), *(view.column for view in views)]
        unique = {column.identity: column for column in requested}
        made = extract(
            self.plans, self.pairs, list(unique.values()), root,
            skip_bad=skip_bad, mapper=mapper, tick=tick, expect=expect,
        )  # fmt: skip
        features = dict(zip(unique, made, strict=True))
        tables = {
            (metric.key, which): self._table(metric, which, features[columns[metric.key, which].identity])
            for metric in self.metrics
            for which in self._sets(metric)
        }
        frames = [features[digest.identity] for digest in digests.values()]
        scores, classes = self._scores(tables, how)
        damaged = [(view, features[view.column.identity]) for view in views]
        good = {key: table for (key, which), table in tables.items() if which == "real"}
        return {
            "scores": scores,
            "protocol": self._record(frames),
            "warnings": tuple(self._warnings(frames, classes)),
            "classes": classes,
            "sanity": sanity.table(self.metrics, damaged, good, real, rows, how) if sane else {},
            "skipped": tuple(self._skipped(frames)),
        }

    def _sets(self, metric: Metric) -> list[str]:
        """What the extractor of a metric looks at: "real", "fake", "pair"."""
        return [which for which in metric.sets if which != "real" or metric.key not in self.blind]

    def _on_real(self, metric: Metric) -> bool:
        return metric.key not in self.blind

    def _column(self, metric: Metric, which: str) -> Column:
        if which == "pair":
            return pair_column(self.plans, self.pairs, metric.extractor)
        return set_column(self.plans[which], metric.extractor)

    def _table(self, metric: Metric, which: str, features: Features) -> Table:
        """Return the output that a metric reads."""
        plan = self.plans["fake" if which == "pair" else which]
        order = [fake for _, fake in self.pairs] if which == "pair" else range(len(plan.cuts))
        cuts = [plan.cuts[order[row]] for row in features.rows]
        names, labels = tuple(cut.name for cut in cuts), tuple(cut.entry.label for cut in cuts)
        if metric.output not in features.outputs:
            raise InputError(f"{metric.key}: {metric.extractor.name} gives no output {metric.output!r}")
        return Table(metric.values(features.outputs[metric.output]), names, labels)

    def _scores(
        self, tables: Mapping[tuple[str, str], Table], how: Draws
    ) -> tuple[dict[str, Score], dict[str, dict[str, float]]]:
        """Return the scores, and label to metric key to figure."""
        scores: dict[str, Score] = {}
        classes: dict[str, dict[str, float]] = {label: {} for label in self._class_sizes()}
        for metric in self.metrics:
            real, fake = tables.get((metric.key, "real")), tables[metric.key, metric.sets[0]]
            scores[metric.key] = metric.score(real, fake, how)
            for label in classes:
                of_real = None if real is None else real.of_class(label)
                figure = metric.figure(of_real, fake.of_class(label))
                if figure is not None:
                    classes[label][metric.key] = figure
        return scores, {label: row for label, row in classes.items() if row}

    def _record(self, digests: Sequence[Features]) -> dict[str, Any]:
        networks = {metric.extractor.name: metric.extractor.identity() for metric in self.metrics}
        sets = []
        for plan, features in zip(self.plans.values(), digests, strict=True):
            sets.append({**plan.record(), "clips": len(features.rows)})
        return self.protocol.record(sets[0], sets[1], networks)

    def _class_sizes(self) -> dict[str, tuple[int, int]]:
        """Label to number of real and of generated clips."""
        labels = {which: [cut.entry.label for cut in plan.cuts] for which, plan in self.plans.items()}
        return warnings.count_classes(labels["real"], labels["fake"])

    def _warnings(self, digests: Sequence[Features], classes: Mapping[str, Any]) -> list[str]:
        names = {which: [cut.name for cut in plan.cuts] for which, plan in self.plans.items()}
        texts = [*self.warnings, *warnings.of_plans(self.plans["real"], self.plans["fake"])]
        texts += warnings.of_repeats(digests[0], digests[1], names)
        for plan, features in zip(self.plans.values(), digests, strict=True):
            texts += warnings.of_skipped(plan, features.failed)
            texts += warnings.of_concealed(plan, features)
        sizes = {label: size for label, size in self._class_sizes().items() if label in classes}
        return texts + list(dict.fromkeys(t for metric in self.metrics for t in metric.class_warnings(sizes)))

    def _skipped(self, digests: Sequence[Features]) -> Iterator[tuple[str, str, str]]:
        yield from self.files
        for plan, features in zip(self.plans.values(), digests, strict=True):
            for name, reason in (*plan.skipped, *features.failed):
                yield plan.which, name, reason


def _prepare(
    real: Given,
    fake: Given,
    asked: Sequence[str | Metric],
    protocol: Protocol,
    options: MetricOptions,
    device: str,
    skip_bad: bool,
    pair: str,
) -> _Run:
    """Plan everything; whatever is wrong with the input is found here, before anything slow begins."""
    check_pairing(pair)
    specs = [spec_of(metric) for metric in asked]
    sets = {"real": open_set(real, "REAL"), "fake": open_set(fake, "FAKE")}
    texts = [*check_apart(sets["real"], sets["fake"]), *renamed(asked)]
    texts += options.idle(spec.key for spec in specs)
    plans: dict[str, Plan] = {
        "real": make_plan(sets["real"], "real", protocol, skip_bad),
        "fake": make_plan(sets["fake"], "fake", protocol, skip_bad),
    }
    for spec in specs:
        _check_metric(spec, plans)
    pairs: list[tuple[int, int]] = []
    if any("pair" in kind_of(spec).sets for spec in specs):
        pairs, pairing = pair_clips(plans["real"], plans["fake"], pair)
        texts += pairing
    elif pair != "auto":
        texts.append(f"pair {pair} changes nothing: no paired metric is asked for")
    if any(spec.candidates for spec in specs) and not options.candidates:
        options = options.model_copy(update={"candidates": tuple(sorted(_captions(plans["fake"])))})
    blind = {spec.key for spec in specs if spec.captions and _uncaptioned(plans["real"]) is not None}
    if not _captions(plans["real"]) <= set(options.candidates):
        blind |= {spec.key for spec in specs if spec.candidates}
    files = [(which, name, reason) for which, one in sets.items() for name, reason in one.skipped]
    metrics = build(asked, protocol, device, options)
    return _Run(protocol, metrics, plans, pairs, files, texts, frozenset(blind))


def _check_metric(spec: MetricSpec, plans: Mapping[str, Plan]) -> None:
    """Refuse a set metric on a single clip, and a text metric on clips without a text."""
    for plan in plans.values():
        if len(plan.cuts) < kind_of(spec).least_clips:
            raise InputError(
                f"{spec.key} compares sets of clips and needs 2 at least: {plan.title} gives 1; "
                "for single videos there are psnr, ssim, motion, flicker and others (moviola evaluate --list)"
            )
    lonely = _uncaptioned(plans["fake"]) if spec.captions else None
    if lonely is not None:
        raise InputError(
            f"{spec.key} compares clips with their captions, and {lonely} of {plans['fake'].title} has none: put a "
            "captions.csv with the columns file and caption among the clips"
        )


def _captions(plan: Plan) -> set[str]:
    return {cut.entry.caption or "" for cut in plan.cuts}


def _uncaptioned(plan: Plan) -> str | None:
    """The name of a clip without a caption, if there is one."""
    return next((cut.name for cut in plan.cuts if not cut.entry.caption), None)


@contextmanager
def _root(cache: bool) -> Iterator[Path]:
    """Give the folder of the features: the cache, or one that is gone afterwards."""
    if cache:
        root = cache_dir() / "features"
        with write_errors(root):
            root.mkdir(parents=True, exist_ok=True)
        yield root
        return
    with tempfile.TemporaryDirectory(prefix="moviola-features-") as folder:
        yield Path(folder)
