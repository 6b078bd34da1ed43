"""Whole clips of one length, by number: what a model that knows each clip of its data set trains on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import InputError
from moviola.core.notes import note
from moviola.data.cache import CacheConfig, CachedItem, open_cached
from moviola.data.loader import Sample
from moviola.data.sources import Source, open_source
from moviola.data.toys import sinusoid


class ClipTable:
    """Clips of one length by number; what all tables share.

    Args:
        frames: T of a clip; frame k of it is frame k `stride` of the source.
        stride: take every `stride`-th frame.
        loop: begin again where a source is too short.
        captions: what each clip is called.
        fps: frames a second of the clips.
    """

    def __init__(self, frames: int, stride: int, loop: bool, captions: Sequence[str], fps: float) -> None:
        self.frames, self.stride, self.loop = frames, stride, loop
        self.captions, self.fps = tuple(captions), fps

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.captions)

    def source(self, index: int) -> np.ndarray:
        """Return all frames of the source of clip `index`, uint8 (N, H, W, 3)."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """Return a text that changes with the pixels of any clip."""
        raise NotImplementedError

    def read(self, index: int, numbers: np.ndarray | None = None) -> np.ndarray:
        """Return frames of clip `index`, uint8 (T, H, W, 3).

        Args:
            index: which clip.
            numbers: frame numbers of the clip, real ones; the nearest frame of the source is taken. None for 0, 1 ...
        """
        clip = self.source(index)
        numbers = np.arange(self.frames) if numbers is None else numbers
        wanted = np.rint(np.asarray(numbers) * self.stride).astype(int)
        wanted = wanted % len(clip) if self.loop else wanted.clip(0, len(clip) - 1)
        return np.asarray(clip[wanted])

    def gather(self, indices: Sequence[int], numbers: np.ndarray) -> Tensor:
        """Return frames of several clips, uint8 (B, T, H, W, 3); `numbers` is (B, T)."""
        return torch.from_numpy(
            np.stack([self.read(i, row) for i, row in zip(indices, numbers, strict=True)])
        )


def _stems(items: Sequence[CachedItem]) -> list[str]:
    """Return the clips' file names without folders and suffixes; with folders where two would be alike."""
    paths = [PurePosixPath(item.name) for item in items]
    stems = Counter(path.stem for path in paths)
    return [path.stem if stems[path.stem] == 1 else str(path.with_suffix("")) for path in paths]


class DrawnTable(ClipTable):
    """Clips of the toy `sinusoid`, drawn once.

    Args:
        count: number of clips.
        config: of the toy; its `frames` are the clip's.
        seed: which set.
    """

    def __init__(self, count: int, config: sinusoid.Config, seed: int = 0) -> None:
        clips = [sinusoid.make(i, seed, config) for i in range(count)]
        super().__init__(
            config.frames, 1, False, [f"{i}: {c.caption}" for i, c in enumerate(clips)], config.fps
        )
        self._frames = [clip.video.frames for clip in clips]
        self._drawn_by = f"sinusoid {count} {seed} {config.to_json()}"

    def source(self, index: int) -> np.ndarray:
        """See `ClipTable.source`."""
        return self._frames[index]

    def fingerprint(self) -> str:
        """See `ClipTable.fingerprint`."""
        return self._drawn_by


class WholeClips(ClipTable):
    """Clips decoded once into the cache on disk, addressed by number.

    Args:
        path: whatever `moviola.data.sources.open_source` reads, such as a list of paths, one a line; or
            an opened source.
        height, width: px.
        frames: T of a clip; frame k of it is frame k `stride` of the file.
        stride: take every `stride`-th frame.
        loop: begin again where a file is too short, for animations that repeat.
        limit: take the first so many clips; None for all.
        hold_out: leave out the last of every so many clips, to measure on; 0 for none.
        held: take those that are left out instead.

    Raises:
        InputError: no clip has enough frames. Clips that are too short or cannot be decoded are left out, with a note
        that names them.
    """

    def __init__(
        self,
        path: str | Path | Source,
        height: int,
        width: int,
        frames: int,
        stride: int = 1,
        *,
        loop: bool = False,
        limit: int | None = None,
        hold_out: int = 0,
        held: bool = False,
    ) -> None:
        source = path if isinstance(path, Source) else open_source(path)
        self._cache = open_cached(source, CacheConfig(height=height, width=width, skip_broken=True))
        needed = (frames - 1) * stride + 1
        lengths = [item.info.frames for item in self._cache]
        self._keys = [i for i, n in enumerate(lengths) if n >= needed or (loop and n > 1)][:limit]
        short = [self._cache[i].name for i, n in enumerate(lengths) if n < needed and not (loop and n > 1)]
        if not self._keys:
            raise InputError(
                f"{source.path} has no clip of {needed} frames, "
                f"which {frames} frames at a stride of {stride} need; "
                f"its {len(lengths)} clips have {max(lengths, default=0)} at most"
            )
        if hold_out:
            every, self._keys = (
                self._keys,
                [k for n, k in enumerate(self._keys) if ((n + 1) % hold_out == 0) == held],
            )
            if not self._keys:
                part = "holds out none" if held else "leaves none to train on"
                raise InputError(
                    f"{source.path} has {len(every)} clips; to hold out one in {hold_out} {part}"
                )
        if self._cache.skipped:
            names = ", ".join(name for name, _ in self._cache.skipped[:5])
            names += " ..." if len(self._cache.skipped) > 5 else ""
            note(f"{len(self._cache.skipped)} clips cannot be decoded and are left out: {names}")
        if short:
            names = ", ".join(short[:5]) + (" ..." if len(short) > 5 else "")
            note(
                f"{len(short)} of {len(lengths)} clips have fewer than {needed} frames and are left out: {names}"
            )

        items = [self._cache[k] for k in self._keys]
        captions = [item.caption or stem for item, stem in zip(items, _stems(items), strict=True)]
        rate = float(np.median([float(item.info.fps) for item in items]))
        super().__init__(frames, stride, loop, captions, rate / stride)

    def source(self, index: int) -> np.ndarray:
        """See `ClipTable.source`."""
        return self._cache.frames(self._keys[index])

    def fingerprint(self) -> str:
        """See `ClipTable.fingerprint`."""
        return f"{self._cache.path.name} {self._keys} {self.frames} {self.stride} {self.loop}"


DRAW_BITS = 53
"""Of a number that `Draws` draws."""


class Draws:
    """A sample that is nothing but a random number: the objective draws clips by it, knowing the step.

    A growing set of clips (progressive training) cannot be drawn from (seed, n) alone.
    """

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return `draw`, int64 () in [0, 2^53)."""
        return {"draw": np.asarray(int(rng.random() * 2**DRAW_BITS))}
