"""The map step: every clip is decoded once and shown to every extractor that wants it.

What is to be done is a `Job`, cut into blocks of clips. A block may be worked on anywhere and in any order: the result
depends on the clips alone. `serial` does it here; `moviola.scale` does it on a Ray cluster.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from moviola.core.errors import InputError, MoviolaError, OutputError
from moviola.core.notes import note
from moviola.core.progress import Tick
from moviola.core.seeds import numpy_generator
from moviola.core.video import Video
from moviola.data.corrupt import Damage
from moviola.metrics.base import Sample
from moviola.pipelines.evaluate.assemble import Features, StoredColumn
from moviola.pipelines.evaluate.keys import READS, ClipKeys, extractor_key
from moviola.pipelines.evaluate.samples import Plan, cut_clip
from moviola.pipelines.evaluate.store import FeatureStore, Row

_SIDES = ("real", "fake")
BLOCK = 16
"""Clips that are worked on between two writes to disk."""
_TURNS = 3  # what another process removed from the cache meanwhile is made again


class FrameDigest:
    """What tells whether two clips show the same frames, and whether the decoder had to mend any of them."""

    name = "frames"
    reads = ()

    def identity(self) -> dict[str, str]:
        """See `moviola.metrics.base.Extractor`."""
        return {"hash": "sha256/16", "concealed": "count, first, last"}

    def __call__(self, sample: Sample) -> dict[str, np.ndarray]:
        """Return {"digest": (16,), "concealed": (3,)}.

        The first bytes of a sha256, 0 to 255; how many frames were mended, and the numbers of the first and the last of
        them (-1 where there are none).
        """
        frames = sample.video.frames
        digest = hashlib.sha256(str(frames.shape).encode())
        for frame in frames:
            digest.update(frame.tobytes())
        concealed = sample.concealed
        ends = (concealed[0], concealed[-1]) if concealed else (-1, -1)
        return {
            "digest": np.frombuffer(digest.digest()[:16], np.uint8).astype(np.float32),
            "concealed": np.array([len(concealed), *ends], np.float32),
        }


class Damager:
    """Makes the damaged copy of a clip once, however many extractors ask for it.

    Args:
        damage: what is done to the clip.
        seed: of what is random in it, together with the clip's name.
    """

    def __init__(self, damage: Damage, seed: int) -> None:
        self.damage, self.seed = damage, seed
        self._kept: WeakKeyDictionary[Video, Sample] = WeakKeyDictionary()

    def __call__(self, sample: Sample) -> Sample:
        """Return the damaged copy."""
        if sample.video not in self._kept:
            generator = numpy_generator(self.seed, "damage", self.damage.name, sample.name)
            video = self.damage.apply(sample.video, generator)
            self._kept[sample.video] = Sample(video, sample.name, sample.label, sample.caption)
        return self._kept[sample.video]

    def __reduce__(self) -> tuple[type[Damager], tuple[Damage, int]]:
        return Damager, (self.damage, self.seed)


class DamagedView:
    """An extractor that sees damaged copies; a pair extractor then sees a clip beside its damaged copy.

    Args:
        extractor: an `Extractor`, or a `PairExtractor` where `paired`.
        damager: makes the copies.
        paired: which of the two it is.
    """

    def __init__(self, extractor: Any, damager: Damager, paired: bool) -> None:
        self.extractor, self.damager, self.paired = extractor, damager, paired
        self.name = f"{extractor.name} of {damager.damage.name}"
        self.reads = ("name", *getattr(extractor, "reads", READS))  # the name seeds the damage

    def identity(self) -> dict[str, str]:
        """See `moviola.metrics.base.Extractor`."""
        said = {"damage": self.damager.damage.title, "damage seed": str(self.damager.seed)}
        return {**self.extractor.identity(), **said}

    def __call__(self, sample: Sample) -> Mapping[str, np.ndarray]:
        """Return what the extractor makes of the damaged clip."""
        damaged = self.damager(sample)
        return self.extractor(sample, damaged) if self.paired else self.extractor(damaged)


@dataclass(frozen=True, eq=False)
class Column:
    """One extractor over one set.

    Attributes:
        which: "real", "fake" or "pair".
        extractor: an `Extractor`, or a `PairExtractor` for "pair".
        names: of the planned clips or pairs.
        key: SHA-256 of the extractor.
        only: the rows that are wanted.
    """

    which: str
    extractor: Any
    names: tuple[str, ...]
    key: bytes
    only: frozenset[int]

    @property
    def shown(self) -> tuple[str, ...]:
        """The sets that the extractor looks at."""
        return _SIDES if self.which == "pair" else (self.which,)

    @property
    def identity(self) -> tuple[str, bytes, frozenset[int]]:
        """Equal for columns of one run that hold the same."""
        return self.which, self.key, self.only


@dataclass(frozen=True)
class Unit:
    """Clips that are decoded together: one, or the two of a pair. Row numbers, None for none."""

    real: int | None = None
    fake: int | None = None
    pair: int | None = None


@dataclass
class Block:
    """What came of some units.

    Attributes:
        rows: column number to row number to output to array.
        failed: (which, row, reason) of clips that could not be decoded.
        clips: how many clips were decoded.
        error: what stopped the block, to be raised by whoever asked for it.
    """

    rows: dict[int, dict[int, Mapping[str, np.ndarray]]] = field(default_factory=dict)
    failed: list[tuple[str, int, str]] = field(default_factory=list)
    clips: int = 0
    error: MoviolaError | None = None


@dataclass(frozen=True, eq=False)
class Job:
    """All there is to know for working on any block.

    Attributes:
        plans: "real" and "fake" to their plans.
        columns: what is to be made.
        wanted: for each column the rows that are still missing.
        skip_bad: note clips that cannot be decoded and go on.
    """

    plans: Mapping[str, Plan]
    columns: Sequence[Column]
    wanted: Sequence[frozenset[int]]
    skip_bad: bool

    def run(self, units: Iterable[Unit]) -> Block:
        """Work on some units; an error of moviola's own is returned in the block, not raised."""
        block = Block()
        try:
            for unit in units:
                self._one(unit, block)
        except MoviolaError as error:
            block.error = error
        return block

    def _one(self, unit: Unit, block: Block) -> None:
        samples: dict[str, Sample] = {}
        for which, row in (("real", unit.real), ("fake", unit.fake)):
            if row is None:
                continue
            plan = self.plans[which]
            try:
                samples[which] = cut_clip(plan.cuts[row], plan.side)
            except InputError as error:
                if not self.skip_bad:
                    raise
                block.failed.append((which, row, " ".join(str(error).split())))
            block.clips += 1
        for number, column in enumerate(self.columns):
            row = getattr(unit, column.which)
            if row is None or row not in self.wanted[number]:
                continue
            if all(which in samples for which in column.shown):
                outputs = column.extractor(*(samples[which] for which in column.shown))
                block.rows.setdefault(number, {})[row] = outputs


