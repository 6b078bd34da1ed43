"""The rows of a column joined into arrays that are mapped from disk: memory does not grow with the number of clips."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from moviola.core.errors import ConfigError
from moviola.pipelines.evaluate.keys import batches
from moviola.pipelines.evaluate.store import FeatureStore, Row, write_errors

Layout = dict[str, tuple[int, ...]]
"""Name to shape of the outputs of an extractor for a clip."""
_SMALL = 8 << 20  # bytes of an output that are held in memory


@dataclass(frozen=True)
class Features:
    """The features of a set, one row a clip.

    Attributes:
        rows: which of the planned clips they are, ascending.
        failed: (name, reason) of those that could not be made.
        outputs: name to float32 (clips, ...), mapped from disk.
    """

    rows: tuple[int, ...]
    failed: tuple[tuple[str, str], ...]
    outputs: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class StoredColumn:
    """What the store holds of one column.

    Args:
        store: the store.
        extractor: key of the extractor. what: its name, for messages.
        clips: row to key of the clip, ascending.
        names: of the clips, by row. places: how to tell a person where each is; what failed is kept by that too.
    """

    store: FeatureStore
    extractor: bytes
    what: str
    clips: Mapping[int, bytes]
    names: Sequence[str]
    places: Sequence[str]
    _layouts: dict[bytes, Layout] = field(default_factory=dict)

    def row(self, number: int, outputs: Mapping[str, Any]) -> Row:
        """Return what an extractor gave for clip `number` as a row of the store.

        Raises:
            ConfigError: its shapes are not those of the other clips.
        """
        arrays = [(name, np.asarray(outputs[name], dtype=np.float32)) for name in sorted(outputs)]
        layout = json.dumps([(name, array.shape) for name, array in arrays]).encode()
        self._check_layout(layout, number)
        value = b"".join(array.tobytes() for _, array in arrays)
        return Row(self.extractor, self.clips[number], layout, value)

    def failure(self, number: int, reason: str) -> Row:
        """Return why clip `number` could not be decoded as a row of the store."""
        value = json.dumps([self.places[number], reason]).encode()
        return Row(self.extractor, self.clips[number], b"", value)

    def read(self) -> tuple[Features, list[int]]:
        """Return the features, and the rows that are missing; where there are any, no outputs yet.

        Raises:
            OutputError: there is no room for them. ConfigError: their shapes differ from clip to clip.
        """
        rows: list[int] = []
        missing: list[int] = []
        failed: list[tuple[str, str]] = []
        with ExitStack() as stack:
            joined = _Joined(self.store.root, stack)
            for batch in batches(list(self.clips)):
                stored = self.store.read(self.extractor, [self.clips[number] for number in batch])
                whole = []
                for number in batch:
                    layout, value = stored.get(self.clips[number], (b"", b""))
                    if layout:
                        if layout not in self._layouts:
                            self._check_layout(layout, number)
                        rows.append(number)
                        whole.append(value)
                    elif value and (reason := self._reason(value, number)):
                        failed.append((self.names[number], reason))
                    else:
                        missing.append(number)
                if not missing:
                    joined.add(whole, self._layout)
            outputs = {} if missing else joined.outputs(len(rows), self._layout)
        return Features(tuple(rows), tuple(sorted(failed)), outputs), missing

    @property
    def _layout(self) -> Layout:
        return next(iter(self._layouts.values()), {})

    def _reason(self, failure: bytes, number: int) -> str | None:
        """Return why a clip failed; None where its files lie elsewhere now, as the reason names them."""
        place, reason = json.loads(failure)
        return reason if place == self.places[number] else None

    def _check_layout(self, text: bytes, number: int) -> None:
        """Hold the layout of a row against that of the first."""
        if text in self._layouts:
            return
        layout = {name: tuple(shape) for name, shape in json.loads(text)}
        if self._layouts:
            first = self._layout
            name = next(name for name in (*first, *layout) if first.get(name) != layout.get(name))
            raise ConfigError(
                f"{self.what} gives {name} of shape {layout.get(name)} for {self.names[number]} and {first.get(name)} "
                "for other clips; one size for all is needed, as resize=... in the protocol"
            )
        self._layouts[text] = layout


class _Joined:
    """The outputs, written from the first row to the last: in memory while they are small, else to temporary files.

    These lie beside the store, as a system's folder for temporary files may be in memory.
    """

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.root, self._stack = root, stack
        self._files: dict[str, IO[bytes]] = {}

    def add(self, values: Sequence[bytes], layout: Layout) -> None:
        """Write some rows."""
        start = 0
        for name, shape in layout.items():
            stop = start + 4 * prod(shape)
            with write_errors(self.root):
                if name not in self._files:
                    folder = str(self.root) if os.access(self.root, os.W_OK) else None
                    file = tempfile.SpooledTemporaryFile(_SMALL, dir=folder)  # noqa: SIM115
                    self._files[name] = self._stack.enter_context(file)
                self._files[name].write(b"".join([value[start:stop] for value in values]))
            start = stop

    def outputs(self, count: int, layout: Layout) -> dict[str, np.ndarray]:
        """Return the arrays, float32 (count, ...)."""
        arrays: dict[str, np.ndarray] = {}
        for name, file in self._files.items():
            shape = (count, *layout[name])
            with write_errors(self.root):
                file.flush()
                file.seek(0)
                if 4 * prod(shape) > _SMALL:
                    arrays[name] = np.memmap(file, np.float32, "r", shape=shape)
                else:
                    arrays[name] = np.frombuffer(file.read(), np.float32).reshape(shape)
        return arrays
