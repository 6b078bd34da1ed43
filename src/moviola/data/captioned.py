"""Captioned clips to train on: sprites and toys drawn as they are asked for, and anyone's captioned videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from moviola.core.errors import InputError, PromptError
from moviola.core.seeds import numpy_generator
from moviola.data.cache import CacheConfig, open_cached
from moviola.data.common_rate import common_rate, resampled, tell_broken
from moviola.data.grammar import Grammar
from moviola.data.loader import Clip, Read
from moviola.data.mirrored import mirrored
from moviola.data.toys import load_toy, sprites


class SpriteClips:
    """Sprites, drawn when asked.

    Args:
        parts: folder of the part sheets.
        held: False for the looks to train on, True for those held out.
        unsaid: chance that a clip leaves some of its visible slots unsaid, as a given image does.
        by_action: share of the clips that are drawn uniformly over the actions, not over the rows of the sheets.
    """

    grammar: Grammar = sprites.GRAMMAR

    def __init__(
        self, parts: str | Path, *, held: bool = False, unsaid: float = 0.0, by_action: float = 0.0
    ) -> None:
        self.sheets, self.held, self.unsaid = sprites.sheets(str(parts)), held, unsaid
        self.by_action = by_action
        self._visible = np.array([slot.visible for slot in self.grammar.slots])

    def draw(self, rng: np.random.Generator) -> Clip:
        """Draw one clip: any action and facing of a look on this side of the split."""
        by_action = self.by_action > 0 and rng.random() < self.by_action
        clip = self.of(sprites.random_slots(rng, self.held, by_action=by_action))
        if rng.random() < self.unsaid:
            clip.slots[self._visible & (rng.random(len(clip.slots)) < 0.7)] = 0
        return clip

    def of(self, slots: np.ndarray) -> Clip:
        """Return the clip with these slots."""
        drawn = slots.copy()  # the caption may lose words later; what is drawn does not
        read = partial(sprites.clip_frames, self.sheets, drawn)
        differing = partial(self._differing, drawn)

        def other_look(rng: np.random.Generator) -> Read:
            """Frames of the same action, by anyone."""
            row = np.where(self._visible, sprites.random_slots(rng, self.held), drawn)
            return partial(sprites.clip_frames, self.sheets, row)

        def other_past(rng: np.random.Generator) -> Read:
            """Frames of the same person who did something else, or faced another way."""
            row = drawn
            while np.array_equal(row, drawn):
                row = np.where(self._visible, drawn, sprites.random_slots(rng))
            return partial(sprites.clip_frames, self.sheets, row)

        return Clip(
            slots,
            sprites.cycle_length(slots),
            cyclic=True,
            read=read,
            differing=differing,
            other_look=other_look,
            other_past=other_past,
        )

    def _differing(self, slots: np.ndarray, index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Where the frames `index` of `slots` change when one part of the look is another."""
        slot = int(rng.integers(6))
        size = self.grammar.sizes[slot]
        other = slots.copy()
        other[slot] = (slots[slot] - 1 + int(rng.integers(1, size))) % size + 1
        mine, theirs = (sprites.clip_frames(self.sheets, row, index) for row in (slots, other))
        return (mine != theirs).any(axis=-1)


class DrawnClips:
    """Procedural captioned toys (digits, icons), each made once and kept.

    Args:
        toy: "digits" or "icons".
        count: number of different clips.
        seed: of the toy.
        grammar: the captions to use; clips it cannot say are left out. None: learnt from the clips.
        config: settings of the toy, as its `Config` takes them.

    Raises:
        InputError: when the grammar says none of the clips.
    """

    def __init__(
        self, toy: str, count: int, seed: int = 0, *, grammar: Grammar | None = None, **config: Any
    ) -> None:
        module = load_toy(toy)
        made = [module.make(i, seed, module.Config.make(config)) for i in range(count)]
        self.toy, self.count, self.config = toy, count, config
        self.grammar = grammar or Grammar.from_captions(clip.caption for clip in made)
        made = [clip for clip in made if _says(self.grammar, clip.caption)]
        if not made:
            raise InputError(
                f"none of {count} {toy} clips can be said in the words of the others; draw more clips"
            )
        self._frames = [clip.video.frames for clip in made]
        self._slots = [_slots(self.grammar, clip.caption) for clip in made]

    def others(self, seed: int) -> DrawnClips:
        """Return as many clips of another seed, said in the words of these."""
        return DrawnClips(self.toy, self.count, seed, grammar=self.grammar, **self.config)

    def draw(self, rng: np.random.Generator) -> Clip:
        """Draw one of the clips."""
        k = int(rng.integers(len(self._frames)))
        frames = self._frames[k]
        return Clip(self._slots[k], len(frames), cyclic=False, read=partial(np.take, frames, axis=0))


