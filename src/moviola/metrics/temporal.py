"""Figures of how a clip changes from frame to frame: pixel-mse, warp-error and motion in one pass, and flicker."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from moviola.core.devices import pick_device
from moviola.core.errors import ConfigError
from moviola.metrics.base import Sample
from moviola.metrics.cache import full_precision, load_shared
from moviola.metrics.kinds import ClipMetric

if TYPE_CHECKING:
    from torch import Tensor

    from moviola.core.video import Video
    from moviola.metrics.options import MetricOptions
    from moviola.metrics.protocol import Protocol
    from moviola.nn.flow_methods import NamedFlow


class FlowExtractor:
    """The figures of a clip that need optical flow, from one flow there and one back for each pair of frames.

    Two frames are held at a time, and each pair goes through the flow method alone: memory does not grow with
    the clip, and the figures do not depend on what else is measured.

    Args:
        flow: "lk", "dis" or "raft"; see `moviola.nn.flow_methods`.
        raft: file with RAFT-small's weights, for "raft".
        device: where it runs.

    Raises:
        InputError, WeightsError: the flow method is not available; one line says what it needs.
    """

    name = "flow"
    reads = ()

    def __init__(self, flow: str = "lk", raft: Path | None = None, device: str = "cpu") -> None:
        self.flow, self.raft, self.device = flow, raft, device
        self._method: NamedFlow = _method(flow, raft, device)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.flow, self.raft, self.device)

    def identity(self) -> dict[str, str]:
        """Return what changes the outputs: the flow method and its settings or weights."""
        return {"network": f"{self._method.says} flow", **self._method.identity}

    def __call__(self, sample: Sample) -> dict[str, np.ndarray]:
        """Return the figures of a clip, each float32 ().

        Returns:
            "pixel-mse": 0 to 255^2. "warp-error": 0 to 1. "motion": percent of the frame's height per frame. "hidden":
            the part of pixels that warp-error leaves out, 0 to 1. All are means over pairs of frames.

        Raises:
            ConfigError: the clip has a single frame.
        """
        if len(sample.video) < 2:
            raise ConfigError(f"{sample.name} has 1 frame; flow needs clips of at least 2")
        rows = [self._figures(first, second) for first, second in self._pairs(sample.video)]
        means = np.mean(rows, axis=0)
        names = ("pixel-mse", "warp-error", "motion", "hidden")
        return {name: np.asarray(value, np.float32) for name, value in zip(names, means, strict=True)}

    def _pairs(self, video: Video) -> Iterator[tuple[Tensor, Tensor]]:
        """Go through neighbouring frames, (1, 3, H, W) in [-1, 1] on the device."""
        previous = video[0].to_tensor().to(self.device)
        for i in range(1, len(video)):
            current = video[i].to_tensor().to(self.device)
            yield previous, current
            previous = current

    def _figures(self, first: Tensor, second: Tensor) -> list[float]:
        """Return pixel-mse, warp-error, motion and the hidden part of one pair of frames."""
        import torch

        from moviola.metrics.functional.temporal import motion_magnitude, pixel_mse, warp_error

        with torch.inference_mode(), full_precision(self.device):
            both = torch.cat([first, second])
            forward, backward = self._method.estimate(both, both.flip(0)).chunk(2)
            error, hidden = warp_error(first, second, forward, backward)
            values = (pixel_mse(first, second, forward), error, motion_magnitude(forward), hidden)
            return [float(value) for value in values]


def _method(flow: str, raft: Path | None, device: str) -> NamedFlow:
    from moviola.nn.flow_methods import flow_method

    return load_shared(("flow", flow, str(raft), device), lambda: flow_method(flow, raft, device))


class FlickerExtractor:
    """How much pixels swing back and forth from frame to frame; needs no flow."""

    name = "flicker"
    reads = ()

    def identity(self) -> dict[str, str]:
        """Return what changes the output."""
        return {"settings": "mean absolute second difference / 4, levels 0 to 255"}

    def __call__(self, sample: Sample) -> dict[str, np.ndarray]:
        """Return "flicker", levels of 0 to 255, float32 ().

        Raises:
            ConfigError: the clip has fewer than 3 frames.
        """
        from moviola.metrics.functional.temporal import flicker

        if len(sample.video) < 3:
            raise ConfigError(
                f"{sample.name} has {len(sample.video)} frames; flicker needs clips of at least 3"
            )
        return {self.name: np.asarray(flicker(sample.video.frames), np.float32)}


class _FlowMetric(ClipMetric):
    name: ClassVar[str]

    def __init__(self, flow: str = "lk", raft: Path | None = None, device: str = "cpu") -> None:
        super().__init__(self.name, extractor=FlowExtractor(flow, raft, device), output=self.name)


class PixelMSE(_FlowMetric):
    """Squared error between frames aligned by flow, 0 to 255^2; `update(video)`; arguments as `FlowExtractor`."""

    name = "pixel-mse"


class WarpError(_FlowMetric):
    """The same where nothing is hidden, values 0 to 1; `update(video)`; arguments as `FlowExtractor`."""

    name = "warp-error"


class Motion(_FlowMetric):
    """Mean length of the flow, percent of the height per frame; `update(video)`; arguments as `FlowExtractor`."""

    name = "motion"


class Flicker(ClipMetric):
    """How much pixels swing back and forth, levels of 0 to 255; `update(video)`."""

    def __init__(self) -> None:
        super().__init__("flicker")


def _flow(output: str, protocol: Protocol, device: str, options: MetricOptions) -> tuple[FlowExtractor, str]:
    """Return extractor and output of a figure that needs flow; raises as `FlowExtractor`."""
    return FlowExtractor(options.flow, options.raft, str(pick_device(device))), output


make_pixel_mse = partial(_flow, "pixel-mse")
make_warp_error = partial(_flow, "warp-error")
make_motion = partial(_flow, "motion")


def make_flicker(protocol: Protocol, device: str, options: MetricOptions) -> tuple[FlickerExtractor, str]:
    """Return extractor and output of flicker."""
    return FlickerExtractor(), "flicker"
