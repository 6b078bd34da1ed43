"""Learning-rate schedules as functions of the step, so that nothing has to be saved."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from moviola.core.config import Config


class Schedule(Config):
    """Factor on the learning rate.

    Attributes:
        kind: "constant", "linear" or "cosine" (to `floor` at the last step), or "halving".
        warmup: steps of linear rise from 0.
        floor: last factor of "linear" and "cosine".
        every: steps between two halvings of "halving", counted from the first step.
    """

    kind: Literal["constant", "linear", "cosine", "halving"] = "constant"
    warmup: int = Field(default=0, ge=0)
    floor: float = Field(default=0.0, ge=0.0, le=1.0)
    every: int = Field(default=1000, ge=1)

    def factor(self, step: int, steps: int) -> float:
        """Return the factor at `step` (from 0) of a run of `steps`."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        if self.kind == "constant":
            return 1.0
        if self.kind == "halving":
            return 0.5 ** (step // self.every)
        done = min(1.0, (step - self.warmup) / max(1, steps - self.warmup))
        shape = 1 - done if self.kind == "linear" else 0.5 * (1 + math.cos(math.pi * done))
        return self.floor + (1 - self.floor) * shape
