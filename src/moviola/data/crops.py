"""Training on pieces of frames: cheaper, and where there is something to learn."""

from __future__ import annotations

import numpy as np

from moviola.core.errors import ConfigError
from moviola.data.loader import Sample, Samples

_FRAMES = ("clean", "flawed", "mask")


class FlawedCrops:
    """Square pieces of samples of `moviola.data.flawed.Flawed`, drawn where the flaws are.

    Of a few pieces drawn at random the one whose flawed version is farthest from the clean one is taken.

    Args:
        samples: whole frames.
        size: H = W of the pieces, px.
        tries: pieces drawn; 1 is any place.

    Raises:
        ConfigError: a size or tries below 1; from `sample`, frames that are smaller than the pieces.
    """

    def __init__(self, samples: Samples, size: int, tries: int = 3) -> None:
        if size < 1 or tries < 1:
            raise ConfigError(f"crops need a size and tries of at least 1, not {size} and {tries}")
        self.samples, self.size, self.tries = samples, size, tries

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return a sample whose clean, flawed and mask are (T, size, size, ...)."""
        sample = self.samples.sample(rng)
        height, width = sample["clean"].shape[1:3]
        if min(height, width) < self.size:
            raise ConfigError(f"frames of {width}x{height} are too small for crops of {self.size}")
        error = np.abs(sample["clean"].astype(np.int16) - sample["flawed"]).sum(axis=(0, 3))
        largest_error, window = -1, (slice(None), slice(None))
        for _ in range(self.tries):
            top, left = (int(rng.integers(side - self.size + 1)) for side in (height, width))
            candidate = (slice(top, top + self.size), slice(left, left + self.size))
            if (window_error := int(error[candidate].sum())) > largest_error:
                largest_error, window = window_error, candidate
        return {
            key: value[:, window[0], window[1]] if key in _FRAMES else value for key, value in sample.items()
        }
