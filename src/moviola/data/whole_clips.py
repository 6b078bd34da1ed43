"""Whole clips of one length, or intervals of long ones, by number: for a model that knows each clip of its data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import ConfigError, InputError
from moviola.core.notes import note
from moviola.data.cache import CacheConfig, CachedItem, open_cached
from moviola.data.common_rate import common_rate, join_names, resampled, tell_broken
from moviola.data.intervals import cut, ends_left_out, hold_out
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
        indices = np.rint(np.asarray(numbers) * self.stride).astype(int)
        indices = indices % len(clip) if self.loop else indices.clip(0, len(clip) - 1)
        return np.asarray(clip[indices])

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


class SinusoidTable(ClipTable):
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
        frames: T of a clip; frame k of it is frame k `stride` of the file, counted from the clip's start.
        stride: take every `stride`-th frame.
        loop: begin again where a file is too short, for animations that repeat.
        interval: frames between the starts of successive clips of one file, each called by its first frame,
            "jelly @300"; 0 for one clip a file, from its first frame on.
        limit: take the first so many clips; None for all.
        hold_out: leave out the last of every so many clips, to measure on; 0 for none. Clips that share frames with
            one of these are not trained on either, with a note.
        held: take those that are left out instead.

    Raises:
        InputError: no clip has enough frames, or none is left. Clips that are too short or cannot be decoded are left
            out, with a note that names them; so are the ends of files that are too short for one more interval.
        ConfigError: an interval below 0, or one with `loop`.
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
        interval: int = 0,
        limit: int | None = None,
        hold_out: int = 0,
        held: bool = False,
    ) -> None:
        _check(interval, loop)
        source = path if isinstance(path, Source) else open_source(path)
        if len(source.splits) > 1:  # a named data set says itself what is held out
            source, hold_out = source.part(held), 0
        self._cache = open_cached(source, CacheConfig(height=height, width=width, skip_broken=True))
        self._span, self._interval = (frames - 1) * stride + 1, interval
        items = list(self._cache)
        rate = common_rate([item.info for item in items])
        self._numbers = resampled(items, rate, self._kind)
        lengths = [
            item.info.frames if numbers is None else len(numbers)
            for item, numbers in zip(items, self._numbers, strict=True)
        ]
        playable = [max(n, self._span) if loop and n > 1 else n for n in lengths]
        self._places = cut(playable, self._span, interval)[:limit]
        if not self._places:
            raise InputError(
                f"{source.path} has no clip of {self._span} frames, "
                f"which {frames} frames at a stride of {stride} need; "
                f"its {len(lengths)} {self._kind} have {max(lengths, default=0)} at most"
            )
        self._tell(playable)
        if hold_out:
            self._hold_out(hold_out, held, source.path)

        super().__init__(frames, stride, loop, self._captions(), float(rate) / stride)

    @property
    def _kind(self) -> str:
        return "videos" if self._interval else "clips"

    def _hold_out(self, every: int, held: bool, path: Path) -> None:
        """Take the clips that are held out, or those to train on."""
        count = len(self._places)
        trained, out, shared = hold_out(self._places, every, self._span)
        self._places = out if held else trained
        if not self._places:
            part = "holds out none" if held else "leaves none to train on"
            why = f"; {shared} share frames with those, none would at data.interval={self._span}"
            raise InputError(
                f"{path} has {count} clips; to hold out one in {every} {part}{why if shared and not held else ''}"
            )
        if shared and not held:
            note(
                f"{shared} of {count} clips share frames with the {len(out)} held out and are not trained on; "
                f"none would at data.interval={self._span}"
            )

    def _tell(self, lengths: Sequence[int]) -> None:
        """Say what cannot be decoded and what is too short."""
        tell_broken(self._cache.skipped, self._kind)
        short = [self._cache[i].name for i, n in enumerate(lengths) if n < self._span]
        if short:
            note(
                f"{len(short)} of {len(lengths)} {self._kind} have fewer than {self._span} frames and are left out: "
                f"{join_names(short)}"
            )
        if not self._interval:
            return
        ends = ends_left_out(self._places, lengths, self._span, self._interval)
        if ends:
            names = join_names([self._cache[video].name for video in ends])
            note(
                f"{sum(ends.values())} of {sum(lengths)} frames are left out, at the end of {names}: "
                f"too few for a clip of {self._span}"
            )

    def _captions(self) -> list[str]:
        """Return what each clip is called; unique where files are cut into intervals."""
        videos = list(dict.fromkeys(place.video for place in self._places))
        items = [self._cache[video] for video in videos]
        stems = _stems(items)
        names = [item.caption or stem for item, stem in zip(items, stems, strict=True)]
        if self._interval:
            count = Counter(names)
            names = [n if count[n] == 1 else f"{n} ({stem})" for n, stem in zip(names, stems, strict=True)]
        called = dict(zip(videos, names, strict=True))
        return [f"{called[v]} @{start}" if self._interval else called[v] for v, start in self._places]

    def source(self, index: int) -> np.ndarray:
        """See `ClipTable.source`; of an interval, the frames that its clip reaches over."""
        video, start = self._places[index]
        frames, numbers = self._cache.frames(video), self._numbers[video]
        part = slice(start, start + self._span) if self._interval else slice(None)
        return frames[part if numbers is None else numbers[part]]

    def fingerprint(self) -> str:
        """See `ClipTable.fingerprint`."""
        places = [list(place) if self._interval else place.video for place in self._places]
        rate = "" if all(numbers is None for numbers in self._numbers) else f" at {self.fps * self.stride:g}"
        return f"{self._cache.path.name} {places} {self.frames} {self.stride} {self.loop}{rate}"


def _check(interval: int, loop: bool) -> None:
    if interval < 0:
        raise ConfigError(f"data.interval is {interval}; it is a number of frames, or 0 for one clip a file")
    if interval and loop:
        raise ConfigError("data.interval cuts long files and data.loop repeats short ones; set one of them")


DRAW_BITS = 53
"""Of a number that `RandomNumbers` draws."""


class RandomNumbers:
    """A sample that is nothing but a random number: the objective draws clips by it, knowing the step.

    A growing set of clips (progressive training) cannot be drawn from (seed, n) alone.
    """

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return `draw`, int64 () in [0, 2^53)."""
        return {"draw": np.asarray(int(rng.random() * 2**DRAW_BITS))}
