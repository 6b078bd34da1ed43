"""The set measures: features of two sets in, one number out.

A measure knows nothing of how features are made, so the same three serve video, frame and motion features. Each also
says what it keeps of a set that comes piece by piece (`state`), and makes the same figure of that (`reduce`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from moviola.metrics.functional.bootstrap import bootstrap_counts, frechet_bootstrap
from moviola.metrics.functional.frechet import Gaussian, check_same_size, frechet_from_features
from moviola.metrics.functional.inception import (
    inception_from_sums,
    inception_score,
    inception_scores_counted,
)
from moviola.metrics.functional.infinity import Countable
from moviola.metrics.functional.kernel import kernel_distance, kernel_distance_counted
from moviola.metrics.functional.moments import as_clips, check_clips
from moviola.metrics.running import RunningClasses, RunningGaussian, RunningRows, in_own_order


@runtime_checkable
class SetMeasure(Countable, Protocol):
    """The reduce step of a set metric: features of two sets, (N, rows, d) and (M, rows, d), in, a number out.

    Attributes:
        lowest: what the figure cannot lie below, or None.
        free_rows: clips may have any number of rows.
    """

    lowest: ClassVar[float | None]
    free_rows: ClassVar[bool]

    def resample(
        self, real: np.ndarray, fake: np.ndarray, draws: int, generator: np.random.Generator
    ) -> np.ndarray:
        """Return the scores of `draws` bootstrap resamplings of the clips, float64 (draws,)."""
        ...

    def state(self) -> Any:
        """Return what is kept of a set that comes piece by piece, empty (`moviola.metrics.running`)."""
        ...

    def reduce(self, real: Any, fake: Any) -> float:
        """Return the score of two such states."""
        ...


@dataclass(frozen=True)
class FrechetMeasure:
    """The Fréchet distance of the features: FVD, and its kin on other features.

    Attributes:
        ddof: 1 divides the covariances by n - 1, 0 by n.
    """

    ddof: int = 1
    lowest: ClassVar[float | None] = 0.0
    unbiased: ClassVar[bool] = False
    fake_only: ClassVar[bool] = False
    free_rows: ClassVar[bool] = True

    def score(self, real: np.ndarray, fake: np.ndarray) -> float:
        """Return the distance of `fake` (M, rows, d) from `real` (N, rows, d), at least 0.

        Raises:
            InputError: fewer than 2 clips in a set, features of different sizes, or a value that is not finite.
        """
        return frechet_from_features(real, fake, self.ddof)

    def resample(
        self, real: np.ndarray, fake: np.ndarray, draws: int, generator: np.random.Generator
    ) -> np.ndarray:
        """Return the distances of `draws` bootstrap resamplings of the clips, float64 (draws,)."""
        return frechet_bootstrap(real, fake, draws, generator, self.ddof)

    def scorer(self, real: np.ndarray, fake: np.ndarray) -> Callable[[np.ndarray, np.ndarray], float]:
        """Return a function of (counts of real clips (N,), counts of generated ones (M,)) to the distance."""
        real, fake = check_clips(real, "the real set"), check_clips(fake, "the generated set")
        check_same_size(real, fake)

        def score(real_counts: np.ndarray, fake_counts: np.ndarray) -> float:
            one = Gaussian.of(real, self.ddof, real_counts)
            return one.distance(Gaussian.of(fake, self.ddof, fake_counts))

        return score

    def fewest_clips(self, real: np.ndarray, fake: np.ndarray) -> float:
        """Return the larger effective rank of the two sets: with fewer clips the bias does not fall as 1 / N."""
        return max(Gaussian.of(clips, self.ddof).effective_rank() for clips in (real, fake))

    def state(self) -> RunningGaussian:
        """Return no rows: of a set, rows are kept while they are fewer than features, moments from then on."""
        return RunningGaussian()

    def reduce(self, real: RunningGaussian, fake: RunningGaussian) -> float:
        """Return the distance of two such sets, at least 0."""
        return real.gaussian(self.ddof).distance(fake.gaussian(self.ddof))


@dataclass(frozen=True)
class KernelMeasure:
    """The unbiased polynomial-kernel distance of the features, in subsets: KVD.

    Attributes:
        subsets: random subsets whose distances are averaged.
        subset_size: clips of each set in a subset; sets no larger than that are compared whole.
        seed: of the subsets.
    """

    subsets: int = 100
    subset_size: int = 1000
    seed: int = 0
    lowest: ClassVar[float | None] = None
    unbiased: ClassVar[bool] = True
    fake_only: ClassVar[bool] = False
    free_rows: ClassVar[bool] = False

    def score(self, real: np.ndarray, fake: np.ndarray) -> float:
        """Return the distance of `fake` (M, rows, d) from `real` (N, rows, d); below 0 by chance when they are alike.

        Raises:
            InputError: as `FrechetMeasure.score`.
        """
        generator = np.random.default_rng(self.seed)
        return kernel_distance(real, fake, self.subsets, self.subset_size, generator)

    def resample(
        self, real: np.ndarray, fake: np.ndarray, draws: int, generator: np.random.Generator
    ) -> np.ndarray:
        """Return the distances of `draws` bootstrap resamplings of the clips, float64 (draws,)."""
        real, fake = check_clips(real, "the real set"), check_clips(fake, "the generated set")
        counts = [bootstrap_counts(len(clips), draws, generator) for clips in (real, fake)]
        return kernel_distance_counted(real, fake, counts[0], counts[1])

    def scorer(self, real: np.ndarray, fake: np.ndarray) -> Callable[[np.ndarray, np.ndarray], float]:
        """Return a function of (which real clips (N,), which generated ones (M,), not 0) to the distance."""
        real, fake = as_clips(real), as_clips(fake)

        def score(real_counts: np.ndarray, fake_counts: np.ndarray) -> float:
            return self.score(real[np.flatnonzero(real_counts)], fake[np.flatnonzero(fake_counts)])

        return score

    def fewest_clips(self, real: np.ndarray, fake: np.ndarray) -> float:
        """Return 2: the estimate is unbiased at any number of clips."""
        return 2.0

    def state(self) -> RunningRows:
        """Return no clips: all features of a set are kept."""
        return RunningRows()

    def reduce(self, real: RunningRows, fake: RunningRows) -> float:
        """Return the distance of two such sets, whose clips are put in an order of their own first."""
        return self.score(in_own_order(real.rows), in_own_order(fake.rows))


@dataclass(frozen=True)
class InceptionMeasure:
    """The inception score of class probabilities, each row summing to 1; the real set is not looked at.

    Attributes:
        splits: parts whose scores are averaged.
    """

    splits: int = 1
    lowest: ClassVar[float | None] = 1.0
    unbiased: ClassVar[bool] = False
    fake_only: ClassVar[bool] = True
    free_rows: ClassVar[bool] = True

    def score(self, real: np.ndarray, fake: np.ndarray) -> float:
        """Return the score of `fake` (M, rows, classes), from 1 to the number of classes.

        Raises:
            InputError: fewer than 2 clips, or rows that are no probabilities.
        """
        return inception_score(check_clips(fake, "the generated set"), self.splits)

    def resample(
        self, real: np.ndarray, fake: np.ndarray, draws: int, generator: np.random.Generator
    ) -> np.ndarray:
        """Return the scores of `draws` bootstrap resamplings of the clips (one split each), float64 (draws,)."""
        clips = check_clips(fake, "the generated set")
        return inception_scores_counted(clips, bootstrap_counts(len(clips), draws, generator))

    def scorer(self, real: np.ndarray, fake: np.ndarray) -> Callable[[np.ndarray, np.ndarray], float]:
        """Return a function of (anything, counts of generated clips (M,)) to the score in one split."""
        clips = check_clips(fake, "the generated set")

        def score(real_counts: np.ndarray, fake_counts: np.ndarray) -> float:
            return float(inception_scores_counted(clips, fake_counts[None])[0])

        return score

    def fewest_clips(self, real: np.ndarray, fake: np.ndarray) -> float:
        """Return the perplexity of the classes over all rows: with fewer clips the bias does not fall as 1 / N."""
        clips = check_clips(fake, "the generated set")
        rows = sum(clips[i : i + 256].sum(axis=(0, 1), dtype=np.float64) for i in range(0, len(clips), 256))
        share = np.asarray(rows) / np.sum(rows)
        share = share[share > 0]
        return float(np.exp(-(share * np.log(share)).sum()))

    def state(self) -> RunningClasses:
        """Return no clips: two sums are kept of a set."""
        return RunningClasses()

    def reduce(self, real: RunningClasses, fake: RunningClasses) -> float:
        """Return the score of `fake` in one split."""
        sums = (np.array([value]) for value in (fake.marginal, fake.negentropy, fake.rows))
        return float(inception_from_sums(*sums)[0])
