"""MSR-VTT: 10,000 clips, twenty captions each.

Source: Xu, Mei, Yao and Rui 2016, "MSR-VTT: A Large Video Description Dataset for Bridging Video and Language".
"""

from __future__ import annotations

import json
from typing import Any

from moviola.core.errors import InputError
from moviola.core.names import natural_sorted
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
    open_store,
    part_checks,
    unlike,
    videos_by_stem,
)
from moviola.data.stores import Store

LAYOUT = (
    "videos videoN.mp4, and JSON files with 'videos' (video_id, split) and 'sentences' (video_id, caption)"
)
SIZES: dict[str, int | None] = {TRAIN: 6513, "val": 497, "test": 2990}
CATEGORIES: tuple[str, ...] = (
    "music", "people", "gaming", "sports", "news", "education", "tv shows", "movie", "animation", "vehicles", "howto",
    "travel", "science", "animals", "kids", "documentary", "food", "cooking", "beauty", "advertisement",
)  # fmt: skip
"""Names of the category numbers, which are the labels."""
_SPLITS = {"train": TRAIN, "validate": "val", "val": "val", "test": "test"}


def read(spec: Spec) -> Reading:
    """See `NamedDataset`; the JSON may be one file or several."""
    store = open_store(spec.path)
    tables = [(name, table) for name in store.names() if name.lower().endswith(".json")
              if (table := _table(store, name)) is not None]  # fmt: skip
    videos = videos_by_stem(store)
    if not tables or not videos:
        raise unlike(spec, LAYOUT, store.names(), "no such JSON" if not tables else "no videos")
    rows = _rows(tables, store)
    captions = _captions(tables, store, rows)
    members = []
    for key in natural_sorted(rows):
        row, where = rows[key]
        if key not in videos:
            raise InputError(f"{where}: {key!r} has captions, and there is no {key}.mp4")
        if key not in captions:
            raise InputError(f"{where}: {key!r} has no sentence")
        clip = VideoClip(store, videos[key], _label(row), spec.fps)
        members.append(Member(clip, _SPLITS[row["split"]], str(row.get("url") or key), tuple(captions[key])))
    skipped = [(name, "in no JSON") for stem, name in videos.items() if stem not in rows]
    checks = [
        Check("videos", 10000, len(members)),
        Check("captions", 200000, sum(len(member.captions) for member in members)),
        *part_checks(members, SIZES),
    ]
    return Reading(members, checks, skipped)


def _table(store: Store, name: str) -> dict[str, Any] | None:
    """Return a JSON file with videos and sentences, or None for one about something else."""
    where = store.where(name)
    try:
        table = json.loads(decode_text(store.read_bytes(name), where))
    except ValueError as error:
        raise InputError(f"{where}: not JSON: {error}") from None
    return table if isinstance(table, dict) and {"videos", "sentences"} <= set(table) else None


def _rows(tables: list[tuple[str, dict[str, Any]]], store: Store) -> dict[str, tuple[dict[str, Any], str]]:
    """Return video id to its row and where that stands."""
    rows: dict[str, tuple[dict[str, Any], str]] = {}
    splits = SplitTable()
    for name, table in tables:
        for number, row in enumerate(table["videos"]):
            where = f"{store.where(name)} videos[{number}]"
            key = _text(row, "video_id", where)
            if _text(row, "split", where) not in _SPLITS:
                raise InputError(f"{where}: split {row['split']!r} is none of train, validate, test")
            splits.add(key, _SPLITS[row["split"]], where)
            rows[key] = row, where
    return rows


def _captions(
    tables: list[tuple[str, dict[str, Any]]], store: Store, rows: dict[str, tuple[dict[str, Any], str]]
) -> dict[str, list[str]]:
    captions: dict[str, list[str]] = {}
    for name, table in tables:
        for number, row in enumerate(table["sentences"]):
            where = f"{store.where(name)} sentences[{number}]"
            key = _text(row, "video_id", where)
            if key not in rows:
                raise InputError(f"{where}: a caption for {key!r}, which is not among the videos")
            captions.setdefault(key, []).append(" ".join(_text(row, "caption", where).split()))
    return captions


def _text(row: Any, key: str, where: str) -> str:
    if not isinstance(row, dict) or not isinstance(row.get(key), str) or not row[key].strip():
        raise InputError(f"{where}: {key!r} is missing, empty or not text")
    return row[key]


def _label(row: dict[str, Any]) -> str | None:
    number = row.get("category")
    return CATEGORIES[number] if isinstance(number, int) and 0 <= number < len(CATEGORIES) else None


DATASET = NamedDataset(
    name="msrvtt",
    title="MSR-VTT (Xu et al. 2016)",
    splits=(TRAIN, "val", "test"),
    split_rule="official, 6,513 / 497 / 2,990; clips of one web video stay together",
    url="https://www.microsoft.com/en-us/research/publication/msr-vtt-a-large-video-description-dataset-for-bridging-video-and-language/",
    licence="videos from the web, under their owners' terms; for research",
    layout=LAYOUT,
    read=read,
)
