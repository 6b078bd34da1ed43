"""Set metrics that are fed piece by piece: `update`, `compute`, `reset`, `merge`, `state_dict`, `load_state`.

    fvd = FrechetVideoDistance()
    for video in real_videos:
        fvd.update([video], real=True)
    for video in generated_videos:
        fvd.update([video], real=False)
    print(fvd.compute())

Whatever the pieces and their order, and however many objects shared the work before they were merged, the figure is
the same to 1e-9. These classes give bare numbers; `moviola.evaluate` adds protocol, interval and floor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from moviola.metrics.base import Sample
from moviola.metrics.functional.inception import inception_from_sums, inception_sums
from moviola.metrics.functional.kernel import kernel_distance
from moviola.metrics.functional.moments import as_clips
from moviola.metrics.running import (
    SETS,
    RunningGaussian,
    State,
    check_numbers,
    check_same,
    checked_features,
    in_own_order,
    part_of,
)

if TYPE_CHECKING:
    from moviola.core.video import Video
    from moviola.metrics.base import Extractor


class FrechetDistance:
    """The Fréchet distance of any features; holds moments, never all features.

    Args:
        ddof: 1 divides the covariances by n - 1, 0 by n.
    """

    def __init__(self, ddof: int = 1) -> None:
        self.ddof = ddof
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._sides = {name: RunningGaussian() for name in SETS}

    def update(self, features: np.ndarray, *, real: bool) -> None:
        """Add features.

        Args:
            features: (clips, d) or (clips, rows, d).
            real: whether they are of the real set.

        Raises:
            InputError: another d than before, or a value that is not finite; nothing was added then.
        """
        clips = checked_features(features, self._shapes(), free_rows=True)
        if len(clips):
            self._sides["real" if real else "fake"].add(clips)

    def compute(self) -> float:
        """Return the distance, at least 0.

        Raises:
            InputError: fewer than 2 clips in a set.
        """
        check_numbers({name: side.clips for name, side in self._sides.items()})
        return self._sides["real"].gaussian(self.ddof).distance(self._sides["fake"].gaussian(self.ddof))

    def merge(self, other: FrechetDistance) -> None:
        """Add what `other` has seen.

        Raises:
            InputError: its features have another size.
        """
        check_same(self._shapes(), other._shapes())
        for name in SETS:
            self._sides[name].join(other._sides[name])

    def state_dict(self) -> State:
        """Return everything seen so far as plain arrays, for `load_state` or a file of any kind."""
        return {f"{name}.{key}": a for name, side in self._sides.items() for key, a in side.state().items()}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what `state_dict` returned, in place of what was seen.

        Raises:
            InputError: it is the state of something else.
        """
        self._sides = {name: RunningGaussian.from_state(part_of(state, name, "clips")) for name in SETS}

    def _shapes(self) -> set[tuple[int, ...]]:
        return set().union(*(side.shapes for side in self._sides.values()))


