"""Config of the next-frame U-Net."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from moviola.core.config import Config


class NextFrameConfig(Config):
    """Sizes of `NextFrameUNet`.

    Attributes:
        slots: number of values of each caption slot.
        size: H = W of a frame in pixels; a multiple of 16.
        history: K, the largest number of frames the network sees.
        widths: C at 1/2, 1/4, 1/8 and 1/16 of the size.
        condition: D of the caption vector.
        caption: "film" steers every decoder block; "concat" joins the caption to the bottleneck only, the
            form of the source document, kept for comparison.
        reach: how many pixels, each way, a part of the newest frame may move in one step; 0 to 4. Above 0 the
            network copies through a soft choice of (2 reach + 1)^2 shifts, so that what moves stays sharp.
        memory: D of the keys by which every part of the next frame looks up a part of the first frame, which stays in
            view for the whole roll-out; 0 for none.
    """

    family: Literal["nextframe"] = "nextframe"
    slots: tuple[int, ...] = Field(min_length=1)
    size: int = Field(default=64, ge=16, multiple_of=16)
    history: int = Field(default=10, ge=1)
    widths: tuple[int, int, int, int] = (24, 48, 96, 160)
    condition: int = Field(default=128, ge=8)
    caption: Literal["film", "concat"] = "film"
    reach: int = Field(default=0, ge=0, le=4)
    memory: int = Field(default=0, ge=0)
