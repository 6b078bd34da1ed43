"""Samples from several data sets in one run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from moviola.core.errors import ConfigError
from moviola.data.loader import Sample, Samples


class SampleMixture:
    """Draws each sample from one of several sets.

    Args:
        sets: what to draw from; all give arrays of the same names and shapes.
        shares: how often each is drawn; only their proportions count. None: equally often.

    Raises:
        ConfigError: no sets, or shares that do not fit them.
    """

    def __init__(self, sets: Sequence[Samples], shares: Sequence[float] | None = None) -> None:
        shares = [1.0] * len(sets) if shares is None else list(shares)
        if not sets or len(shares) != len(sets) or min(shares) < 0 or not sum(shares) > 0:
            raise ConfigError(f"{len(sets)} data sets need as many shares of at least 0, not {list(shares)}")
        self.sets = tuple(sets)
        self._until = np.cumsum(shares) / sum(shares)

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return a sample of one of the sets."""
        index = int(np.searchsorted(self._until, rng.random(), side="right"))
        return self.sets[min(index, len(self.sets) - 1)].sample(rng)