class SceneClips:
    """Drawn digits or icons, one or two a clip, each clip made when it is first asked for and kept.

    Args:
        toy: "digits" or "icons".
        count: number of different clips.
        seed: of the set.
        config: settings of the toy, as its `Config` takes them.
    """

    def __init__(self, toy: str, count: int, seed: int = 0, **config: Any) -> None:
        from moviola.data.toys.scene_grammar import scene_grammar

        self.module: Any = load_toy(toy)  # digits or icons, whose `make` can draw other looks
        self.count, self.seed = count, seed
        self.background = config.get("background", (0, 0, 0))
        self._clips: dict[int, Clip] = {}
        self.config = self.module.Config.make({"apart": True, **config})
        self.grammar = scene_grammar(toy)

    def draw(self, rng: np.random.Generator) -> Clip:
        """Draw one of the clips."""
        index = int(rng.integers(self.count))
        if index not in self._clips:
            self._clips[index] = self.of(index)
        return self._clips[index]

    def of(self, index: int) -> Clip:
        """Make clip `index`, one period of it."""
        clip = self.module.make(index, self.seed, self.config)
        period, frames = int(clip.truth["period"]), clip.video.frames
        slots = _slots(self.grammar, clip.caption)

        def read(numbers: np.ndarray) -> np.ndarray:
            return frames[numbers % period]

        def covered(numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            """Where something is drawn: there the frames would differ if the caption were another."""
            return (read(numbers) != np.array(self.background)).any(axis=-1)

        def other_look(rng: np.random.Generator) -> Read:
            """Frames of other things in the same places, which move alike."""
            others = self.module.make(index, self.seed, self.config, looks=rng).video.frames
            return lambda numbers: others[numbers % period]

        def flow(numbers: np.ndarray, first: int) -> np.ndarray:
            """Where the pixels of what moves were in frame `first`."""
            return scene_flow(clip.truth["elements"], numbers % period, first % period, frames.shape[1:3])

        latent = places(clip.truth, self.grammar.elements, numpy_generator(self.seed, "places", index))
        return Clip(
            slots,
            period,
            cyclic=True,
            read=read,
            differing=covered,
            latent=latent,
            other_look=other_look,
            flow=flow,
        )


def scene_flow(
    elements: Sequence[dict[str, Any]], numbers: np.ndarray, first: int, size: tuple[int, int]
) -> np.ndarray:
    """Return where the pixels of a scene's elements were in a first frame, less their own place.

    A pixel p of an element at c_t, turned by a_t, was at c_0 + R(a_0 - a_t) (p - c_t).

    Args:
        elements: of a scene's truth, the ones in front last.
        numbers: of frames, int (N,). first: of the first frame.
        size: (H, W).

    Returns:
        float32 (N, 2, H, W), px, x before y; nan more than a pixel beyond the elements' radius.
    """
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    flow = np.full((len(numbers), 2, *size), np.nan, np.float32)
    for element in elements:
        centres, angles = element["centres"], element["angles"]
        for k, number in enumerate(numbers):
            dx, dy = x - centres[number, 0], y - centres[number, 1]
            turn = angles[first] - angles[number]
            cos, sin = np.cos(turn), np.sin(turn)
            source = centres[first, 0] + cos * dx - sin * dy, centres[first, 1] + sin * dx + cos * dy
            covered = dx**2 + dy**2 <= (element["radius"] + 1) ** 2  # edges are drawn softly
            flow[k] = np.where(covered, np.stack([source[0] - x, source[1] - y]), flow[k])
    return flow


def places(truth: dict[str, Any], count: int, rng: np.random.Generator) -> np.ndarray:
    """Return where the elements of a scene stand, as standard normal numbers, float32 (2 count,): x and y of each.

    Args:
        truth: of a scene whose elements stand apart.
        count: most elements; those that are not there are drawn, as are places without room.
    """
    out = rng.standard_normal(2 * count)
    for k, spot in enumerate(element["spot"] for element in truth["elements"]):
        for axis, value in enumerate(spot):
            if value is not None:
                out[2 * k + axis] = NormalDist().inv_cdf(min(max((value + 1) / 2, 1e-4), 1 - 1e-4))
    return out.astype(np.float32)


class VideoClips:
    """Anyone's captioned videos, decoded once into the cache on disk.

    Args:
        path: whatever `moviola.data.sources.open_source` reads, with captions beside it; a clip without a caption
            takes its label.
        size: H = W in pixels.
        held: False for the clips to train on, True for those held out: the other splits of a named data set, else
            one in ten, by a hash of the name. Where that would leave none to train on, all are trained on.
        mirror: flip half of the clips to train on from left to right, and their captions with them (`mirrored`).

    Of a clip with several captions, one is drawn each time. Clips that cannot be decoded are left out, and those of
    another rate than most are resampled, each with a note that names them.

    Attributes:
        fps: frames a second of every clip.

    Raises:
        InputError: when no clip has a caption or a label, or none is held out.
    """

    def __init__(self, path: str | Path, size: int, *, held: bool = False, mirror: bool = False) -> None:
        from moviola.data.sources import is_held_out, open_source

        source = open_source(path)
        self._cache = open_cached(source, CacheConfig(height=size, width=size, skip_broken=True))
        items = list(self._cache)
        tell_broken(self._cache.skipped)
        self.fps = common_rate([item.info for item in items])
        self._numbers = resampled(items, self.fps)
        labels = [(item.label or "").replace("-", " ").replace("_", " ") for item in items]
        captions = [
            item.captions or ((label,) if label else ()) for item, label in zip(items, labels, strict=True)
        ]
        if not any(captions):
            raise InputError(
                f"{path} has no captions: put captions.jsonl or captions.csv beside the videos, or one folder a label"
            )
        flips: list[Callable[[str], str]] = [str, mirrored] if mirror else [str]
        self.grammar = Grammar.from_captions(
            flip(caption) for several in captions for caption in several for flip in flips
        )
        self._mirror = mirror and not held
        self._slots = {
            i: [[_slots(self.grammar, flip(caption)) for caption in several] for flip in flips]
            for i, several in enumerate(captions)
            if several
        }
        self._keys = [i for i in self._slots if is_held_out(items[i], source.splits) == held]
        if not self._keys and not held and len(source.splits) < 2:
            self._keys = list(self._slots)
        if not self._keys:
            raise InputError(
                f"{path} has too few captioned clips ({len(self._slots)}) to split one in ten off"
            )

    def draw(self, rng: np.random.Generator) -> Clip:
        """Draw one clip on this side of the split."""
        k = self._keys[int(rng.integers(len(self._keys)))]
        frames, numbers = self._cache.frames(k), self._numbers[k]
        flip = self._mirror and bool(rng.integers(2))
        rows = self._slots[k][flip]
        slots = rows[int(rng.integers(len(rows)))] if len(rows) > 1 else rows[0]

        def read(index: np.ndarray) -> np.ndarray:
            shown = np.asarray(frames[index if numbers is None else numbers[index]])
            return shown[:, :, ::-1] if flip else shown

        return Clip(slots, len(frames if numbers is None else numbers), cyclic=False, read=read)


def _says(grammar: Grammar, caption: str) -> bool:
    try:
        return not grammar.parse(caption).unknown
    except PromptError:
        return False


def _slots(grammar: Grammar, caption: str) -> np.ndarray:
    return np.array([min(a) + 1 if a else 0 for a in grammar.parse(caption).allowed], dtype=np.int64)
