"""UCF-101: 101 actions, with the official splits.

Source: Soomro, Zamir and Shah 2012, "UCF101: A Dataset of 101 Human Actions Classes From Videos in The Wild".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from moviola.core.errors import InputError
from moviola.data.captions import decode_text
from moviola.data.layouts import VideoClip
from moviola.data.named.base import (
    TRAIN,
    Check,
    Member,
    NamedDataset,
    Reading,
    Spec,
    SplitTable,
    named_like,
    open_store,
    part_checks,
    unlike,
    videos_by_stem,
)
from moviola.data.stores import Store

LAYOUT = "folders ACTION/v_ACTION_gNN_cNN.avi, and classInd.txt, trainlist01.txt and testlist01.txt (ucfTrainTestlist)"
SIZES: dict[str, dict[str, int]] = {
    "01": {TRAIN: 9537, "test": 3783},
    "02": {TRAIN: 9586, "test": 3734},
    "03": {TRAIN: 9624, "test": 3696},
}
"""Clips of the three official splits."""
_NAME = re.compile(r"v_(.+_g[0-9]{2})_c[0-9]{2}")  # in small letters


class _ListRow(NamedTuple):
    """One clip of a list: "v_archery_g08_c01" in small letters, its action, its split, where it stands."""

    stem: str
    action: str
    split: str
    where: str


def read(spec: Spec) -> Reading:
    """See `NamedDataset`; `train02` and so on are of the second and third official split."""
    number = re.sub("[a-z]", "", spec.split or "") or "01"
    suffix = "" if number == "01" else number
    store = open_store(spec.path)
    videos = {stem.lower(): name for stem, name in videos_by_stem(store).items()}  # HandStand and Handstand
    names = _actions(spec, store)
    rows = [
        one
        for split in (TRAIN, "test")
        for one in _read_list(spec, store, f"{split}list{number}.txt", split, names)
    ]
    members = _members(rows, store, videos, spec, suffix)
    if not members:
        raise unlike(spec, LAYOUT, store.names(), "no video that the lists name")
    stems = {one.stem for one in rows}
    skipped = [(name, f"in no list of split {number}") for stem, name in videos.items() if stem not in stems]
    sizes = {split + suffix: size for split, size in SIZES[number].items()}
    checks = [
        Check("actions", 101, len({member.clip.label for member in members})),
        Check("videos", 13320, len(videos)),
        *part_checks(members, sizes),
    ]
    return Reading(members, checks, skipped)


def phrase(action: str) -> str:
    """Return an action's name as words: "ApplyEyeMakeup" is "apply eye makeup"."""
    return " ".join(re.findall(r"[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+|[A-Z]|[0-9]+", action)).lower()


def _actions(spec: Spec, store: Store) -> dict[str, str]:
    """Return action to class number, as `classInd.txt` has them."""
    name = _only(spec, store, "classInd.txt")
    actions: dict[str, str] = {}
    for line, text in _lines(store, name):
        words = text.split()
        if len(words) != 2 or not words[0].isdecimal():
            raise InputError(f"{store.where(name)} line {line}: not a number and an action: {text!r}")
        actions[words[1]] = words[0]
    return actions


def _read_list(spec: Spec, store: Store, last: str, split: str, actions: dict[str, str]) -> list[_ListRow]:
    name = _only(spec, store, last)
    rows = []
    for line, text in _lines(store, name):
        where = f"{store.where(name)} line {line}"
        path, _, number = text.partition(" ")
        action, _, file = path.rpartition("/")
        if action not in actions:
            raise InputError(f"{where}: no action {action!r} in classInd.txt")
        if number.strip() not in ("", actions[action]):
            raise InputError(
                f"{where}: {action} is class {actions[action]} in classInd.txt, not {number.strip()}"
            )
        rows.append(_ListRow(file.rpartition(".")[0].lower(), action, split, where))
    return rows


def _members(
    rows: list[_ListRow], store: Store, videos: dict[str, str], spec: Spec, suffix: str
) -> list[Member]:
    """Return the clips that are listed; an action that is missing as a whole was not unpacked."""
    table = SplitTable()
    actions = {one.action for one in rows if one.stem in videos}
    members = []
    for one in rows:
        table.add(one.stem, one.split, one.where)
        if one.action not in actions:
            continue
        match = _NAME.fullmatch(one.stem)
        if one.stem not in videos or match is None:
            raise InputError(
                f"{one.where}: there is no video {one.action}/{one.stem}; unpack {one.action} anew"
            )
        clip = VideoClip(store, videos[one.stem], one.action, spec.fps)
        members.append(Member(clip, one.split + suffix, match[1], (phrase(one.action),)))
    return members


def _only(spec: Spec, store: Store, last: str) -> str:
    matches = named_like(store, last)
    if len(matches) != 1:
        raise unlike(spec, LAYOUT, store.names(), f"{len(matches)} files {last}" if matches else f"no {last}")
    return matches[0]


def _lines(store: Store, name: str) -> list[tuple[int, str]]:
    text = decode_text(store.read_bytes(name), store.where(name))
    return [(n, line.strip()) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]


DATASET = NamedDataset(
    name="ucf101",
    title="UCF-101 (Soomro et al. 2012)",
    splits=(TRAIN, "test", "train02", "test02", "train03", "test03"),
    split_rule="official, by group of clips from one video; split 01 unless another is named",
    url="https://www.crcv.ucf.edu/data/UCF101.php",
    licence="none stated; videos from the web, for research",
    layout=LAYOUT,
    read=read,
)
