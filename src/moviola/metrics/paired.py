"""PSNR, SSIM, MS-SSIM and MSE between a clip and its counterpart."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from moviola.core.errors import InputError
from moviola.metrics.base import Sample
from moviola.metrics.means import ClipMean
from moviola.metrics.sharing import check_one_shape

if TYPE_CHECKING:
    from moviola.metrics.base import PairExtractor
    from moviola.metrics.options import MetricOptions
    from moviola.metrics.protocol import Protocol

Compare = Callable[[np.ndarray, np.ndarray], float]


class FrameComparison:
    """Two clips of one shape in, one figure out; values of pixels are 0 to 255.

    Args:
        name: of the figure.
        compare: frames uint8 (T, H, W, 3) of both clips to the figure.
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
        return {self.name: np.asarray(value, np.float32)}


def _mse(first: np.ndarray, second: np.ndarray) -> float:
    from moviola.metrics.functional.paired import mse

    return float(mse(first, second).mean())


def _psnr(first: np.ndarray, second: np.ndarray) -> float:
    from moviola.metrics.functional.paired import clip_psnr

    return clip_psnr(first, second)


def _ssim(first: np.ndarray, second: np.ndarray) -> float:
    from moviola.metrics.functional.paired import ssim

    return float(ssim(first, second).mean())


def _ms_ssim(first: np.ndarray, second: np.ndarray) -> float:
    from moviola.metrics.functional.paired import ms_ssim

    return float(ms_ssim(first, second).mean())


def mse_extractor() -> FrameComparison:
    """Return the mean squared error of a clip's values, 0 to 255^2."""
    return FrameComparison("mse", _mse, "values 0 to 255")


def psnr_extractor() -> FrameComparison:
    """Return the PSNR of a clip's mean squared error, dB; equal clips have 100, the most there is."""
    return FrameComparison("psnr", _psnr, "peak 255; of the clip's mean squared error; at most 100 dB")


def ssim_extractor() -> FrameComparison:
    """Return SSIM averaged over frames; 11 px is the smallest side."""
    return FrameComparison("ssim", _ssim, "gaussian 1.5 px in 11x11, mean over RGB and frames")


def ms_ssim_extractor() -> FrameComparison:
    """Return MS-SSIM averaged over frames; sides have to exceed 160 px."""
    return FrameComparison(
        "ms-ssim", _ms_ssim, "five scales, gaussian 1.5 px in 11x11, mean over RGB and frames"
    )


class MSE(ClipMean):
    """Mean squared error of pixel values 0 to 255; `update(real, fake)`, lower is better."""

    def __init__(self) -> None:
        super().__init__(mse_extractor(), "mse")


class PSNR(ClipMean):
    """Peak signal-to-noise ratio, dB, averaged over clips; `update(real, fake)`; equal clips count as 100 dB."""

    def __init__(self) -> None:
        super().__init__(psnr_extractor(), "psnr")


class SSIM(ClipMean):
    """Structural similarity, averaged over frames and clips; `update(real, fake)`, 1 is best."""

    def __init__(self) -> None:
        super().__init__(ssim_extractor(), "ssim")


class MSSSIM(ClipMean):
    """Multi-scale structural similarity, averaged over frames and clips; `update(real, fake)`, 1 is best."""

    def __init__(self) -> None:
        super().__init__(ms_ssim_extractor(), "ms-ssim")


def make_mse(protocol: Protocol, device: str, options: MetricOptions) -> tuple[list[PairExtractor], str]:
    """Return extractor and output of MSE."""
    return [mse_extractor()], "mse"


def make_psnr(protocol: Protocol, device: str, options: MetricOptions) -> tuple[list[PairExtractor], str]:
    """Return extractor and output of PSNR."""
    return [psnr_extractor()], "psnr"


def make_ssim(protocol: Protocol, device: str, options: MetricOptions) -> tuple[list[PairExtractor], str]:
    """Return extractor and output of SSIM."""
    return [ssim_extractor()], "ssim"


def make_ms_ssim(protocol: Protocol, device: str, options: MetricOptions) -> tuple[list[PairExtractor], str]:
    """Return extractor and output of MS-SSIM."""
    return [ms_ssim_extractor()], "ms-ssim"
