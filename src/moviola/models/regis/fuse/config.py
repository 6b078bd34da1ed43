"""Config of REGIS-Fuse."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from moviola.models.regis.base import RefinerConfig


class FuseConfig(RefinerConfig):
    """Sizes of `FuseRefiner`; the defaults are those of FuseFormer.

    LoRA targets: the linear layers `qkv`, `join` (attention), `expand`, `shrink` (fusion feed-forward), `embed` and
    `spread` (soft split and composition); every other weight but the norms belongs to a 2-D convolution.

    Attributes:
        encoder: C of the features at a quarter of the size; even. Half of it at the full and the half size.
        encoder_layers: residual convolutions at a quarter of the size.
        width: D of a token; a multiple of `heads`.
        blocks: how many transformer blocks.
        heads: of the attention.
        patch: side of a soft-split patch, in features; odd.
        stride: between patches, in features; at most patch // 2 + 1, so that no feature is left out.
        fusion: channels of the map that the feed-forward network composes; its hidden width is patch^2 times this.
        positions: "rotary" turns queries and keys by their frame, row and column (ours); "none" leaves order to
            the zero padding of convolutions and patches.
        output: "frame" draws the frame itself, through tanh (the paper's); "residual" adds what is drawn to the
            input and starts as the identity, which suits refining: it learns sooner and stands iteration better.
        skips: hand the input and the half-size features on to the decoder (ours), so that detail need not pass
            through the tokens.
        erase: zero what the mask covers, as in inpainting (the paper's); a frame that is covered whole is kept,
            since nothing would be left of it.
    """

    family: Literal["regis-fuse"] = "regis-fuse"
    frames: int = Field(default=8, ge=1)
    multiple: int = Field(default=4, ge=4, multiple_of=4)
    encoder: int = Field(default=128, ge=2, multiple_of=2)
    encoder_layers: int = Field(default=4, ge=0)
    width: int = Field(default=512, ge=8)
    blocks: int = Field(default=8, ge=1)
    heads: int = Field(default=4, ge=1)
    patch: int = Field(default=7, ge=1)
    stride: int = Field(default=3, ge=1)
    fusion: int = Field(default=40, ge=1)
    positions: Literal["rotary", "none"] = "rotary"
    output: Literal["frame", "residual"] = "frame"
    skips: bool = False
    erase: bool = True

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.width % (2 * self.heads) or self.width // self.heads < 6:
            raise ValueError("width must give each of the heads an even number of channels, 6 or more")
        if self.patch % 2 == 0:
            raise ValueError("patch must be odd")
        if self.stride > self.patch // 2 + 1:
            raise ValueError("stride must be at most patch // 2 + 1, or features are left out")
        if self.size % self.multiple:
            raise ValueError(f"size must be a multiple of {self.multiple}")
        if self.classes or self.text:
            raise ValueError("regis-fuse takes neither classes nor text")
        return self
