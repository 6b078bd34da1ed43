"""Configs of the next-frame networks and of their critics."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from moviola.core.config import Config

Form = Literal["film", "faithful2d", "unet3d"]


class NextFrameConfig(Config):
    """Form and sizes of a next-frame network.

    Attributes:
        form: "film", a 3-D U-Net that the caption steers (`NextFrameUNet`); "faithful2d", the network of the source
            document's code (`NextFrameUNet2d`); "unet3d", the volumes that its text announces (`NextFrameUNet3d`).
        slots: number of values of each caption slot.
        size: H = W of a frame in pixels; a multiple of 16.
        history: K, the largest number of frames the network sees.
        widths: C at 1/2, 1/4, 1/8 and 1/16 of the size (film).
        condition: D of the caption vector (film).
        caption: "film" steers every decoder block; "concat" joins the caption to the bottleneck only, the
            form of the source document, kept for comparison (film).
        reach: how many pixels, each way, a part of the newest frame may move in one step; 0 to 4. Above 0 the
            network copies through a soft choice of (2 reach + 1)^2 shifts, so that what moves stays sharp (film).
        memory: D of the keys by which every part of the next frame looks up a part of the first frame, which stays in
            view for the whole roll-out; 0 for none (film).
        periods: in frames, of the motions to be drawn: the network is told the time since the first frame within each
            of them, and looks at the first frame as a whole; () for motions whose periods are not known (film).
        affine: K, warps of the first frame by grids of affine maps, which can turn and shift a part of it as far as
            they like without blurring it (`AffineFields`); 0 for none (film).
        filters: f, C at the full size, doubled at every level down to 8f (the other forms).
        hidden: width of the dense network at the bottleneck (the other forms).
        channels: colours of a frame, 3, or 1 for grey: the mean of the three is seen, and all three are
            drawn alike (the other forms).
        dropout: share of the deepest skip's features that is left out in training (the other forms).
    """

    family: Literal["nextframe"] = "nextframe"
    form: Form = "film"
    slots: tuple[int, ...] = Field(min_length=1)
    size: int = Field(default=64, ge=16, multiple_of=16)
    history: int = Field(default=10, ge=1)
    widths: tuple[int, int, int, int] = (24, 48, 96, 160)
    condition: int = Field(default=128, ge=8)
    caption: Literal["film", "concat"] = "film"
    reach: int = Field(default=0, ge=0, le=4)
    memory: int = Field(default=0, ge=0)
    periods: tuple[Annotated[int, Field(ge=2)], ...] = ()
    affine: int = Field(default=0, ge=0)
    filters: int = Field(default=8, ge=1)
    hidden: int = Field(default=1024, ge=1)
    channels: Literal[1, 3] = 3
    dropout: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _fits_its_form(self) -> Self:
        if self.form == "film" and (self.channels != 3 or self.dropout):
            raise ValueError("form film has 3 channels and no dropout; set form to faithful2d or unet3d")
        others = self.reach or self.memory or self.periods or self.affine or self.caption != "film"
        if self.form != "film" and others:
            raise ValueError(
                f"form {self.form} has no reach, no memory, no periods, no affine maps and one way of captions; set "
                "form to film"
            )
        return self


class NextFrameCriticConfig(Config):
    """What a critic of next frames sees, and its sizes.

    Attributes:
        sees: "history", the frame under its history and caption (`HistoryCritic`); "frame", the frame alone, as the
            source document's (`SingleFrameCritic`).
        slots, size, history: as the network's.
        channels: of a frame, 3, or 1 for the mean of the three ("frame").
        widths: C at 1/2, 1/4, 1/8 and 1/16 of the size ("history"), or at 1, 1/2, 1/4 and 1/8 ("frame").
        condition: D of the caption embedding that is projected on the features ("history").
        dropout: share of features left out in training ("frame").
    """

    sees: Literal["history", "frame"] = "history"
    slots: tuple[int, ...] = Field(min_length=1)
    size: int = Field(default=64, ge=16, multiple_of=16)
    history: int = Field(default=10, ge=1)
    channels: Literal[1, 3] = 3
    widths: tuple[int, int, int, int] = (32, 64, 128, 256)
    condition: int = Field(default=128, ge=8)
    dropout: float = Field(default=0.1, ge=0, lt=1)
