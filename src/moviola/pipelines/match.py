"""Fit a mixture of corruptions to a generator: corrupted real clips as far from real ones as its clips are.

    found = match(open_source("real"), open_source("generated"))
    found.mixture.to_json()

Real clips are halved: A to compare with, B to corrupt. A distance is the Fréchet distance of features of A from those
of another set, as many clips in each. In order:

1. `target` is the distance of the generated clips; `floor` that of B as it is.
2. For each corruption, bisection finds the strength at which B, so corrupted, is at the target by itself; the highest
   strength where even that is nearer.
3. Each corruption shifts the mean of B's features; so do the generated clips. Weights are the non-negative least
   squares solution for the generated clips' shift. Where they add up to more than 1, clips get several corruptions.
4. A last bisection scales all strengths by one factor, so that the mixture as a whole is at the target; where a factor
   of 1.5 is too little, clips get more corruptions.

This has no model in the literature; the source document corrupts real clips in one fixed way for every generator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from moviola.core.errors import ConfigError, InputError, UnknownNameError
from moviola.core.progress import Tick
from moviola.core.seeds import numpy_generator
from moviola.data.corrupt import FAULTS, Mixture, find_corruption
from moviola.metrics.catalog import renamed
from moviola.metrics.functional.clip_statistics import LEAST_FRAMES, clip_statistics
from moviola.metrics.functional.frechet import Gaussian

if TYPE_CHECKING:
    from moviola.data.sources import Source

Features = Callable[[np.ndarray], np.ndarray]
FEATURES = ("statistics", "fvmd-lk", "i3d")
WEAKEST, STEPS = 0.02, 6  # of a strength; halvings of a bisection
SPREAD = 0.5  # a mixture's strengths lie within so much of the fitted one, in parts of it
LEAST_CLIPS, LEAST_WEIGHT, MOST = 4, 0.03, 4
_STRONGER, _NEAR = 1 + SPREAD, 0.95


@dataclass(frozen=True)
class Fit:
    """What was found for one corruption: its strength, the distance of B then, its share of the mixture."""

    name: str
    strength: float
    distance: float
    weight: float


@dataclass(frozen=True)
class Match:
    """What was found.

    Attributes:
        mixture: the mixture to train on.
        target: distance of the generated clips from real ones.
        floor: distance of other real clips from real ones.
        reached: distance of real clips corrupted by the mixture.
        explained: share of the shift of the generated clips' mean features that the weights make, 0 to 1.
        fits: the corruptions tried, those of most weight first.
        notes: what one should know, a sentence each.
    """

    mixture: Mixture
    target: float
    floor: float
    reached: float
    explained: float
    fits: tuple[Fit, ...]
    notes: tuple[str, ...] = ()


def match(
    real: Source,
    fake: Source,
    names: tuple[str, ...] = FAULTS,
    *,
    frames: int = 16,
    size: int = 64,
    clips: int = 32,
    features: str = "statistics",
    seed: int = 0,
    device: str = "cpu",
    tick: Tick | None = None,
) -> Match:
    """Fit a mixture of corruptions to generated clips.

    Args:
        real, fake: the real clips and the generated ones; one video of each is enough, many are better.
        names: corruptions to choose from.
        frames: T of a clip; fewer where the shortest clip taken is shorter, with a note.
        size: H = W, px: the middle square, resized.
        clips: clips of FAKE, of half A and of half B; a video may give several.
        features: "statistics" (plain numbers, quick), "fvmd-lk" (motion alone) or "i3d" (as FVD; about 0.3 s a clip and
            try on a processor).
        seed: of everything random.
        device: where networks run.
        tick: called for each corruption done, `len(names) + 1` times.

    Raises:
        UnknownNameError: an unknown corruption or features.
        ConfigError: sizes out of range.
        InputError: clips that are too short.
        VideoReadError: a clip that cannot be decoded.
        WeightsError: "i3d" without its weights.
    """
    _check(names, frames, size, clips)
    compute = feature_function(features, device)
    notes = renamed([features])
    order = numpy_generator(seed, "halves").permutation(len(real))
    halves = [order[::2], order[1::2]] if len(real) > 1 else [order, order]
    sets = [(real, halves[0][:clips]), (real, halves[1][:clips])]
    sets.append((fake, numpy_generator(seed, "fake").permutation(len(fake))[:clips]))
    length = min(frames, *(source.info(int(key)).frames for source, keys in sets for key in keys))
    if length < LEAST_FRAMES:
        raise InputError(f"the shortest clip has {length} frames; matching needs {LEAST_FRAMES} or more")
    if length < frames:
        notes.append(f"clips are {length} frames long, as the shortest is")
    if len(real) == 1:
        notes.append("REAL is one video: both halves are cut from it")
    first, second, made = (read_clips(source, keys, clips, length, size, seed) for source, keys in sets)
    found = match_clips(first, second, made, names, compute=compute, seed=seed, tick=tick)
    return Match(**{**vars(found), "notes": (*notes, *found.notes)})


def match_clips(
    first: np.ndarray,
    second: np.ndarray,
    fake: np.ndarray,
    names: tuple[str, ...] = FAULTS,
    *,
    compute: Features = clip_statistics,
    seed: int = 0,
    tick: Tick | None = None,
) -> Match:
    """Fit a mixture to clips in memory.

    Args:
        first, second: the halves A and B of the real clips, uint8 (N, T, H, W, 3).
        fake: generated clips, uint8 (N, T, H, W, 3).
        names: corruptions to choose from.
        compute: frames uint8 (T, H, W, 3) to features (d,).
        seed: of everything random.
        tick: called for each corruption done, `len(names) + 1` times.
    """
    search = _Search.begin(first, second, fake, compute, seed)
    found = []
    for name in names:
        found.append(search.strength(name))
        if tick:
            tick(1)
    shifts = np.stack([features.mean(0) for _, _, features in found]) - search.plain.mean(0)
    wanted = search.fake.mean(0) - search.real_mean
    weights = nonnegative_least_squares(shifts.T, wanted)
    explained = max(0.0, 1 - float(np.sum((wanted - weights @ shifts) ** 2) / max(np.sum(wanted**2), 1e-12)))
    notes = _notes(search, weights, explained)
    if not weights.sum() > 0:
        weights = _likest(shifts, wanted)
    shares = np.where(weights < LEAST_WEIGHT * weights.sum(), 0, weights)
    strengths = {name: s for name, (s, _, _), w in zip(names, found, shares, strict=True) if w > 0}
    most = int(np.clip(round(2 * shares.sum() - 1), 1, min(MOST, len(strengths))))
    shares = shares / shares.sum()
    mixture, reached = search.scaled(
        {name: float(w) for name, w in zip(names, shares, strict=True) if w > 0}, strengths, most
    )
    if tick:
        tick(1)
    if reached < _NEAR * search.target:
        notes = (*notes, "even the strongest mixture is nearer to REAL than FAKE is")
    fits = [Fit(n, s, d, float(w)) for n, (s, d, _), w in zip(names, found, shares, strict=True)]
    fits.sort(key=lambda fit: -fit.weight)
    return Match(mixture, search.target, search.floor, reached, explained, tuple(fits), notes)


@dataclass
class _Search:
    """Features of the three sets, brought to one scale, and distances from A."""

    second: np.ndarray
    compute: Features
    seed: int
    centre: np.ndarray
    scale: np.ndarray
    real: Gaussian = field(init=False)
    real_mean: np.ndarray = field(init=False)
    plain: np.ndarray = field(init=False)
    fake: np.ndarray = field(init=False)
    target: float = field(init=False)
    floor: float = field(init=False)

    @classmethod
    def begin(
        cls, first: np.ndarray, second: np.ndarray, fake: np.ndarray, compute: Features, seed: int
    ) -> _Search:
        """Measure target and floor."""
        raw = [
            np.stack([compute(clip) for clip in clips]).astype(np.float64) for clips in (first, second, fake)
        ]
        real = np.concatenate(raw[:2])
        spread = real.std(0)
        search = cls(second, compute, seed, real.mean(0), np.maximum(spread, 0.1 * np.median(spread) + 1e-9))
        a, search.plain, search.fake = (search._scaled(values) for values in raw)
        search.real, search.real_mean = Gaussian.of(a), np.concatenate([a, search.plain]).mean(0)
        search.target, search.floor = search._distance(search.fake), search._distance(search.plain)
        return search

    def strength(self, name: str) -> tuple[float, float, np.ndarray]:
        """Return the strength at which a corruption is at the target, the distance there, and the features."""
        corruption = find_corruption(name)

        def features(strength: float) -> np.ndarray:
            made = (
                corruption.apply(clip, strength, numpy_generator(self.seed, name, k))[0]
                for k, clip in enumerate(self.second)
            )
            return self._features(made)

        return self._bisect(features, WEAKEST, 1.0)

    def scaled(
        self, weights: dict[str, float], strengths: dict[str, float], most: int
    ) -> tuple[Mixture, float]:
        """Return the mixture with its strengths scaled to the target, and its distance.

        Where half as strong again is not enough, clips get more corruptions.
        """

        def mixture(factor: float) -> Mixture:
            ranges = {name: _around(factor * strength) for name, strength in strengths.items()}
            return Mixture.make({"weights": weights, "strengths": ranges, "most": most})

        def features(factor: float) -> np.ndarray:
            drawn = mixture(factor)
            generators = (numpy_generator(self.seed, "mixture", k) for k in range(len(self.second)))
            return self._features(
                drawn.draw(clip, generator)[0]
                for clip, generator in zip(self.second, generators, strict=True)
            )

        factor, distance, _ = self._bisect(features, 0.05, _STRONGER)
        if distance < _NEAR * self.target and most < min(MOST, len(strengths)):
            return self.scaled(weights, strengths, most + 1)
        return mixture(factor), distance

    def _bisect(
        self, features: Callable[[float], np.ndarray], low: float, high: float
    ) -> tuple[float, float, np.ndarray]:
        """Find where the distance reaches the target, by halving the ratio of the ends; the end if it never does."""
        made = features(high)
        best = (high, self._distance(made), made)
        if best[1] <= self.target:
            return best
        for _ in range(STEPS):
            middle = float(np.sqrt(low * high))
            made = features(middle)
            distance = self._distance(made)
            if abs(distance - self.target) < abs(best[1] - self.target):
                best = (middle, distance, made)
            low, high = (low, middle) if distance > self.target else (middle, high)
        return best

    def _features(self, clips: object) -> np.ndarray:
        return self._scaled(np.stack([self.compute(clip) for clip in clips]))  # type: ignore[attr-defined]

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        """Standard deviations from the real mean; far ones as their logarithm, so that no one number is all."""
        return np.arcsinh((values - self.centre) / self.scale)

    def _distance(self, features: np.ndarray) -> float:
        return self.real.distance(Gaussian.of(features))


def nonnegative_least_squares(columns: np.ndarray, wanted: np.ndarray, rounds: int = 2000) -> np.ndarray:
    """Return w >= 0 with the least |columns @ w - wanted|^2, by cyclic coordinate descent.

    Args:
        columns: (d, n). wanted: (d,).
        rounds: most passes over the coordinates.
    """
    gram, aim = columns.T @ columns, columns.T @ wanted
    weights = np.zeros(len(aim))
    for _ in range(rounds):
        before = weights.copy()
        for k in np.flatnonzero(np.diag(gram) > 0):
            weights[k] = max(0.0, weights[k] + (aim[k] - gram[k] @ weights) / gram[k, k])
        if np.abs(weights - before).max() < 1e-10:
            break
    return weights


def feature_function(name: str, device: str = "cpu") -> Features:
    """Return what makes a clip, uint8 (T, H, W, 3), into features (d,); see `match`.

    Raises:
        UnknownNameError: an unknown name. WeightsError: "i3d" without its weights.
    """
    from moviola.core.video import Video
    from moviola.metrics.base import OLD_KEYS, Extractor, Sample

    if name == "statistics":
        return clip_statistics
    name = OLD_KEYS.get(name, name)
    if name == "fvmd-lk":
        from moviola.metrics.fvmd import MotionExtractor

        extractor: Extractor = MotionExtractor(device)
        output = "histograms"
    elif name == "i3d":
        from moviola.metrics.i3d import I3DExtractor

        extractor, output = I3DExtractor.load(device, "data match"), "logits"
    else:
        raise UnknownNameError.of("features", name, FEATURES)
    return lambda frames: np.asarray(extractor(Sample(Video(frames, 25), "clip"))[output])


def read_clips(source: Source, keys: np.ndarray, count: int, frames: int, size: int, seed: int) -> np.ndarray:
    """Cut clips from some videos of a source, at random places, going round where `count` is more.

    Returns:
        uint8 (count, frames, size, size, 3).
    """
    made = []
    for k in range(count):
        key = int(keys[k % len(keys)])
        room = source.info(key).frames - frames
        start = int(numpy_generator(seed, "window", source[key].name, k).integers(room + 1))
        video = source.read(key, list(range(start, start + frames))).center_crop_square()
        made.append(video.resize(size, size).frames)
    return np.stack(made)


def _check(names: tuple[str, ...], frames: int, size: int, clips: int) -> None:
    if not names:
        raise ConfigError("matching needs at least one corruption to choose from")
    for name in names:
        find_corruption(name)
    for what, value, least in (
        ("frames", frames, LEAST_FRAMES),
        ("size", size, 16),
        ("clips", clips, LEAST_CLIPS),
    ):
        if value < least:
            raise ConfigError(f"{what} must be at least {least}, not {value}")


def _around(strength: float) -> tuple[float, float]:
    low, high = np.clip([strength * (1 - SPREAD), strength * (1 + SPREAD)], WEAKEST / 2, 1.0)
    return float(low), float(high)


def _likest(shifts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Weight 1 for the corruption whose shift points most nearly where the generated clips are."""
    cosines = shifts @ wanted / np.maximum(np.linalg.norm(shifts, axis=1), 1e-12)
    return (np.arange(len(cosines)) == cosines.argmax()).astype(float)


def _notes(search: _Search, weights: np.ndarray, explained: float) -> tuple[str, ...]:
    notes = []
    if search.target <= 1.25 * search.floor:
        notes.append("FAKE is hardly further from REAL than REAL from itself: there is little to fit")
    if not weights.sum() > 0:
        notes.append("no corruption moves real clips towards FAKE; the likest one was taken")
    elif explained < 0.5:
        notes.append(
            f"the corruptions explain {100 * explained:.0f} % of how FAKE differs; the rest is of another kind"
        )
    return tuple(notes)
