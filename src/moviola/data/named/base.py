"""What a named data set is: a short description, and a reader that finds its clips, captions and splits."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PurePosixPath

from moviola.core.errors import FormatError, InputError
from moviola.data.layouts import StoredClip, suffix_of
from moviola.data.stores import FolderStore, Store, ZipStore
from moviola.data.tar_store import TarStore

TRAIN = "train"


@dataclass(frozen=True)
class Spec:
    """A data set asked for by name.

    Args:
        name: a key of `DATASETS`.
        path: where it lies.
        split: the part wanted, or None for all.
        count: how many clips of it, chosen by a hash of their names; 0 for all.
        fps: the rate of clips that have none of their own, Hz.
    """

    name: str
    path: Path
    split: str | None = None
    count: int = 0
    fps: Fraction = Fraction(25)


@dataclass(frozen=True)
class Check:
    """How many of something the authors' data set has, and how many there are.

    Args:
        what: such as "videos".
        expected: the published number; None where none is published.
        found: the number at the path.
    """

    what: str
    expected: int | None
    found: int


@dataclass(frozen=True)
class Member:
    """One clip of a named data set.

    Args:
        clip: its frames, name and label.
        split: "train", "test", ... or None where the data set has no splits.
        group: what may not be torn apart by a split: a person, a source video, an identity.
        captions: its captions, the first of which is the one that is used where only one can be.
    """

    clip: StoredClip
    split: str | None
    group: str
    captions: tuple[str, ...] = ()


def _as_they_are(members: list[Member]) -> list[Member]:
    return members


@dataclass(frozen=True)
class Reading:
    """What a reader found.

    Args:
        members: the clips of every split, in order.
        checks: what was expected and found.
        skipped: (name, reason) of what is left out.
        say: gives captions to the members that were chosen, where this takes time.
    """

    members: list[Member]
    checks: list[Check]
    skipped: list[tuple[str, str]] = field(default_factory=list)
    say: Callable[[list[Member]], list[Member]] = _as_they_are


@dataclass(frozen=True)
class NamedDataset:
    """A published data set.

    Args:
        name: by which it is asked for.
        title: what its authors call it, with the paper.
        splits: the names that may follow `#`; empty where there are none.
        split_rule: what a split keeps together, and whose it is.
        url: where to get it.
        licence: in one line.
        layout: what its folder holds, in one line.
        read: finds its clips; raises `FormatError` for another layout, `InputError` for lists that contradict
            themselves or the files.
    """

    name: str
    title: str
    splits: tuple[str, ...]
    split_rule: str
    url: str
    licence: str
    layout: str
    read: Callable[[Spec], Reading]


def open_store(path: Path) -> Store:
    """Return the files at `path`: a folder, a `.zip`, a `.tar`.

    Raises:
        InputError: nothing is there, or something else.
    """
    if path.is_dir():
        return FolderStore(path)
    suffix = path.suffix.lower()
    if not path.exists():
        raise InputError(f"no such file or folder: {path}")
    if suffix == ".zip":
        return ZipStore(path)
    if suffix == ".tar":
        return TarStore([path], path)
    raise FormatError(f"{path} is no folder, .zip or .tar")


def unlike(spec: Spec, layout: str, names: Iterable[str], why: str = "") -> FormatError:
    """Return the error for a path that is not laid out as its name says.

    Args:
        spec: what was asked for.
        layout: what was expected.
        names: of its files.
        why: what is missing.
    """
    tops = list(dict.fromkeys(name.split("/")[0] + ("/" if "/" in name else "") for name in names))
    listing = ", ".join(tops[:5]) + (f" and {len(tops) - 5} more" if len(tops) > 5 else "")
    reason = f" ({why})" if why else ""
    return FormatError(
        f"{spec.path} is not {spec.name}{reason}: expected {layout}; found {listing or 'nothing'}"
    )


def videos_by_stem(store: Store, names: Iterable[str] | None = None) -> dict[str, str]:
    """Return file stem to name of every video of a store.

    Raises:
        InputError: two videos share a stem, so that a list cannot mean one of them.
    """
    from moviola.data.codec.formats import VIDEO_SUFFIXES

    stems: dict[str, str] = {}
    for name in store.names() if names is None else names:
        if suffix_of(name) not in VIDEO_SUFFIXES:
            continue
        stem = PurePosixPath(name).stem
        if stem in stems:
            raise InputError(f"{store.where(name)}: {stems[stem]} has the same name; keep one of them")
        stems[stem] = name
    return stems


def named_like(store: Store, *lasts: str) -> list[str]:
    """Return the files of a store whose last part is one of `lasts`."""
    return [name for name in store.names() if PurePosixPath(name).name in lasts]


def csv_rows(store: Store, name: str, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and row of a CSV file, read line by line.

    Args:
        store: where it lies.
        name: the file.
        columns: those that must be there.

    Raises:
        InputError: it is no CSV in UTF-8, has not these columns, or a row ends early; the message names the line.
    """
    where = store.where(name)
    with store.as_file(name) as path, path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                available = ", ".join(reader.fieldnames or ()) or "none"
                raise InputError(f"{where} line 1: no column {missing[0]!r}; the columns are {available}")
            for row in reader:
                if any(row[column] is None for column in columns):
                    raise InputError(f"{where} line {reader.line_num}: the row ends early")
                yield reader.line_num, row
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{where} line {reader.line_num + 1}: not CSV in UTF-8: {error}") from None


def csv_columns(store: Store, name: str) -> list[str]:
    """Return the columns of a CSV file; none where it is something else."""
    with store.as_file(name) as path, path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            return next(csv.reader(file), [])
        except csv.Error:
            return []


class SplitTable:
    """Which split every clip is listed for; refuses a clip that is listed twice."""

    def __init__(self) -> None:
        self._split_of: dict[str, tuple[str, str]] = {}

    def add(self, key: str, split: str, where: str) -> None:
        """Note that `where` (a file and a line) lists `key` for `split`.

        Raises:
            InputError: it was listed before, for this split or another.
        """
        earlier, place = self._split_of.setdefault(key, (split, where))
        if place == where:
            return
        if earlier != split:
            raise InputError(
                f"{where}: {key!r} is listed for {split}, and for {earlier} in {place}; a clip belongs to one split"
            )
        raise InputError(f"{where}: {key!r} is listed already, in {place}")


def part_checks(members: Sequence[Member], expected: Mapping[str, int | None]) -> list[Check]:
    """Return a check of the number of clips for every split in `expected`."""
    counts = dict.fromkeys(expected, 0)
    for member in members:
        if member.split in counts:
            counts[member.split] += 1
    return [Check(f"clips of {split}", number, counts[split]) for split, number in expected.items()]


def without_shared_groups(reading: Reading) -> Reading:
    """Leave out clips of the training split whose group is in another split, and say so."""
    split_of = {member.group: member.split for member in reading.members if member.split not in (TRAIN, None)}
    members, skipped = [], []
    for member in reading.members:
        if member.split == TRAIN and member.group in split_of:
            skipped.append((member.clip.name, f"{member.group} is in {split_of[member.group]}, too"))
        else:
            members.append(member)
    return Reading(members, reading.checks, [*reading.skipped, *skipped], reading.say)
