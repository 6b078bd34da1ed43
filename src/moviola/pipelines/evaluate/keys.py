"""What features are kept by: the extractor, and the clip by its contents, wherever its files lie.

The files of a clip are hashed once: the digest is kept beside the features, by their place, sizes and times.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from moviola.core.errors import InputError, OutputError
from moviola.core.names import name_bytes
from moviola.pipelines.evaluate.inputs import Entry
from moviola.pipelines.evaluate.samples import Plan
from moviola.pipelines.evaluate.store import FeatureStore, Row

T = TypeVar("T")

FORMAT = 2
READS = ("name", "label", "caption")
"""What an extractor may read of a sample beside its frames."""
_BATCH = 64  # rows that are read at once
_CONTENTS = hashlib.sha256(b"contents of files").digest()


def extractor_key(extractor: Any) -> bytes:
    """Return the SHA-256 of what an extractor says of itself: its name and its identity."""
    return _sha256(json.dumps([FORMAT, extractor.name, sorted(extractor.identity().items())]))


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield `items` in pieces, each of as many rows as are read at once."""
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


class ClipKeys:
    """The keys of the clips of a set.

    Args:
        plan: the set.
        store: keeps the digests of files.
    """

    def __init__(self, plan: Plan, store: FeatureStore) -> None:
        self.plan = plan
        entries = {cut.entry.name: cut.entry for cut in plan.cuts}
        self._places = {name: _place_key(entry) for name, entry in entries.items()}
        self._contents: dict[str, str] = {}
        digests: dict[Any, str] = {}
        for batch in batches(list(entries)):
            self._contents |= _read_contents(
                {name: entries[name] for name in batch}, self._places, store, digests
            )
        self.where = [cut.entry.where for cut in plan.cuts]
        """How to tell a person which video each clip is of."""
        side = plan.side.clip_key()
        self._frames = [
            _sha256(f"{self._contents[cut.entry.name]}\t{side}\t{cut.indices.tolist()}") for cut in plan.cuts
        ]

    def key(self, row: int, extractor: Any) -> bytes:
        """Return the SHA-256 of all that `extractor` can tell clip `row` from another by.

        That is the contents of its files, the frames taken, what is done to them, and whichever of its name, label and
        caption the extractor reads.
        """
        cut = self.plan.cuts[row]
        known = {"name": cut.name, "label": cut.entry.label, "caption": cut.entry.caption}
        read = {field: known[field] for field in READS if field in getattr(extractor, "reads", READS)}
        return hashlib.sha256(self._frames[row] + json.dumps(read).encode()).digest()

    def check(self, row: int) -> None:
        """Raise InputError where the files of clip `row` hold something else than when its key was made."""
        entry = self.plan.cuts[row].entry
        if _place_key(entry) == self._places[entry.name]:
            return
        if entry.contents() != self._contents[entry.name]:
            raise InputError(f"{entry.where} was changed while it was evaluated; evaluate again")


def _read_contents(
    entries: Mapping[str, Entry],
    places: Mapping[str, bytes | None],
    store: FeatureStore,
    digests: dict[Any, str],
) -> dict[str, str]:
    """Return name to contents of some entries, from the store where they are known; others are added to it."""
    stored = store.read(_CONTENTS, [place for name in entries if (place := places[name]) is not None])
    contents: dict[str, str] = {}
    fresh: list[Row] = []
    for name, entry in entries.items():
        place = places[name]
        if place is not None and place in stored:
            contents[name] = stored[place][1].decode()
            continue
        try:
            contents[name] = entry.contents(digests)
        except InputError:  # decoding it will say why
            contents[name] = f"{place!r}"
            continue
        if place is not None and entry.is_settled():
            fresh.append(Row(_CONTENTS, place, b"", contents[name].encode()))
    with suppress(OutputError):  # a cache that cannot be written costs time alone
        store.write(fresh)
    return contents


def _place_key(entry: Entry) -> bytes | None:
    place = entry.place()
    return None if place is None else _sha256(place)


def _sha256(text: str) -> bytes:
    return hashlib.sha256(name_bytes(text)).digest()