Mapper = Callable[[Job, Sequence[Sequence[Unit]]], Iterator[Block]]
"""Works on blocks of units, and gives the results in any order."""


def serial(job: Job, blocks: Sequence[Sequence[Unit]]) -> Iterator[Block]:
    """Work on the blocks one after another, here."""
    for units in blocks:
        yield job.run(units)


def set_column(plan: Plan, extractor: Any, only: Iterable[int] | None = None) -> Column:
    """Return the column of an extractor over a set; `only` some of its rows, or all."""
    rows = frozenset(range(len(plan.cuts)) if only is None else only)
    return Column(plan.which, extractor, tuple(cut.name for cut in plan.cuts), extractor_key(extractor), rows)


def pair_column(plans: Mapping[str, Plan], pairs: Sequence[tuple[int, int]], extractor: Any) -> Column:
    """Return the column of a pair extractor over (real row, fake row) pairs; it goes by the names of FAKE."""
    names = tuple(plans["fake"].cuts[row].name for _, row in pairs)
    return Column("pair", extractor, names, extractor_key(extractor), frozenset(range(len(pairs))))


def extract(
    plans: Mapping[str, Plan],
    pairs: Sequence[tuple[int, int]],
    columns: Sequence[Column],
    root: Path,
    *,
    skip_bad: bool = False,
    mapper: Mapper = serial,
    block: int = BLOCK,
    tick: Tick | None = None,
    expect: Callable[[int], object] | None = None,
) -> list[Features]:
    """Make the features of all columns, or find them in the cache.

    Args:
        plans: "real" and "fake" to their plans.
        pairs: (real row, fake row) of clips to be compared.
        columns: what to make.
        root: folder of the cache.
        skip_bad: note clips that cannot be decoded and go on.
        mapper: works on the blocks.
        block: clips in a block, at least 1.
        tick: called with the number of clips that were decoded.
        expect: called once with the number of clips that will be.

    Returns:
        The features, a column each.

    Raises:
        InputError: a clip that cannot be decoded (unless `skip_bad`), or none that can.
        OutputError: the cache cannot be written.
        ConfigError: features whose shape differs from clip to clip.
    """
    with closing(FeatureStore(root)) as store:
        cached = _Cached(plans, pairs, columns, store)
        for turn in range(_TURNS):
            job = Job(plans, tuple(columns), cached.missing(skip_bad), skip_bad)
            units = _units(job, pairs)
            if expect is not None and turn == 0:
                expect(sum((unit.real is not None) + (unit.fake is not None) for unit in units))
            if not units:
                return cached.features()
            for result in mapper(job, [units[i : i + block] for i in range(0, len(units), block)]):
                cached.write(result, job)
                if tick is not None:
                    tick(result.clips, "")
                if result.error is not None:
                    raise result.error
    raise OutputError(f"the feature cache {root} does not keep what is written to it")


