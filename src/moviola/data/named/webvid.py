"""WebVid: stock videos with the captions of their pages.

Source: Bain, Nagrani, Varol and Zisserman 2021, "Frozen in Time: A Joint Video and Image Encoder for End-to-End
Retrieval".
"""

from __future__ import annotations

from pathlib import PurePosixPath

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

LAYOUT = (
    "CSV files (videoid, contentUrl, duration, page_dir, name), one a split, and videos PAGE_DIR/VIDEOID.mp4"
)
COLUMNS = ("videoid", "page_dir", "name")


def read(spec: Spec) -> Reading:
    """See `NamedDataset`; videos that are listed and not there are counted, since nobody has all of them."""
    store = open_store(spec.path)
    tables = [n for n in store.names() if n.endswith(".csv") and set(COLUMNS) <= set(csv_columns(store, n))]
    videos = videos_by_stem(store)
    if not tables:
        raise unlike(spec, LAYOUT, store.names(), "no such CSV")
    splits, members = SplitTable(), list[Member]()
    count = 0
    for name in tables:
        split = "val" if "val" in PurePosixPath(name).stem.lower() else TRAIN
        for line, row in csv_rows(store, name, COLUMNS):
            count += 1
            video = videos.get(row["videoid"])
            if video is None:
                continue
            where = f"{store.where(name)} line {line}"
            splits.add(row["videoid"], split, where)
            caption = " ".join(row["name"].split())
            if not caption:
                raise InputError(f"{where}: 'name' is empty; it is the caption of {video}")
            members.append(Member(VideoClip(store, video, None, spec.fps), split, row["videoid"], (caption,)))
    if not members:
        raise unlike(spec, LAYOUT, store.names(), "no video that a CSV lists")
    stems = {member.group for member in members}
    skipped = [(name, "in no CSV") for stem, name in videos.items() if stem not in stems]
    checks = [
        Check("videos in the lists", None, count),
        Check("videos that are here", count, len(members)),
        *part_checks(members, dict.fromkeys((TRAIN, "val"))),
    ]
    return Reading(members, checks, skipped)


DATASET = NamedDataset(
    name="webvid",
    title="WebVid-2M and 10M (Bain et al. 2021)",
    splits=(TRAIN, "val"),
    split_rule="official, by video: a CSV whose name has val in it is val, the others train",
    url="https://github.com/m-bain/webvid",
    licence="withdrawn by its authors in 2024; videos under their owner's terms",
    layout=LAYOUT,
    read=read,
)
