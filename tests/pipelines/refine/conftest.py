"""Refiners that need no training: what they do to a clip is a formula."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from moviola.core.video import Audio, Video


class FormulaRefiner:
    """Applies `function(video)`; remembers what it was given."""

    value_range = (-1.0, 1.0)

    def __init__(self, function: Callable = lambda video: 0.5 * video, **sizes: object) -> None:
        values = dict(
            family="fake", channels=3, frames=8, size=16, multiple=4, classes=("run", "jump"), text=True
        )
        self.config = SimpleNamespace(**{**values, **sizes})
        self.function = function
        self.calls: list[tuple] = []

    def refine(self, video, mask=None, condition=None):
        """See `Refiner`."""
        self.calls.append((video.clone(), None if mask is None else mask.clone(), condition))
        return self.function(video)

    @property
    def clips(self) -> int:
        """Clips (windows or tiles) that it was given."""
        return sum(len(video) for video, _, _ in self.calls)


def smear(video: torch.Tensor) -> torch.Tensor:
    """A filter that mixes neighbours in time and space, so that windows and tiles matter."""
    return (video + video.roll(1, 1) + video.roll(1, 3) + 2 * video.roll(1, 4)) / 5


@pytest.fixture
def formula():
    """The class."""
    return FormulaRefiner


@pytest.fixture
def smearing():
    """A refiner whose result depends on where windows and tiles begin."""
    return FormulaRefiner(smear)


@pytest.fixture
def noise_video():
    """Make a video of noise, with sound if asked."""

    def make(
        frames: int = 21, height: int = 16, width: int = 16, seed: int = 0, sound: bool = False
    ) -> Video:
        rng = np.random.default_rng(seed)
        audio = None
        if sound:
            audio = Audio(rng.uniform(-0.5, 0.5, (frames * 8000 // 10, 1)).astype(np.float32), 8000)
        return Video(rng.integers(0, 256, (frames, height, width, 3), np.uint8), 10, audio)

    return make
