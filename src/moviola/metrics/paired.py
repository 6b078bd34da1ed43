"""PSNR, SSIM, MS-SSIM and MSE between a clip and its counterpart."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from moviola.core.errors import InputError
from moviola.metrics.base import Sample
from moviola.metrics.cache import check_one_shape
from moviola.metrics.functional import paired as functional
from moviola.metrics.kinds import PairMetric

if TYPE_CHECKING:
    from moviola.metrics.options import MetricOptions
    from moviola.metrics.protocol import Protocol

Compare = Callable[[np.ndarray, np.ndarray], np.ndarray | float]


class FrameComparison:
    """Two clips of one shape in, one figure out; values of pixels are 0 to 255.

    Args:
        name: of the figure.
        compare: frames uint8 (T, H, W, 3) of both clips to the figure, or to one a frame, whose mean it is then.
        settings: what it is, in words; part of the cache key.
    """

    reads = ()

    def __init__(self, name: str, compare: Compare, settings: str) -> None:
        self.name, self.compare, self.settings = name, compare, settings

    def identity(self) -> dict[str, str]:
        """Return what changes the output."""
        return {"settings": self.settings}

    def __call__(self, real: Sample, fake: Sample) -> dict[str, np.ndarray]:
        """Return the figure under its name, float32 ().

        Raises:
            InputError: clips of different shapes, or frames that are too small for the figure; the line names the clip.
        """
        check_one_shape(self.name, real, fake)
        try:
            value = self.compare(real.video.frames, fake.video.frames)
        except InputError as error:
            raise InputError(f"{fake.name}: {error}") from None
        return {self.name: np.asarray(np.mean(value), np.float32)}


_MEASURED = {
    "mse": (functional.mse, "values 0 to 255"),
    "psnr": (functional.clip_psnr, "peak 255; of the clip's mean squared error; at most 100 dB"),
    "ssim": (functional.ssim, "gaussian 1.5 px in 11x11, mean over RGB and frames"),
    "ms-ssim": (functional.ms_ssim, "five scales, gaussian 1.5 px in 11x11, mean over RGB and frames"),
}


def make_comparison(
    key: str, protocol: Protocol | None = None, device: str = "cpu", options: MetricOptions | None = None
) -> tuple[FrameComparison, str]:
    """Return extractor and output of one of `mse`, `psnr`, `ssim` and `ms-ssim`.

    MSE is that of a clip's values, 0 to 255^2; PSNR is of that, dB, and equal clips have 100, the most there is; SSIM
    and MS-SSIM are averaged over frames, whose sides are at least 11 px, and more than 160.
    """
    return FrameComparison(key, *_MEASURED[key]), key


make_mse = partial(make_comparison, "mse")
make_psnr = partial(make_comparison, "psnr")
make_ssim = partial(make_comparison, "ssim")
make_ms_ssim = partial(make_comparison, "ms-ssim")


class MSE(PairMetric):
    """Mean squared error of pixel values 0 to 255; `update(real, fake)`, lower is better."""

    def __init__(self) -> None:
        super().__init__("mse")


class PSNR(PairMetric):
    """Peak signal-to-noise ratio, dB, averaged over clips; `update(real, fake)`; equal clips count as 100 dB."""

    def __init__(self) -> None:
        super().__init__("psnr")


class SSIM(PairMetric):
    """Structural similarity, averaged over frames and clips; `update(real, fake)`, 1 is best."""

    def __init__(self) -> None:
        super().__init__("ssim")


class MSSSIM(PairMetric):
    """Multi-scale structural similarity, averaged over frames and clips; `update(real, fake)`, 1 is best."""

    def __init__(self) -> None:
        super().__init__("ms-ssim")