class KernelDistance:
    """The unbiased polynomial-kernel distance of any features; holds the features.

    Args:
        subsets: random subsets whose distances are averaged.
        subset_size: clips of each set in a subset; sets no larger are compared whole.
        seed: of the subsets.
    """

    def __init__(self, subsets: int = 100, subset_size: int = 1000, seed: int = 0) -> None:
        self.subsets, self.subset_size, self.seed = subsets, subset_size, seed
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._sides: dict[str, list[np.ndarray]] = {name: [] for name in SETS}

    def update(self, features: np.ndarray, *, real: bool) -> None:
        """Add features; arguments and errors as `FrechetDistance.update`, and all clips have as many rows."""
        clips = checked_features(features, self._shapes(), free_rows=False)
        if len(clips):
            self._sides["real" if real else "fake"].append(clips.copy())

    def compute(self) -> float:
        """Return the distance; below 0 by chance when the sets are alike.

        Raises:
            InputError: fewer than 2 clips in a set.
        """
        check_numbers({name: sum(map(len, parts)) for name, parts in self._sides.items()})
        real, fake = (in_own_order(np.concatenate(self._sides[name])) for name in SETS)
        generator = np.random.default_rng(self.seed)
        return kernel_distance(real, fake, self.subsets, self.subset_size, generator)

    def merge(self, other: KernelDistance) -> None:
        """Add what `other` has seen.

        Raises:
            InputError: its features have another size.
        """
        check_same(self._shapes(), other._shapes(), free_rows=False)
        for name in SETS:
            self._sides[name] = self._sides[name] + other._sides[name]

    def state_dict(self) -> State:
        """Return everything seen so far as plain arrays."""
        return {f"{name}.clips": np.concatenate(p) if p else np.zeros(0) for name, p in self._sides.items()}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what `state_dict` returned, in place of what was seen.

        Raises:
            InputError: it is the state of something else.
        """
        parts = {name: np.array(part_of(state, name, "clips")["clips"]) for name in SETS}
        self._sides = {name: [clips] if len(clips) else [] for name, clips in parts.items()}

    def _shapes(self) -> set[tuple[int, ...]]:
        return {parts[0].shape[1:] for parts in self._sides.values() if parts}


class InceptionScore:
    """The inception score of class probabilities, in one split; holds two sums.

    `update` takes `real` for the sake of a common signature, and leaves real clips out.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._marginal: np.ndarray | None = None
        self._negentropy, self._rows, self._clips = 0.0, 0, 0

    def update(self, probabilities: np.ndarray, *, real: bool = False) -> None:
        """Add class probabilities, (clips, classes) or (clips, rows, classes); nothing happens with `real`.

        Raises:
            InputError: rows that are no probabilities, or of another number of classes.
        """
        if real:
            return
        clips = as_clips(probabilities, "class probabilities")
        check_same(self._shapes(), {clips.shape[-1:]})
        marginal, negentropy = inception_sums(clips, np.ones((1, len(clips))))
        self._add(marginal[0], float(negentropy[0]), clips.shape[0] * clips.shape[1], len(clips))

    def compute(self) -> float:
        """Return the score, from 1 to the number of classes.

        Raises:
            InputError: fewer than 2 clips.
        """
        check_numbers({"fake": self._clips})
        marginal = np.asarray(self._marginal)[None]
        return float(inception_from_sums(marginal, np.array([self._negentropy]), np.array([self._rows]))[0])

    def merge(self, other: InceptionScore) -> None:
        """Add what `other` has seen."""
        if other._marginal is not None:
            check_same(self._shapes(), other._shapes())
            self._add(other._marginal, other._negentropy, other._rows, other._clips)

    def state_dict(self) -> State:
        """Return everything seen so far as plain arrays."""
        marginal = np.zeros(0) if self._marginal is None else self._marginal.copy()
        sums = np.array([self._negentropy, self._rows, self._clips], dtype=np.float64)
        return {"fake.marginal": marginal, "fake.sums": sums}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what `state_dict` returned, in place of what was seen.

        Raises:
            InputError: it is the state of something else.
        """
        part = part_of(state, "fake", "marginal", "sums")
        marginal = np.array(part["marginal"], dtype=np.float64)
        self._marginal = marginal if len(marginal) else None
        negentropy, rows, clips = part["sums"]
        self._negentropy, self._rows, self._clips = float(negentropy), int(rows), int(clips)

    def _shapes(self) -> set[tuple[int, ...]]:
        return set() if self._marginal is None else {self._marginal.shape}

    def _add(self, marginal: np.ndarray, negentropy: float, rows: int, clips: int) -> None:
        self._marginal = marginal if self._marginal is None else self._marginal + marginal
        self._negentropy += negentropy
        self._rows += rows
        self._clips += clips


class FrechetVideoDistance(FrechetDistance):
    """FVD, fed with videos.

    Args:
        extractor: makes the features; None: I3D on Kinetics-400, loaded at the first video.
        output: which of its arrays.
        ddof: 1 divides the covariances by n - 1, 0 by n.
        device: where I3D runs.
    """

    def __init__(
        self, extractor: Extractor | None = None, output: str = "logits", ddof: int = 1, device: str = "cpu"
    ) -> None:
        super().__init__(ddof)
        self._maker = _FeatureMaker(extractor, output, device)

    def update(self, videos: Sequence[Video] | np.ndarray, *, real: bool) -> None:
        """Add videos.

        Args:
            videos: clips cut as the protocol has it (FVD: 16 frames), or features that the same extractor made,
                (clips, d).
            real: whether they are of the real set.

        Raises:
            InputError: a clip the extractor refuses (too few frames), or features as in `FrechetDistance.update`.
            WeightsError: no I3D weights on this machine; the line says how to get them.
        """
        if len(videos):
            super().update(self._maker(videos), real=real)


class KernelVideoDistance(KernelDistance):
    """KVD, fed with videos.

    Args:
        extractor: makes the features; None: I3D on Kinetics-400, loaded at the first video.
        output: which of its arrays.
        subsets: as in `KernelDistance`.
        subset_size: also.
        seed: also.
        device: where I3D runs.
    """

    def __init__(
        self,
        extractor: Extractor | None = None,
        output: str = "logits",
        subsets: int = 100,
        subset_size: int = 1000,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        super().__init__(subsets, subset_size, seed)
        self._maker = _FeatureMaker(extractor, output, device)

    def update(self, videos: Sequence[Video] | np.ndarray, *, real: bool) -> None:
        """Add videos or features; arguments and errors as `FrechetVideoDistance.update`."""
        if len(videos):
            super().update(self._maker(videos), real=real)


class _FeatureMaker:
    """Videos to features; what is an array already passes through."""

    def __init__(self, extractor: Extractor | None, output: str, device: str) -> None:
        self.extractor, self.output, self.device = extractor, output, device

    def __call__(self, videos: Sequence[Video] | np.ndarray) -> np.ndarray:
        if isinstance(videos, np.ndarray):
            return videos
        if self.extractor is None:
            from moviola.metrics.i3d import I3DExtractor

            self.extractor = I3DExtractor.load(self.device)
        samples = [Sample(video, f"video {index}") for index, video in enumerate(videos)]
        features = [np.asarray(self.extractor(sample)[self.output]) for sample in samples]
        return np.stack(features)
