"""Configs of the text-to-frame GAN."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from moviola.core.config import Config


class TextGANConfig(Config):
    """Sizes of `FrameGenerator`.

    Attributes:
        slots: number of values of each caption slot.
        size: H = W of a frame in pixels; a multiple of 16.
        latent: size of the noise vector z.
        widths: C at 1/16, 1/8, 1/4 and 1/2 of the size.
        condition: D of the joint caption and noise vector.
        octaves: sinusoids of each noise number that are given beside it, each twice as fast as the one before, so that
            a number can mean a place; 0 for none.
    """

    family: Literal["textgan"] = "textgan"
    slots: tuple[int, ...] = Field(min_length=1)
    size: int = Field(default=64, ge=16, multiple_of=16)
    latent: int = Field(default=32, ge=1)
    widths: tuple[int, int, int, int] = (160, 128, 96, 48)
    condition: int = Field(default=160, ge=8)
    octaves: int = Field(default=0, ge=0, le=8)


class CriticConfig(Config):
    """Sizes of `FrameCritic`.

    Attributes:
        slots: number of values of each caption slot.
        size: H = W of a frame in pixels; a multiple of 16.
        widths: C at 1/2, 1/4, 1/8 and 1/16 of the size.
        condition: D of the caption embedding that is projected on the features.
    """

    slots: tuple[int, ...] = Field(min_length=1)
    size: int = Field(default=64, ge=16, multiple_of=16)
    widths: tuple[int, int, int, int] = (40, 80, 128, 160)
    condition: int = Field(default=128, ge=8)
