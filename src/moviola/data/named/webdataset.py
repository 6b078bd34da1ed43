"""WebDataset shards: tar archives of samples, the files of one sample sharing a key.

Source: the format of the webdataset library, in which large sets of web videos are distributed: `KEY.mp4` beside
`KEY.txt` (its caption) or `KEY.json`, the key being the name up to its first dot.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from moviola.core.errors import InputError
from moviola.core.names import natural_sorted
from moviola.data.captions import COLUMNS, decode_text
from moviola.data.layouts import VideoClip, suffix_of
from moviola.data.named.base import (
    TRAIN,
    Check,
    Member,
    NamedDataset,
    Reading,
    Spec,
    part_checks,
    unlike,
)
from moviola.data.tar_store import TarStore, expand_shards

LAYOUT = "shards.tar, or a folder of them, of KEY.mp4 with KEY.txt or KEY.json"


def read(spec: Spec) -> Reading:
    """See `NamedDataset`; a shard whose name has train, val or test in it is of that split."""
    shards = _shards(spec)
    store = TarStore(shards, spec.path)
    samples = _samples(store)
    split_of = {shard: _split(shard) for shard in shards}
    members, skipped = [], list[tuple[str, str]]()
    for key, files in samples.items():
        video = _video(files)
        if video is None:
            if ".txt" in files:
                raise InputError(
                    f"{store.where(files['.txt'])} is a caption without a clip; expected {key}.mp4"
                )
            skipped += [(name, "a sample without a video") for name in files.values()]
            continue
        caption = _caption(store, files)
        clip = VideoClip(store, video, None, spec.fps)
        members.append(Member(clip, split_of[store.shard(video)], key, (caption,) if caption else ()))
    if not members:
        raise unlike(spec, LAYOUT, store.names(), "no videos")
    splits = {member.split: None for member in members if member.split is not None}
    checks = [Check("shards", len(shards), len(shards)), Check("clips", None, len(members))]
    return Reading(members, [*checks, *part_checks(members, splits)], skipped)


def _shards(spec: Spec) -> list[Path]:
    if not spec.path.is_dir():
        return expand_shards(spec.path)
    names = [path.name for path in spec.path.iterdir()]
    shards = [spec.path / name for name in natural_sorted(names) if name.lower().endswith(".tar")]
    if not shards:
        raise unlike(spec, LAYOUT, natural_sorted(names), "no .tar")
    return shards


def _samples(store: TarStore) -> dict[str, dict[str, str]]:
    """Return key to suffix (all after the first dot) to member."""
    samples: dict[str, dict[str, str]] = {}
    for name in store.names():
        folder, _, last = name.rpartition("/")
        stem, dot, suffix = last.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        samples.setdefault(key, {})[(dot + suffix).lower()] = name
    return samples


def _video(files: dict[str, str]) -> str | None:
    from moviola.data.codec.formats import VIDEO_SUFFIXES

    return next((name for name in files.values() if suffix_of(name) in VIDEO_SUFFIXES), None)


def _caption(store: TarStore, files: dict[str, str]) -> str:
    if ".txt" in files:
        name = files[".txt"]
        return " ".join(decode_text(store.read_bytes(name), store.where(name)).split())
    if ".json" not in files:
        return ""
    name = files[".json"]
    where = store.where(name)
    try:
        row = json.loads(decode_text(store.read_bytes(name), where))
    except ValueError as error:
        raise InputError(f"{where}: not JSON: {error}") from None
    texts = [row.get(key) for key in COLUMNS["caption"]] if isinstance(row, dict) else []
    return next((" ".join(text.split()) for text in texts if isinstance(text, str) and text.strip()), "")


def _split(shard: Path) -> str | None:
    name = PurePosixPath(shard.name).stem.lower()
    for split in (TRAIN, "val", "test"):
        if split in name:
            return split
    return None


DATASET = NamedDataset(
    name="webdataset",
    title="WebDataset shards",
    splits=(TRAIN, "val", "test"),
    split_rule="by shard: those with train, val or test in their names; otherwise none",
    url="https://github.com/webdataset/webdataset (the format)",
    licence="that of the videos",
    layout=LAYOUT,
    read=read,
)