class _Cached:
    """What the cache holds of the columns of a run.

    Args:
        plans, pairs, columns: as for `extract`.
        store: the cache.
    """

    def __init__(
        self,
        plans: Mapping[str, Plan],
        pairs: Sequence[tuple[int, int]],
        columns: Sequence[Column],
        store: FeatureStore,
    ) -> None:
        self.store, self.pairs = store, pairs
        self.keys = {which: ClipKeys(plan, store) for which, plan in plans.items()}
        self._pair_of = {
            (which, clip): row
            for row, both in enumerate(pairs)
            for which, clip in zip(_SIDES, both, strict=True)
        }
        self.columns = [self._stored(column) for column in columns]
        self._found = [(Features((), (), {}), sorted(column.only)) for column in columns]

    def missing(self, skip_bad: bool) -> tuple[frozenset[int], ...]:
        """Return for each column the rows that have to be made; raises InputError for a failure that stops the run."""
        self._found = [
            column.read() if missing else (features, missing)
            for column, (features, missing) in zip(self.columns, self._found, strict=True)
        ]
        failed = [features.failed[0] for features, _ in self._found if features.failed]
        if failed and not skip_bad:
            raise InputError(failed[0][1])
        return tuple(frozenset(missing) for _, missing in self._found)

    def write(self, block: Block, job: Job) -> None:
        """Keep what a block made, in one transaction."""
        self._check_files(block, job)
        rows: list[Row] = []
        for number, (column, stored) in enumerate(zip(job.columns, self.columns, strict=True)):
            rows += [stored.row(row, outputs) for row, outputs in block.rows.get(number, {}).items()]
            for which, clip, reason in block.failed:
                row = self._pair_of.get((which, clip)) if column.which == "pair" else clip
                if row in job.wanted[number] and column.which in (which, "pair"):
                    rows.append(stored.failure(row, reason))
        self.store.write(rows)

    def features(self) -> list[Features]:
        """Return the features of all columns, none of which misses any; raises InputError where one is empty."""
        if self.store.damaged:
            note(f"{self.store.path} held {self.store.damaged} damaged rows; they were made anew")
        for column, (features, _) in zip(self.columns, self._found, strict=True):
            if not features.rows:
                first = f"; the first: {features.failed[0][1]}" if features.failed else ""
                raise InputError(f"none of {len(column.names)} clips could be decoded{first}")
        return [features for features, _ in self._found]

    def _stored(self, column: Column) -> StoredColumn:
        extractor, sides = column.extractor, [self.keys[which] for which in column.shown]
        if column.which == "pair":
            both = [
                [side.key(row, extractor) for side, row in zip(sides, pair, strict=True)]
                for pair in self.pairs
            ]
            clips = {row: hashlib.sha256(b"".join(keys)).digest() for row, keys in enumerate(both)}
            places = [f"{sides[0].where[real]} {sides[1].where[fake]}" for real, fake in self.pairs]
        else:
            clips = {row: sides[0].key(row, extractor) for row in sorted(column.only)}
            places = sides[0].where
        return StoredColumn(self.store, column.key, extractor.name, clips, column.names, places)

    def _check_files(self, block: Block, job: Job) -> None:
        """Raise InputError where a file that the block read is not what it was when the run began."""
        clips = {(which, row) for which, row, _ in block.failed}
        for number, rows in block.rows.items():
            column = job.columns[number]
            for row in rows:
                both = self.pairs[row] if column.which == "pair" else (row,)
                clips.update(zip(column.shown, both, strict=True))
        for which, row in sorted(clips):
            self.keys[which].check(row)


def _units(job: Job, pairs: Sequence[tuple[int, int]]) -> list[Unit]:
    """Return what has to be decoded: pairs that are compared together, other clips alone, nothing that is known."""
    need: dict[str, set[int]] = {"real": set(), "fake": set(), "pair": set()}
    for column, rows in zip(job.columns, job.wanted, strict=True):
        need[column.which] |= rows
    units = [Unit(*pairs[row], row) for row in sorted(need["pair"])]
    units += [Unit(real=row) for row in sorted(need["real"] - {unit.real for unit in units})]
    return units + [Unit(fake=row) for row in sorted(need["fake"] - {unit.fake for unit in units})]
