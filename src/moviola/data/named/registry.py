"""The named data sets, and how one is asked for: `NAME:PATH`, `NAME:PATH#SPLIT`, `NAME:PATH#SPLIT:COUNT`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from moviola.core.errors import InputError, UnknownNameError, nearest
from moviola.core.names import name_bytes
from moviola.data.named import (
    how2sign_faces,
    kinetics,
    kth,
    moving_mnist,
    msrvtt,
    sky_timelapse,
    ucf101,
    webdataset,
    webvid,
)
from moviola.data.named.base import Check, Member, NamedDataset, Spec, without_shared_groups
from moviola.data.tar_store import expand_shards, is_shards

DATASETS: dict[str, NamedDataset] = {
    dataset.name: dataset
    for dataset in (
        kth.DATASET,
        moving_mnist.DATASET,
        moving_mnist.CAPTIONED,
        ucf101.DATASET,
        msrvtt.DATASET,
        kinetics.DATASET,
        webvid.DATASET,
        sky_timelapse.DATASET,
        how2sign_faces.DATASET,
        webdataset.DATASET,
    )
}
"""Name to data set."""
_SPEC = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9_-]+):(?P<path>.+)")
_PART = re.compile(r"(?P<path>.+)#(?P<split>[A-Za-z0-9]*)(?::(?P<count>[0-9]+))?")


@dataclass(frozen=True)
class DatasetClips:
    """The clips of a named data set that were asked for, in order.

    Args:
        dataset: which it is.
        members: its clips, with their captions.
        checks: what its authors have and what there is, of all splits.
        skipped: (name, reason) of what was left out.
    """

    dataset: NamedDataset
    members: list[Member]
    checks: list[Check]
    skipped: list[tuple[str, str]]


def parse_spec(text: str | Path, fps: Fraction = Fraction(25)) -> Spec | None:
    """Return what a path asks for by name, or None for a path that is only a path.

    Args:
        text: `kth:data/kth#test`; tar archives (`shard-{000..003}.tar`) are of `webdataset` without its name. What
            exists under the whole text is only a path.
        fps: the rate of clips that have none of their own, Hz.

    Raises:
        UnknownNameError: a name that looks like one in `DATASETS`, or a split that the data set does not have.
        InputError: nothing at the path.
    """
    text = str(text)
    match = _SPEC.fullmatch(text)
    if Path(text).exists() and not is_shards(text):
        return None
    if match is None or match["name"] not in DATASETS:
        part = _split_spec(text)
        if is_shards(part[0]):
            return _spec(webdataset.DATASET, *part, fps)
        if match is not None and (nearest(match["name"], DATASETS) or "#" in match["path"]):
            raise UnknownNameError.of("data set", match["name"], DATASETS)
        return None
    return _spec(DATASETS[match["name"]], *_split_spec(match["path"]), fps)


def open_named(spec: Spec) -> DatasetClips:
    """Find the clips of a named data set.

    Raises:
        FormatError: it is laid out in another way; the message says what was expected and what is there.
        InputError: its lists contradict themselves or the files, or the split has no clip.
    """
    dataset = DATASETS[spec.name]
    reading = without_shared_groups(dataset.read(spec))
    members = [m for m in reading.members if spec.split is None or m.split == spec.split]
    if not members:
        splits = ", ".join(sorted({m.split for m in reading.members if m.split is not None}))
        has = f"those of {splits}" if splits else "no splits"
        raise InputError(f"{spec.path} has no clips of the split {spec.split!r}; it has {has}")
    return DatasetClips(dataset, reading.say(_some(members, spec.count)), reading.checks, reading.skipped)


def _some(members: list[Member], count: int) -> list[Member]:
    """Return `count` of the members, by a hash of their names, in their order; all for 0."""
    if not count:
        return members
    ranked = sorted(members, key=lambda member: hashlib.sha256(name_bytes(member.clip.name)).digest())
    names = {member.clip.name for member in ranked[:count]}
    return [member for member in members if member.clip.name in names]


def _split_spec(text: str) -> tuple[str, str, int]:
    """Return path, split ("" for all) and count (0 for all)."""
    match = None if Path(text).exists() else _PART.fullmatch(text)
    return (match["path"], match["split"], int(match["count"] or 0)) if match else (text, "", 0)


def _spec(dataset: NamedDataset, path: str, split: str, count: int, fps: Fraction) -> Spec:
    if split and split not in dataset.splits:
        raise UnknownNameError.of(f"split of {dataset.name}", split, dataset.splits)
    if is_shards(path) and dataset is webdataset.DATASET:
        expand_shards(path)
    elif not Path(path).exists():
        raise InputError(f"no such file or folder: {path}")
    return Spec(dataset.name, Path(path), split or None, count, fps)
