"""FVD and KVD: distances of sets of clips on the features of I3D (Unterthiner et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from moviola.core.errors import ConfigError
from moviola.metrics.base import Extractor, Sample
from moviola.metrics.cache import load_shared
from moviola.metrics.kinds import SetMetric
from moviola.metrics.measures import FrechetMeasure, KernelMeasure

if TYPE_CHECKING:
    from moviola.metrics.options import MetricOptions
    from moviola.metrics.protocol import Protocol


class FrechetVideoDistance(SetMetric):
    """FVD, fed with videos: `update(videos, real=True or False)`; holds moments, never all features.

    Args:
        extractor: makes the features; None: I3D on Kinetics-400, loaded at the first video.
        output: which of its arrays.
        ddof: 1 divides the covariances by n - 1, 0 by n.
        device: where I3D runs.
    """

    def __init__(
        self, extractor: Extractor | None = None, output: str = "logits", ddof: int = 1, device: str = "cpu"
    ) -> None:
        measure = FrechetMeasure(ddof)
        super().__init__("fvd", extractor=extractor or LazyI3D(device), output=output, measure=measure)


class KernelVideoDistance(SetMetric):
    """KVD, fed with videos: `update(videos, real=True or False)`; holds the features.

    Args:
        extractor: makes the features; None: I3D on Kinetics-400, loaded at the first video.
        output: which of its arrays.
        subsets: random subsets whose distances are averaged.
        subset_size: clips of each set in a subset; sets no larger are compared whole.
        seed: of the subsets.
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
        measure = KernelMeasure(subsets, subset_size, seed)
        super().__init__("kvd", extractor=extractor or LazyI3D(device), output=output, measure=measure)


class LazyI3D:
    """The features of `moviola.metrics.i3d.I3DExtractor`, which is loaded when it is first used.

    Args:
        device: where it runs.
    """

    name = "i3d"
    reads = ()

    def __init__(self, device: str) -> None:
        self.device = device
        self._extractor: Extractor | None = None

    def identity(self) -> dict[str, str]:
        """Return what changes the outputs; raises as a call does."""
        return self._load().identity()

    def __call__(self, sample: Sample) -> Mapping[str, np.ndarray]:
        """Return the features of a clip.

        Raises:
            WeightsError: no I3D weights on this machine; the line says how to get them. ConfigError: too few frames.
        """
        return self._load()(sample)

    def _load(self) -> Extractor:
        if self._extractor is None:
            from moviola.metrics.i3d import I3DExtractor

            self._extractor = I3DExtractor.load(self.device)
        return self._extractor


def make_fvd(
    protocol: Protocol, device: str, options: MetricOptions
) -> tuple[Extractor, str, FrechetMeasure]:
    """Return extractor, output and measure of FVD: I3D logits averaged over time (Unterthiner et al. 2018).

    Raises:
        WeightsError: no weights on this machine; the line says how to get them.
    """
    return _i3d(device, "fvd", options), "logits", FrechetMeasure(protocol.ddof)


def make_fvd_pooled(
    protocol: Protocol, device: str, options: MetricOptions
) -> tuple[Extractor, str, FrechetMeasure]:
    """Return the parts of FVD on the 1024 pooled features before the classifier; raises as `make_fvd`."""
    if options.i3d_torchscript is not None:
        raise ConfigError("fvd-pooled needs our own I3D: the TorchScript file gives no pooled features")
    return _i3d(device, "fvd-pooled", options), "pooled", FrechetMeasure(protocol.ddof)


def make_kvd(protocol: Protocol, device: str, options: MetricOptions) -> tuple[Extractor, str, KernelMeasure]:
    """Return the parts of KVD: the kernel distance of I3D logits; raises as `make_fvd`."""
    return _i3d(device, "kvd", options), "logits", KernelMeasure(seed=protocol.seed)


def _i3d(device: str, metric: str, options: MetricOptions) -> Extractor:
    path = options.i3d_torchscript
    if path is not None:
        from moviola.metrics.i3d_torchscript import TorchScriptI3DExtractor

        return load_shared(("i3d", str(path), device), lambda: TorchScriptI3DExtractor(path, device))
    from moviola.metrics.i3d import I3DExtractor

    return load_shared(("i3d", device), lambda: I3DExtractor.load(device, metric))
