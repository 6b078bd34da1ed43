"""Kinetics: ten seconds of a web video, of one action.

Source: Kay et al. 2017, "The Kinetics Human Action Video Dataset" (400 classes; 600 and 700 have the same layout).
"""

from __future__ import annotations

from moviola.core.errors import InputError
from moviola.data.layouts import VideoClip
from moviola.data.named.base import (
    TRAIN,
    Check,
    Member,
    NamedDataset,
    Reading,
    Spec,
    SplitTable,
    csv_columns,
    csv_rows,
    open_store,
    part_checks,
    unlike,
    videos_by_stem,
)
from moviola.data.stores import Store

LAYOUT = "CSV files (label, youtube_id, time_start, time_end, split) and videos ID_SSSSSS_EEEEEE.mp4, by label or flat"
COLUMNS = ("youtube_id", "time_start", "time_end", "split")
_SPLITS = {"train": TRAIN, "val": "val", "validate": "val", "validation": "val", "test": "test"}


def read(spec: Spec) -> Reading:
    """See `NamedDataset`; clips that are listed and not there are counted, since web videos vanish."""
    store = open_store(spec.path)
    tables = [n for n in store.names() if n.endswith(".csv") and set(COLUMNS) <= set(csv_columns(store, n))]
    videos = videos_by_stem(store)
    if not tables:
        raise unlike(spec, LAYOUT, store.names(), "no such CSV")
    splits, members = SplitTable(), list[Member]()
    stems = set[str]()
    for name in tables:
        for line, row in csv_rows(store, name, COLUMNS):
            where = f"{store.where(name)} line {line}"
            stem = _stem(row, where)
            split = _SPLITS.get(row["split"])
            if split is None:
                raise InputError(f"{where}: split {row['split']!r} is none of train, validate, test")
            splits.add(stem, split, where)
            stems.add(stem)
            if stem in videos:
                members.append(_member(store, videos[stem], row, split, spec))
    if not members:
        raise unlike(spec, LAYOUT, store.names(), "no video that a CSV lists")
    skipped = [(name, "in no CSV") for stem, name in videos.items() if stem not in stems]
    checks = [
        Check("clips in the lists", None, len(stems)),
        Check("clips that are here", len(stems), len(members)),
        Check("actions", None, len({member.clip.label for member in members} - {None})),
        *part_checks(members, dict.fromkeys((TRAIN, "val", "test"))),
    ]
    return Reading(members, checks, skipped)


def _stem(row: dict[str, str], where: str) -> str:
    try:
        start, end = int(float(row["time_start"])), int(float(row["time_end"]))
    except ValueError:
        raise InputError(f"{where}: time_start and time_end are not both seconds") from None
    return f"{row['youtube_id']}_{start:06d}_{end:06d}"


def _member(store: Store, name: str, row: dict[str, str], split: str, spec: Spec) -> Member:
    label = (row.get("label") or "").strip() or None  # test lists of some releases state none
    return Member(
        VideoClip(store, name, label, spec.fps), split, row["youtube_id"], (label,) if label else ()
    )


DATASET = NamedDataset(
    name="kinetics",
    title="Kinetics-400, 600 and 700 (Kay et al. 2017)",
    splits=(TRAIN, "val", "test"),
    split_rule="official; training clips of a web video that is also in another split are left out",
    url="https://github.com/cvdfoundation/kinetics-dataset",
    licence="lists CC BY 4.0; videos from the web, under their owners' terms",
    layout=LAYOUT,
    read=read,
)
