"""Arrays that are wanted again in reverse order, in memory as far as they fit there, else in a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np

HELD = 128 * 2**20
"""Bytes that stay in memory."""


class Spill:
    """A stack of groups of arrays; memory is bounded, however many there are. The arrays come back as they were put.

    Args:
        folder: where the file is made, without a name; None for that of temporary files.
        held: bytes that stay in memory.
    """

    def __init__(self, folder: Path | None = None, held: int = HELD) -> None:
        self._folder, self._left = folder, held
        self._groups: list[tuple[np.ndarray, ...] | list[tuple[np.dtype, tuple[int, ...]]]] = []
        self._file: Any = None

    def __len__(self) -> int:
        return len(self._groups)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def push(self, arrays: tuple[np.ndarray, ...]) -> None:
        """Put a group of arrays on top."""
        size = sum(array.nbytes for array in arrays)
        if size <= self._left:
            self._left -= size
            self._groups.append(arrays)
            return
        self._left = 0  # what comes later goes to the file, too: its end is the top
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
        for array in arrays:
            self._file.write(np.ascontiguousarray(array).data)
        self._groups.append([(array.dtype, array.shape) for array in arrays])

    def pop(self) -> tuple[np.ndarray, ...]:
        """Take the group on top away, and return it."""
        group = self._groups.pop()
        if isinstance(group, tuple):
            return group
        sizes = [int(np.prod(shape, dtype=np.int64)) * dtype.itemsize for dtype, shape in group]
        start = self._file.seek(0, 2) - sum(sizes)
        self._file.seek(start)
        arrays = tuple(
            np.frombuffer(bytearray(self._file.read(size)), dtype).reshape(shape)
            for size, (dtype, shape) in zip(sizes, group, strict=True)
        )
        self._file.truncate(start)
        self._file.seek(start)
        return arrays
