"""What is to be mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from moviola.core.errors import ConfigError

Seams = Literal["auto"] | Sequence[int]


@dataclass(frozen=True, eq=False)
class MendSettings:
    """What to look for; where nothing is asked for, everything.

    Attributes:
        flicker: light that comes and goes. seams: "auto", or first frames of pieces; None for not asked for.
        drift: slow change. stills: repeated frames.
        reference: a picture that the colours are brought to, uint8 (H, W, 3); asks for drift.

    Raises:
        ConfigError: seams that do not ascend from 1.
    """

    flicker: bool = False
    seams: Seams | None = None
    drift: bool = False
    stills: bool = False
    reference: np.ndarray | None = None

    def __post_init__(self) -> None:
        if isinstance(self.seams, str) and self.seams != "auto":
            raise ConfigError(f'seams is {self.seams!r}; it is "auto" or the first frames of pieces')
        if self.seams is None or isinstance(self.seams, str):
            return
        given = [int(s) for s in self.seams]
        if any(b <= a for a, b in pairwise(given)) or not given:
            raise ConfigError(f"seams are {given}; they must be frame numbers in ascending order, each once")

    @property
    def _asked(self) -> set[str]:
        named = {"flicker": self.flicker, "seams": self.seams is not None, "stills": self.stills}
        named["drift"] = self.drift or self.reference is not None
        return {name for name, yes in named.items() if yes}

    def wants(self, name: str) -> bool:
        """Whether a fault is looked for: it was asked for, or nothing was."""
        return name in self._asked or not self._asked

    def ease(self, name: str) -> float:
        """Return what its threshold is multiplied by: less where the fault was asked for by name."""
        return 0.5 if name in self._asked else 1.0

    def seams_within(self, count: int) -> list[int] | None:
        """Return the seams that were given, None where they are to be found.

        Raises:
            ConfigError: one that is not inside a clip of `count` frames.
        """
        if self.seams is None or isinstance(self.seams, str):
            return None
        given = [int(s) for s in self.seams]
        bad = next((s for s in given if not 0 < s < count), None)
        if bad is not None:
            raise ConfigError(
                f"there is no seam at frame {bad}: the clip has {count} frames, so 1 to {count - 1}"
            )
        return given
