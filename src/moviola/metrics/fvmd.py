"""FVMD-style motion distance: the Fréchet distance of motion histograms, from Lucas-Kanade tracks.

Liu et al. 2024 track points with the network PIPs++. Here points are carried by the built-in Lucas-Kanade flow, which
needs no weights; so figures do not compare with published FVMD, and the metric is called fvmd-lk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from moviola.core.devices import pick_device
from moviola.core.errors import ConfigError
from moviola.metrics.base import Sample
from moviola.metrics.functional.motion_histogram import CELL_FRAMES, motion_features
from moviola.metrics.kinds import SetMetric
from moviola.metrics.measures import FrechetMeasure

if TYPE_CHECKING:
    from moviola.core.video import Video
    from moviola.metrics.options import MetricOptions
    from moviola.metrics.protocol import Protocol
    from moviola.nn.flow import LucasKanadeConfig

SIZE, SIDE, MARGIN, SPAN = 256, 20, 8, 16


class MotionExtractor:
    """One clip in, its motion histograms out.

    Frames are brought to 256 x 256, 20 x 20 points are tracked through pieces of 16 frames that overlap by one, each
    piece from a fresh grid, and the pieces' histograms are averaged. A clip of 4 to 15 frames is one shorter piece;
    frames that fill no whole piece are left out. All as in the authors' program, but for the tracker, the average (they
    count each piece as a clip) and the smooth weighing of speeds.

    Args:
        device: where the flow is estimated.
    """

    name = "fvmd-lk"
    reads = ()

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def identity(self) -> dict[str, str]:
        """Return what changes the outputs: the tracker and its settings, the size, the grid, the weighing."""
        return {
            "network": "LK tracks",
            "settings": _flow_config().model_dump_json(),
            "size": str(SIZE),
            "points": f"{SIDE}x{SIDE}",
            "span": str(SPAN),
            "weighing": "smooth",
        }

    def __call__(self, sample: Sample) -> dict[str, np.ndarray]:
        """Return "histograms", float32 (d,), d = 1024 for clips of 16 frames and more.

        Raises:
            ConfigError: the clip is shorter than 4 frames.
        """
        length = len(sample.video)
        if length < CELL_FRAMES:
            raise ConfigError(
                f"{sample.name} has {length} frames; fvmd-lk needs clips of at least {CELL_FRAMES} frames"
            )
        starts = range(0, max(length - SPAN, 0) + 1, SPAN - 1)
        pieces = [motion_features(self.tracks(sample.video[start : start + SPAN])) for start in starts]
        return {"histograms": np.mean(pieces, axis=0).astype(np.float32)}

    def tracks(self, video: Video) -> np.ndarray:
        """Return where the grid's points go in frames brought to 256 x 256, (x, y) px, float32 (T, 400, 2)."""
        from functools import partial

        from moviola.nn.flow import lucas_kanade
        from moviola.nn.tracks import grid_points, track

        frames = video.resize(SIZE, SIZE, "bilinear").to_tensor().to(self.device)
        points = grid_points(SIZE, SIZE, SIDE, MARGIN)
        flow = partial(lucas_kanade, config=_flow_config())
        return track(frames, points, flow, check=False).positions.cpu().numpy()


def _flow_config() -> LucasKanadeConfig:
    from moviola.nn.flow import LucasKanadeConfig

    return LucasKanadeConfig(finest=1)


class MotionDistance(SetMetric):
    """The FVMD-style distance, fed with videos: `update(videos, real=...)`.

    Args:
        ddof: 1 divides the covariances by n - 1, 0 by n.
        device: where the flow is estimated.
    """

    def __init__(self, ddof: int = 1, device: str = "cpu") -> None:
        extractor, measure = MotionExtractor(device), FrechetMeasure(ddof)
        super().__init__("fvmd-lk", extractor=extractor, output="histograms", measure=measure)


def make_fvmd(
    protocol: Protocol, device: str, options: MetricOptions
) -> tuple[MotionExtractor, str, FrechetMeasure]:
    """Return extractor, output and measure of the FVMD-style distance."""
    return MotionExtractor(str(pick_device(device))), "histograms", FrechetMeasure(protocol.ddof)
