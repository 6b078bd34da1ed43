"""KTH actions: six actions by 25 people, in sequences that `00sequences.txt` cuts the videos into.

Source: Schuldt, Laptev and Caputo 2004, "Recognizing Human Actions: A Local SVM Approach".
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
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
    named_like,
    open_store,
    part_checks,
    unlike,
    videos_by_stem,
)
from moviola.data.named.direction import Side, SideCache
from moviola.data.named.parts import RangeClip
from moviola.data.stores import Store

LIST = "00sequences.txt"
LAYOUT = f"{LIST} and videos personNN_ACTION_dK_uncomp.avi, in one folder an action or side by side"
LAST_TRAINED = 16
"""People 1 to 16 are trained on, 17 to 25 are not."""
PHRASES: dict[str, str] = {
    "boxing": "a person is boxing",
    "handclapping": "a person is clapping hands",
    "handwaving": "a person is waving both hands",
    "jogging": "a person is jogging",
    "running": "a person is running",
    "walking": "a person is walking",
}
"""Action to caption; those of `MOVING` also say to which side."""
MOVING = frozenset({"jogging", "running", "walking"})
SIZES: dict[str, int] = {TRAIN: 1528, "test": 863}
"""Sequences of each split, counted in the authors' list."""
_VIDEOS, _SEQUENCES = 599, 2391
_LINE = re.compile(r"(person([0-9]{2})_([a-z]+)_d[1-4])\b(.*)")
_RANGES = re.compile(r"\s*frames\s+([0-9]+-[0-9]+(?:\s*,\s*[0-9]+-[0-9]+)*)\s*,?\s*")


class SequenceRow(NamedTuple):
    """One line of `00sequences.txt`.

    Args:
        stem: "person01_walking_d1".
        person: 1 to 25.
        action: a key of `PHRASES`.
        ranges: (first frame from 0, frame after the last) of its sequences.
        line: where it stands, from 1.
    """

    stem: str
    person: int
    action: str
    ranges: list[tuple[int, int]]
    line: int


def read_sequences(text: str, where: str) -> list[SequenceRow]:
    """Read `00sequences.txt`.

    Args:
        text: its content: a heading, then lines "person01_boxing_d1 frames 1-95, 96-185", whose frames count from 1,
            both ends included.
        where: its name, for messages.

    Returns:
        Its lines, those whose video is "*missing*" left out.

    Raises:
        InputError: a line that begins as one of a video and is none, or a video that is listed twice.
    """
    rows: dict[str, SequenceRow] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.match(line.strip())
        if match is None or "*missing*" in match[4]:
            continue
        stem, person, action, frame_list = match.groups()
        if action not in PHRASES:
            raise InputError(f"{where} line {number}: no action {action!r}; they are {', '.join(PHRASES)}")
        if stem in rows:
            raise InputError(f"{where} line {number}: {stem} is listed already, in line {rows[stem].line}")
        ranges = _RANGES.fullmatch(frame_list)
        if ranges is None:
            raise InputError(f"{where} line {number}: not 'frames 1-95, 96-185': {frame_list.strip()!r}")
        pairs = [tuple(map(int, pair.split("-"))) for pair in re.findall("[0-9]+-[0-9]+", ranges[1])]
        for first, last in pairs:
            if not 1 <= first < last:
                raise InputError(f"{where} line {number}: frames {first}-{last} are none")
        rows[stem] = SequenceRow(
            stem, int(person), action, [(first - 1, last) for first, last in pairs], number
        )
    return list(rows.values())


def read(spec: Spec) -> Reading:
    """See `NamedDataset`; captions of who walks, jogs or runs are told from the pictures when they are asked for."""
    store = open_store(spec.path)
    lists = named_like(store, LIST)
    videos = {stem.removesuffix("_uncomp"): name for stem, name in videos_by_stem(store).items()}
    if len(lists) != 1:
        raise unlike(spec, LAYOUT, store.names(), f"no {LIST}" if not lists else f"{len(lists)} times {LIST}")
    where = store.where(lists[0])
    rows = read_sequences(decode_text(store.read_bytes(lists[0]), where), where)
    members = [member for one in rows for member in _sequences(store, one, videos, spec.fps)]
    if not members:
        raise unlike(spec, LAYOUT, store.names(), f"no video that {LIST} lists")
    _check_whole(rows, videos, where)
    stems = {one.stem for one in rows}
    skipped = [(name, f"not in {LIST}") for stem, name in videos.items() if stem not in stems]
    checks = [
        Check("videos", _VIDEOS, len(stems & set(videos))),
        Check("sequences", _SEQUENCES, len(members)),
        Check("people", 25, len({member.group for member in members})),
        Check("actions", len(PHRASES), len({member.clip.label for member in members})),
    ]
    return Reading(members, [*checks, *part_checks(members, SIZES)], skipped, say)


def say(members: list[Member]) -> list[Member]:
    """Give captions to sequences: "a person is walking to the left"; without a side where the figure goes to none."""
    moving: dict[str, list[RangeClip]] = {}
    for member in members:
        clip = member.clip
        if isinstance(clip, RangeClip) and clip.label in MOVING:
            moving.setdefault(clip.whole.name, []).append(clip)
    ranges = [(clips[0].whole, [(c.start, c.stop) for c in clips]) for clips in moving.values()]
    clip_sides = SideCache(members[0].clip.store.root).find(ranges) if ranges else []
    sides: dict[str, Side | None] = {
        clip.name: side
        for clips, these in zip(moving.values(), clip_sides, strict=True)
        for clip, side in zip(clips, these, strict=True)
    }
    return [replace(m, captions=(_caption(m.clip.label or "", sides.get(m.clip.name)),)) for m in members]


def _caption(action: str, side: Side | None) -> str:
    return f"{PHRASES[action]} to the {side}" if side else PHRASES[action]


def _sequences(store: Store, one: SequenceRow, videos: dict[str, str], fps: Fraction) -> list[Member]:
    if one.stem not in videos:
        return []
    video = VideoClip(store, videos[one.stem], one.action, fps)
    split = TRAIN if one.person <= LAST_TRAINED else "test"
    return [
        Member(
            RangeClip(store, f"{one.action}/{one.stem}-{number}", one.action, fps, video, start, stop),
            split,
            f"person{one.person:02d}",
        )
        for number, (start, stop) in enumerate(one.ranges, start=1)
    ]


def _check_whole(rows: list[SequenceRow], videos: dict[str, str], where: str) -> None:
    """Refuse an action of which some videos are missing; an action that is missing as a whole was not fetched."""
    actions = {one.action for one in rows if one.stem in videos}
    for one in rows:
        if one.action in actions and one.stem not in videos:
            raise InputError(
                f"{where} line {one.line} lists {one.stem}, and there is no {one.stem}_uncomp.avi; "
                f"fetch {one.action} anew, or take the line out"
            )


DATASET = NamedDataset(
    name="kth",
    title="KTH actions (Schuldt et al. 2004)",
    splits=(TRAIN, "test"),
    split_rule="by person: 1 to 16 train, 17 to 25 test",
    url="https://www.csc.kth.se/cvap/actions/",
    licence="non-commercial use, with the paper cited",
    layout=LAYOUT,
    read=read,
)
