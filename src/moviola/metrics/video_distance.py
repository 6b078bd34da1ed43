"""The set measures: two arrays of features in, one number out. And FVD and KVD on the I3D network.

A measure only names which extractor's features it reads; how they are made is the extractor's affair. So the same
three serve video, frame and motion features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from moviola.core.errors import ConfigError
from moviola.metrics.functional.bootstrap import bootstrap_counts, frechet_bootstrap
from moviola.metrics.functional.frechet import Gaussian, check_same_size, frechet_from_features
from moviola.metrics.functional.inception import inception_score, inception_scores_counted
from moviola.metrics.functional.kernel import kernel_distance, kernel_distance_counted
from moviola.metrics.functional.moments import as_clips, check_clips
from moviola.metrics.sharing import load_shared

if TYPE_CHECKING:
    from moviola.metrics.base import Extractor
    from moviola.metrics.options import MetricOptions
    from moviola.metrics.protocol import Protocol


@dataclass(frozen=True)
class FrechetMeasure:
    """The Fréchet distance of the features: FVD, and its kin on other features.

    Attributes:
        extractor: name of the extractor it reads.
        output: which of its arrays.
        ddof: 1 divides the covariances by n - 1, 0 by n.
    """

    extractor: str
    output: str
    ddof: int = 1
    lowest: ClassVar[float | None] = 0.0
    unbiased: ClassVar[bool] = False
    fake_only: ClassVar[bool] = False

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


@dataclass(frozen=True)
class KernelMeasure:
    """The unbiased polynomial-kernel distance of the features, in subsets: KVD.

    Attributes:
        extractor: name of the extractor it reads.
        output: which of its arrays.
        subsets: random subsets whose distances are averaged.
        subset_size: clips of each set in a subset; sets no larger than that are compared whole.
        seed: of the subsets.
    """

    extractor: str
    output: str
    subsets: int = 100
    subset_size: int = 1000
    seed: int = 0
    lowest: ClassVar[float | None] = None
    unbiased: ClassVar[bool] = True
    fake_only: ClassVar[bool] = False

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


@dataclass(frozen=True)
class InceptionMeasure:
    """The inception score of class probabilities; the real set is not looked at.

    Attributes:
        extractor: name of the extractor it reads.
        output: which of its arrays: probabilities, each row summing to 1.
        splits: parts whose scores are averaged.
    """

    extractor: str
    output: str
    splits: int = 1
    lowest: ClassVar[float | None] = 1.0
    unbiased: ClassVar[bool] = False
    fake_only: ClassVar[bool] = True

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


def make_fvd(
    protocol: Protocol, device: str, options: MetricOptions
) -> tuple[list[Extractor], FrechetMeasure]:
    """Return extractor and measure of FVD: I3D logits averaged over time (Unterthiner et al. 2018).

    Raises:
        WeightsError: no weights on this machine; the line says how to get them.
    """
    return [_i3d(device, "fvd", options)], FrechetMeasure("i3d", "logits", protocol.ddof)


def make_fvd_pooled(
    protocol: Protocol, device: str, options: MetricOptions
) -> tuple[list[Extractor], FrechetMeasure]:
    """Return extractor and measure of FVD on the 1024 pooled features before the classifier; raises as `make_fvd`."""
    if options.i3d_torchscript is not None:
        raise ConfigError("fvd-pooled needs our own I3D: the TorchScript file gives no pooled features")
    return [_i3d(device, "fvd-pooled", options)], FrechetMeasure("i3d", "pooled", protocol.ddof)


def make_kvd(
    protocol: Protocol, device: str, options: MetricOptions
) -> tuple[list[Extractor], KernelMeasure]:
    """Return extractor and measure of KVD: the kernel distance of I3D logits; raises as `make_fvd`."""
    return [_i3d(device, "kvd", options)], KernelMeasure("i3d", "logits", seed=protocol.seed)


def _i3d(device: str, metric: str, options: MetricOptions) -> Extractor:
    path = options.i3d_torchscript
    if path is not None:
        from moviola.metrics.i3d_torchscript import TorchScriptI3DExtractor

        return load_shared(("i3d", str(path), device), lambda: TorchScriptI3DExtractor(path, device))
    from moviola.metrics.i3d import I3DExtractor

    return load_shared(("i3d", device), lambda: I3DExtractor.load(device, metric))
