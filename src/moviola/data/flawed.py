"""Samples to train refiners on: a real clip, the same clip with known flaws, and where they are.

::

    samples = Flawed(clips, Mixture.of("blocks", "noise"), frames=16, label="action", words=tokenize)
    samples = Flawed(open_source("real/"), mixture, frames=16, size=64, pairs=Pairs("generated/", "real/", 64))

Source: REGIS ("Refining Generated Videos via Iterative Stylistic Redesigning"), whose refiners learn corrupted real
clips -> the same real clips. Pairs of a generated clip and the real one it stands for are taken as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol, Self

import numpy as np

from moviola.core.errors import ConfigError, InputError, UnknownNameError
from moviola.core.seeds import derive, numpy_generator
from moviola.data.cache import CacheConfig, CachedSource, open_cached
from moviola.data.common_rate import tell_broken
from moviola.data.corrupt import Mixture
from moviola.data.loader import Clips, Sample
from moviola.data.sources import Source, open_source

Words = Callable[[str], np.ndarray]
Read = Callable[[np.ndarray], np.ndarray]
UNKNOWN = -1  # the label of a clip of no known class
TOKENS = 32  # length of `tokens` where nothing makes words into numbers
_HOLD_OUT_EVERY = 10  # one clip in so many is held out


@dataclass(frozen=True)
class TrainingClip:
    """One clip that can be asked for its frames, and what is known of it.

    Attributes:
        length: number of frames (of one cycle, where `cyclic`).
        cyclic: frame numbers count on over the end.
        read: frame numbers, int (N,), to uint8 (N, H, W, 3).
        flawed: the same for its generated counterpart; None where flaws must be made.
        label: its class, or None.
        caption: its caption; empty where there is none.
    """

    length: int
    cyclic: bool
    read: Read
    flawed: Read | None = None
    label: str | None = None
    caption: str = ""


class TrainingClips(Protocol):
    """A set of clips to draw from; `classes` are the labels they may have."""

    classes: tuple[str, ...]

    def draw(self, rng: np.random.Generator) -> TrainingClip:
        """Draw one at random."""
        ...


class CaptionedTrainingClips:
    """Captioned clips of a grammar (sprites, actions, digits, anyone's captioned videos).

    Args:
        clips: where they come from.
        label: the slot of the captions that is the class ("action"); None for no classes.

    Raises:
        UnknownNameError: the captions have no such slot.
    """

    def __init__(self, clips: Clips, label: str | None = None) -> None:
        self.clips, self.grammar = clips, clips.grammar
        names = [slot.name for slot in self.grammar.slots]
        if label is not None and label not in names:
            raise UnknownNameError.of("slot of the captions", label, names)
        self._slot = None if label is None else names.index(label)
        self.classes: tuple[str, ...] = (
            () if self._slot is None else tuple(v.name for v in self.grammar.slots[self._slot].values)
        )

    def draw(self, rng: np.random.Generator) -> TrainingClip:
        """Draw one clip; a slot that its caption does not say is no class."""
        clip = self.clips.draw(rng)
        value = 0 if self._slot is None else int(clip.slots[self._slot])
        label = self.classes[value - 1] if value else None
        return TrainingClip(
            clip.length, clip.cyclic, clip.read, None, label, self.grammar.caption(clip.slots)
        )


class SourceTrainingClips:
    """Anyone's videos, with labels and captions where they have them, decoded once into the cache on disk.

    Args:
        source: what `open_source` gives, or what `open_cached` makes of it.
        size: H = W in pixels: the middle square, resized; not asked of a cached source.
        held: None for all clips; False for those to train on, True for those held out (one in ten, by a hash of
            the name); where that would leave none to train on, all are. Broken ones are left out, with a note.

    Raises:
        ConfigError: no `size`, or clips of several sizes.
        InputError: no clip is left.
    """

    def __init__(
        self, source: Source | CachedSource, size: int | None = None, *, held: bool | None = None
    ) -> None:
        if isinstance(source, Source):
            if size is None:
                raise ConfigError("clips from files need a size in pixels to be trained on")
            source = open_cached(source, CacheConfig(height=size, width=size, skip_broken=True))
            tell_broken(source.skipped)
        self.source = source
        self.classes = tuple(sorted({item.label for item in source if item.label is not None}))
        self._keys = [
            i
            for i, name in enumerate(source.names)
            if held is None or (derive(10, name) % _HOLD_OUT_EVERY == 0) == held
        ]
        if not self._keys and held is False:
            self._keys = list(range(len(source)))
        if not self._keys:
            raise InputError(
                f"{len(source)} clips are too few to split one in ten off" if len(source) else "no clips"
            )
        sizes = {(info.height, info.width) for info in (source.info(i) for i in range(len(source)))}
        if len(sizes) > 1:
            raise ConfigError(
                f"the clips have {len(sizes)} different sizes; pack them to one (moviola data pack)"
            )

    def draw(self, rng: np.random.Generator) -> TrainingClip:
        """Draw one clip."""
        key = self._keys[int(rng.integers(len(self._keys)))]
        item, frames = self.source[key], self.source.frames(key)
        read = partial(np.take, frames, axis=0)
        return TrainingClip(len(frames), False, read, None, item.label, item.caption or "")


class Pairs:
    """Generated clips beside the real ones that they should have been.

    Args:
        generated: folder (or whatever `open_source` reads) of generated videos.
        real: folder of real videos of the same names; the suffix may differ. Labels and captions are taken from
            here. Where one of a pair is longer, its end is not used.
        size: H = W in pixels.

    Raises:
        InputError: no name occurs in both; broken files are left out, and so are clips without a counterpart (see
            `unpaired`).

    Attributes:
        names: of the pairs.
        unpaired: names that occur on one side only.
    """

    def __init__(self, generated: str | Path, real: str | Path, size: int) -> None:
        config = CacheConfig(height=size, width=size, skip_broken=True)
        self._generated = open_cached(open_source(generated), config)
        self._real = open_cached(open_source(real), config)
        tell_broken([*self._generated.skipped, *self._real.skipped])
        generated_index, true = (
            {_stem(n): i for i, n in enumerate(s.names)} for s in (self._generated, self._real)
        )
        self.names = sorted(generated_index.keys() & true.keys())
        self.unpaired = sorted(generated_index.keys() ^ true.keys())
        if not self.names:
            raise InputError(f"no video in {generated} has the name of one in {real}; pairs have equal names")
        self._keys = [(generated_index[name], true[name]) for name in self.names]
        self.classes = tuple(sorted({item.label for item in self._real if item.label is not None}))

    @classmethod
    def in_folder(cls, folder: str | Path, size: int) -> Self:
        """Open what `moviola data pairs` writes: FOLDER/generated and FOLDER/real."""
        return cls(Path(folder) / "generated", Path(folder) / "real", size)

    def __len__(self) -> int:
        return len(self.names)

    def draw(self, rng: np.random.Generator) -> TrainingClip:
        """Draw one pair."""
        fake, true = self._keys[int(rng.integers(len(self._keys)))]
        item, real, generated = self._real[true], self._real.frames(true), self._generated.frames(fake)
        read, flawed = (partial(np.take, frames, axis=0) for frames in (real, generated))
        return TrainingClip(
            min(len(real), len(generated)), False, read, flawed, item.label, item.caption or ""
        )


class Flawed:
    """(clean, flawed, mask, label, tokens): what a refiner is trained on.

    Args:
        clips: where real clips come from: `Clips` of a grammar, a `Source`, or a cached one.
        mixture: the flaws put in.
        frames: T of a sample. A clip with fewer holds its last frame, or goes round where it is cyclic.
        size: H = W in pixels of a `Source`; ignored for others, which have theirs.
        stride: take every `stride`-th frame, where the clip is long enough for it.
        label: the slot of a grammar's captions that is the class.
        words: makes a caption into numbers, int64 (L,); `moviola.nn.words.tokenize`. None: no text.
        pairs: pairs to mix in.
        paired: share of samples taken from `pairs`; of no effect without.
        held: which side of the split of a `Source`; see `SourceTrainingClips`.

    Raises:
        ConfigError: a length, stride or share out of range, or pairs of another size than the clips.

    Attributes:
        classes: names of the labels: those of the clips, then those that only pairs have.
    """

    def __init__(
        self,
        clips: Clips | Source | CachedSource,
        mixture: Mixture,
        frames: int = 16,
        *,
        size: int | None = None,
        stride: int = 1,
        label: str | None = None,
        words: Words | None = None,
        pairs: Pairs | None = None,
        paired: float = 0.5,
        held: bool | None = None,
    ) -> None:
        if frames < 1 or stride < 1 or not 0 <= paired <= 1:
            raise ConfigError(
                f"frames and stride are at least 1 and paired is 0 to 1, not {frames}, {stride}, {paired}"
            )
        self.clips: TrainingClips = (
            SourceTrainingClips(clips, size, held=held)
            if isinstance(clips, Source | CachedSource)
            else CaptionedTrainingClips(clips, label)
        )
        self.mixture, self.frames, self.stride, self.words = mixture, frames, stride, words
        self.pairs, self.paired = pairs, paired if pairs is not None else 0.0
        pair_classes = pairs.classes if pairs is not None else ()
        self.classes = (*self.clips.classes, *(c for c in pair_classes if c not in self.clips.classes))
        self._numbers = {name: k for k, name in enumerate(self.classes)}
        if pairs is not None:
            _check_sizes(self.clips, pairs)

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return one sample.

        Returns:
            clean and flawed uint8 (T, H, W, 3); mask uint8 (T, H, W), 1 where flawed (everywhere, for a pair); label
            int64 (), -1 where unknown; tokens int64 (L,), zeros where there is no text.
        """
        if self.paired and rng.random() < self.paired and self.pairs is not None:
            take = self.pairs.draw(rng)
        else:
            take = self.clips.draw(rng)
        index = self._window(take, rng)
        clean = np.asarray(take.read(index))
        if take.flawed is not None:
            flawed, mask = np.asarray(take.flawed(index)), np.ones(clean.shape[:3], bool)
        else:
            flawed, mask = self.mixture.draw(clean, rng)
        tokens = np.zeros(TOKENS, np.int64) if self.words is None else self.words(take.caption)
        label = UNKNOWN if take.label is None else self._numbers[take.label]
        return {
            "clean": clean,
            "flawed": flawed,
            "mask": mask.astype(np.uint8),
            "label": np.array(label, np.int64),
            "tokens": tokens,
        }

    def _window(self, take: TrainingClip, rng: np.random.Generator) -> np.ndarray:
        """Draw which frames, int (T,): consecutive, `stride` apart or as far as the clip allows."""
        if take.cyclic:
            start = int(rng.integers(take.length))
            return start + self.stride * np.arange(self.frames)
        stride = max(1, min(self.stride, (take.length - 1) // max(1, self.frames - 1)))
        room = max(0, take.length - 1 - stride * (self.frames - 1))
        start = int(rng.integers(room + 1))
        return (start + stride * np.arange(self.frames)).clip(max=take.length - 1)


def _check_sizes(takes: TrainingClips, pairs: Pairs) -> None:
    shapes = [
        source.draw(numpy_generator(0)).read(np.zeros(1, np.int64)).shape[1:3] for source in (takes, pairs)
    ]
    (height, width), other = shapes
    if shapes[0] != other:
        raise ConfigError(
            f"the clips are {width}x{height} and the pairs {other[1]}x{other[0]}; open both at one size"
        )


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()
