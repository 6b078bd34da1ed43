"""Corruptions in proportion: what a refiner is trained on, as a config that can be saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from moviola.core.config import Config
from moviola.data.corrupt.table import CORRUPTIONS, Corrupted, find_corruption

if TYPE_CHECKING:
    from numpy.random import Generator

HOLES: tuple[str, ...] = ("blocks", "held-block", "frame-blocks", "pixels", "sliding")
UNKNOWABLE: tuple[str, ...] = ("colours",)
"""What a clip alone cannot tell: for refiners that read captions, and in no mixture unless it is named."""
FAULTS: tuple[str, ...] = tuple(name for name in CORRUPTIONS if name not in (*HOLES, *UNKNOWABLE))

Strength = Annotated[float, Field(gt=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Range = tuple[Strength, Strength]


class Mixture(Config):
    """Which corruptions, how often and how strong.

    Attributes:
        weights: corruption to weight; only their proportions count. Default: `HOLES` and `FAULTS`, equally.
        strength: lowest and highest strength; drawn uniformly between.
        strengths: corruption to a range of its own.
        most: a clip gets 1 to `most` different corruptions, one over the other, their masks joined.
        clean: share of clips left as they are, with an empty mask.

    Raises:
        UnknownNameError: an unknown corruption.
        ConfigError: from `make` and `load`, anything else out of range.
    """

    weights: dict[str, Weight] = Field(default_factory=lambda: dict.fromkeys((*HOLES, *FAULTS), 1.0))
    strength: Range = (0.2, 1.0)
    strengths: dict[str, Range] = Field(default_factory=dict)
    most: int = Field(default=1, ge=1)
    clean: float = Field(default=0.0, ge=0, le=1)

    @classmethod
    def of(cls, *names: str, strength: tuple[float, float] = (0.2, 1.0), most: int = 1) -> Self:
        """Return equal shares of some corruptions."""
        return cls.make({"weights": dict.fromkeys(names, 1.0), "strength": strength, "most": most})

    @field_validator("weights", "strengths")
    @classmethod
    def _known(cls, values: dict[str, object]) -> dict[str, object]:
        for name in values:
            find_corruption(name)
        return values

    @model_validator(mode="after")
    def _sane(self) -> Self:
        for low, high in (self.strength, *self.strengths.values()):
            if low > high:
                raise ValueError(f"a strength range goes from low to high, not from {low} to {high}")
        if not sum(self.weights.values()) > 0:
            raise ValueError("at least one corruption needs a weight above 0")
        return self

    def range_of(self, name: str) -> tuple[float, float]:
        """Return the lowest and highest strength of a corruption."""
        return self.strengths.get(name, self.strength)

    def choose(self, generator: Generator) -> list[tuple[str, float]]:
        """Draw the corruptions of one clip, in the order in which they are put on, with their strengths."""
        if generator.random() < self.clean:
            return []
        names = [name for name, weight in self.weights.items() if weight > 0]
        weights = np.array([self.weights[name] for name in names])
        count = int(generator.integers(1, min(self.most, len(names)) + 1))
        drawn = generator.choice(len(names), size=count, replace=False, p=weights / weights.sum())
        return [(names[k], float(generator.uniform(*self.range_of(names[k])))) for k in drawn]

    def draw(self, frames: np.ndarray, generator: Generator) -> Corrupted:
        """Corrupt a clip.

        Args:
            frames: uint8 (T, H, W, 3); left as it is.
            generator: where everything random comes from.

        Returns:
            The corrupted frames, uint8 (T, H, W, 3), and the mask, bool (T, H, W), True where any corruption is.

        Raises:
            ConfigError: frames of another shape or type.
        """
        out, mask = frames, np.zeros(frames.shape[:3], bool)
        for name, strength in self.choose(generator):
            out, where = find_corruption(name).apply(out, strength, generator)
            mask |= where
        return out, mask
