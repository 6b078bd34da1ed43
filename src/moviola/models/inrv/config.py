"""Sizes of the space of videos."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from moviola.core.config import Config

DecoderKind = Literal["hyper", "low-rank", "mixture", "film-siren", "factorised", "conv"]
POINTWISE: tuple[DecoderKind, ...] = ("hyper", "low-rank", "mixture", "film-siren", "factorised")
"""Decoders that draw any point alone; the others draw whole frames."""


class InrvConfig(Config):
    """Sizes of `InrvModel`; the defaults are the paper's for 100x100 clips of 25 frames, but for `nyquist` and `grid`.

    Attributes:
        frames, height, width: T, H and W of the clips, px.
        fps: frames a second of the clips.
        captions: what each clip of the codebook is called, one a row; the codebook has so many rows.
        latent: D of the latent vector of a video; 64 up to 2,000 videos, 128 above (the paper).
        local_cells: side of the grid of local latents beside the global one; 0 for none (the paper). Ours, for diverse
            data.
        local: C of each local latent.
        init_std: standard deviation of the latents at the start.
        decoder: how a latent becomes a video: "hyper" (the paper: a hypernetwork makes all weights), "low-rank" (a
            shared template plus low-rank weights), "mixture" (a weighted sum of shared bases), "film-siren" (a shared
            sinusoidal network whose units are scaled and shifted), "factorised" (features of row, column and time are
            computed apart), "conv" (a convolutional decoder a frame, then a coordinate head).
        hidden: units of a hidden layer of the network that maps coordinates to colour.
        layers: number of its hidden layers.
        octaves: of the positional encoding, for each axis.
        nyquist: hold the octaves of an axis below what its samples determine: 2^i <= samples / 4. With the paper's 10
            octaves the space between the samples is undetermined, and other resolutions show it.
        grid: "centres" (a sample stands in the middle of its cell: -1 + (2 k + 1) / n) or "corners" (the first and the
            last one stand at -1 and 1, as in the paper's code).
        head_hidden, head_layers: of each head of the hypernetwork.
        rank: of "low-rank" weights.
        bases: of "mixture".
        widths: C of "conv" at 4, 8, 16 ... px; the last one is the side of its feature maps.
        condition: D of the frame embeddings that a video is also told by ("VideoCLIP" of the paper); 0 for none.
        encoder: widths of an encoder for amortised inversion, one a halving of the side; empty for none. Ours.
        prior: hidden units of the flow-matching prior over latents; 0 for none. Ours.
        channels: C of a frame.
    """

    family: Literal["inrv"] = "inrv"
    frames: int = Field(default=25, ge=1)
    height: int = Field(default=100, ge=4, le=4096)
    width: int = Field(default=100, ge=4, le=4096)
    fps: float = Field(default=25.0, gt=0)
    captions: tuple[str, ...] = ("",)
    latent: int = Field(default=64, ge=1)
    local_cells: int = Field(default=0, ge=0, le=64)
    local: int = Field(default=8, ge=1)
    init_std: float = Field(default=0.01, gt=0)
    decoder: DecoderKind = "hyper"
    hidden: int = Field(default=256, ge=1)
    layers: int = Field(default=4, ge=1)
    octaves: int = Field(default=10, ge=1, le=16)
    nyquist: bool = True
    grid: Literal["centres", "corners"] = "centres"
    head_hidden: int = Field(default=256, ge=1)
    head_layers: int = Field(default=4, ge=1)
    rank: int = Field(default=8, ge=1)
    bases: int = Field(default=16, ge=1)
    widths: tuple[int, ...] = (192, 128, 96, 64, 32)
    condition: int = Field(default=0, ge=0)
    encoder: tuple[int, ...] = ()
    prior: int = Field(default=0, ge=0)
    channels: int = Field(default=3, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.captions:
            raise ValueError("captions has one entry for each video of the codebook, at least 1")
        if self.decoder == "conv" and not self.widths:
            raise ValueError("widths has one entry for each of 4, 8, 16 ... px")
        if self.encoder and 2 << len(self.encoder) > min(self.height, self.width):
            raise ValueError(
                f"an encoder of {len(self.encoder)} halvings needs frames of at least {2 << len(self.encoder)} px"
            )
        return self

    @property
    def videos(self) -> int:
        """Rows of the codebook."""
        return len(self.captions)

    @property
    def code(self) -> int:
        """D of everything a video is made from: the global latent, then the local ones."""
        return self.latent + self.local * self.local_cells**2
