"""Config of REGIS-VQ."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from moviola.models.regis.base import RefinerConfig


class VqConfig(RefinerConfig):
    """Sizes of `VqRefiner`; the defaults are those of the source document.

    `multiple` follows from `downsample` where it is not given. Layers that low-rank adapters fit (`add_lora` targets):
    linear "qkv" and "out" of every axial attention, "widen" of every residual block, "to_codes" and "from_codes";
    convolutions "narrow" of every residual block and "join" of the encoder. Adapters want a fixed codebook
    (`RegisVqObjectiveConfig.freeze_codebook`).

    Attributes:
        quantizer: "codebook", the document's, of moving averages; "residual", `depth` of them in a row, each for what
            the ones before have left; "fsq", a grid of `levels` a channel, with nothing to learn.
        codes: K, vectors of a codebook.
        code_width: D of a code vector; of "fsq" the number of `levels`.
        depth: R, codebooks of "residual".
        levels: of each channel of "fsq"; their product is the number of codes.
        hidden: C of the encoder and the decoder; even, and a multiple of `heads`.
        layers: axial attention residual blocks, of the encoder and of the decoder each.
        heads: of every axis attention.
        downsample: how many frames, rows and columns become one code; each 1, 2, 4, 8 or 16, not all 1.
        decay: share of the codebook's moving averages kept a step.
        restart_below: a code whose moving count of uses a step is under this starts anew; 0 for never.
    """

    family: Literal["regis-vq"] = "regis-vq"
    size: int = Field(default=128, ge=8)
    quantizer: Literal["codebook", "residual", "fsq"] = "codebook"
    codes: int = Field(default=2048, ge=2)
    code_width: int = Field(default=256, ge=1)
    depth: int = Field(default=4, ge=1)
    levels: tuple[Annotated[int, Field(ge=3)], ...] = (8, 8, 5, 5, 5)
    hidden: int = Field(default=240, ge=4, multiple_of=2)
    layers: int = Field(default=4, ge=0)
    heads: int = Field(default=2, ge=1)
    downsample: tuple[Literal[1, 2, 4, 8, 16], Literal[1, 2, 4, 8, 16], Literal[1, 2, 4, 8, 16]] = (4, 4, 4)
    decay: float = Field(default=0.99, gt=0, lt=1)
    restart_below: float = Field(default=1.0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("quantizer") == "fsq":
            values = {**values, "code_width": len(values.get("levels", cls.model_fields["levels"].default))}
        if isinstance(values, dict) and "multiple" not in values:
            sides = values.get("downsample", (4, 4, 4))
            if isinstance(sides, list | tuple) and all(isinstance(s, int) for s in sides[1:]):
                return {**values, "multiple": max(sides[1:], default=1)}
        return values

    @model_validator(mode="after")
    def _fit(self) -> Self:
        side = max(self.downsample[1:])
        if self.multiple % side:
            raise ValueError(f"multiple {self.multiple} must be a multiple of {side}, as downsample says")
        if self.size % self.multiple:
            raise ValueError(f"size {self.size} must be a multiple of {self.multiple}")
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} must be a multiple of heads {self.heads}")
        if max(self.downsample) == 1:
            raise ValueError("downsample must be over 1 in at least one axis")
        return self
