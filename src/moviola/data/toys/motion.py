"""The motions of the toys: where an element is at each frame, exactly, and how one says it.

Image coordinates are continuous: x to the right and y down in pixels, the pixel in row i and column j covers
[j, j+1] x [i, i+1], so its centre is (j + 0.5, i + 0.5). Angles are radians, clockwise on the screen.
Everything is a function of the integer phase `t mod period`, so a period is exact to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import numpy as np

MotionName = Literal[
    "left-right",
    "up-down",
    "orbit-clockwise",
    "orbit-counter-clockwise",
    "spin-clockwise",
    "spin-counter-clockwise",
]
MOTIONS: tuple[MotionName, ...] = get_args(MotionName)

# motion -> the words a caption has for it
PHRASES: dict[str, str] = {
    "left-right": "moves left and right",
    "up-down": "moves up and down",
    "orbit-clockwise": "orbits clockwise",
    "orbit-counter-clockwise": "orbits counter-clockwise",
    "spin-clockwise": "spins clockwise",
    "spin-counter-clockwise": "spins counter-clockwise",
}


@dataclass(frozen=True)
class PeriodicMotion:
    """One periodic motion around an anchor.

    Args:
        name: one of `MOTIONS`.
        period: frames until it repeats; at least 1.
        travel: how far the centre goes from the anchor, px (unused by a spin).
        phase: where in the period it begins, as a part of 1. At 0 a motion begins as it is said: left first,
            up first, an orbit at its top, a spin upright.
    """

    name: MotionName
    period: int
    travel: float = 0.0
    phase: float = 0.0

    def offsets(self) -> np.ndarray:
        """Return the centre relative to the anchor over one period, float64 (period, 2): x, y in px."""
        import numpy as np

        turn = self._turn()
        still = np.zeros_like(turn)
        swing = self.travel * np.sin(turn)
        if self.name == "left-right":
            return np.stack([-swing, still], axis=1)
        if self.name == "up-down":
            return np.stack([still, -swing], axis=1)
        if self.name.startswith("orbit"):
            side = -swing if "counter" in self.name else swing
            return np.stack([side, -self.travel * np.cos(turn)], axis=1)
        return np.stack([still, still], axis=1)

    def angles(self) -> np.ndarray:
        """Return the rotation of the element over one period, float64 (period,): radians clockwise."""
        import numpy as np

        turn = self._turn()
        if not self.name.startswith("spin"):
            return np.zeros_like(turn)
        return -turn if "counter" in self.name else turn

    def reach(self) -> tuple[float, float]:
        """Return how far from the anchor the centre ever gets along x and along y, px."""
        across = self.name == "left-right" or self.name.startswith("orbit")
        along = self.name == "up-down" or self.name.startswith("orbit")
        return (self.travel if across else 0.0, self.travel if along else 0.0)

    def _turn(self) -> np.ndarray:
        import numpy as np

        return 2 * pi * (np.arange(self.period) / self.period + self.phase)
