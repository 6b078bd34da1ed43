"""Config of REGIS-U."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from moviola.models.regis.base import RefinerConfig


class UnetConfig(RefinerConfig):
    """Sizes of `UnetRefiner`; the defaults are the source document's.

    Attributes:
        dim: C at the first level.
        multipliers: C of each level over `dim`; each level after the first has half the height and width.
        blocks: residual blocks a level, each way.
        patch: pixels each way that are folded into channels first; 2 makes everything four times cheaper.
        heads: of every attention.
        head: D of a head.
        condition: D of the condition vector and of the words.
        recall: patches each way that pixels are recalled over from all frames (`moviola.nn.recall`, ours); 0 for the
            same place alone, None for no recall, as in the document.
        residual: the network adds to its input; else it makes the frames themselves.
    """

    family: Literal["regis-u"] = "regis-u"
    dim: int = Field(default=64, ge=8, multiple_of=8)
    multipliers: tuple[int, ...] = Field(default=(1, 2, 4, 8), min_length=1)
    blocks: int = Field(default=2, ge=1)
    patch: int = Field(default=1, ge=1)
    heads: int = Field(default=8, ge=1)
    head: int = Field(default=32, ge=8, multiple_of=2)
    condition: int = Field(default=256, ge=8)
    recall: int | None = Field(default=None, ge=0)
    residual: bool = True

    @model_validator(mode="after")
    def _sides(self) -> Self:
        needed = self.patch * 2 ** (len(self.multipliers) - 1)
        if self.multiple % needed:
            object.__setattr__(self, "multiple", needed)
        return self
