"""Measures of video: pure functions in `functional`, classes with `update / compute / reset / merge` here.

Set metrics are fed with `update(videos, real=True or False)`, figures of pairs with `update(real, fake)`, those of
single clips with `update(video)`::

    from moviola.metrics import FrechetVideoDistance, PSNR

    fvd = FrechetVideoDistance()
    fvd.update(real_clips, real=True)
    fvd.update(made_clips, real=False)
    print(fvd.compute())

A bare figure says little: `moviola.evaluate` puts interval, floor and protocol beside it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moviola.metrics.distances import FrechetDistance, InceptionScore, KernelDistance
    from moviola.metrics.fvd import FrechetVideoDistance, KernelVideoDistance
    from moviola.metrics.fvmd import MotionDistance
    from moviola.metrics.kinds import ClipMetric, PairMetric, SetMetric
    from moviola.metrics.paired import MSE, MSSSIM, PSNR, SSIM
    from moviola.metrics.temporal import Flicker, Motion, PixelMSE, WarpError

__all__ = [
    "MSE",
    "MSSSIM",
    "PSNR",
    "SSIM",
    "ClipMetric",
    "Flicker",
    "FrechetDistance",
    "FrechetVideoDistance",
    "InceptionScore",
    "KernelDistance",
    "KernelVideoDistance",
    "Motion",
    "MotionDistance",
    "PairMetric",
    "PixelMSE",
    "SetMetric",
    "WarpError",
]

# class -> the module that defines it
_HOME = {
    **dict.fromkeys(("MSE", "MSSSIM", "PSNR", "SSIM"), "paired"),
    **dict.fromkeys(("Flicker", "Motion", "PixelMSE", "WarpError"), "temporal"),
    **dict.fromkeys(("FrechetDistance", "InceptionScore", "KernelDistance"), "distances"),
    **dict.fromkeys(("FrechetVideoDistance", "KernelVideoDistance"), "fvd"),
    **dict.fromkeys(("ClipMetric", "PairMetric", "SetMetric"), "kinds"),
    "MotionDistance": "fvmd",
}


def __getattr__(name: str) -> Any:
    """Load the class `name` from its module (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
