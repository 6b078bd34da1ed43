"""Settings of the filter painters, one config each; what is not said looks as its painter should."""

from __future__ import annotations

from pydantic import Field

from moviola.core.config import Config


class SketchConfig(Config):
    """Pencil.

    Attributes:
        line: strength of the outlines, 0 for none.
        shading: darkness of the hatching in the shadows, 0 for none.
        grain: tooth of the paper in the graphite, 0 for smooth paper.
    """

    line: float = Field(default=1.0, ge=0, le=3)
    shading: float = Field(default=1.0, ge=0, le=2)
    grain: float = Field(default=1.0, ge=0, le=2)


class WatercolorConfig(Config):
    """Watercolour.

    Attributes:
        wash: size of the washes; small ones keep more detail.
        edges: pigment that gathers along the borders of washes, 0 for none.
        paper: roughness of the paper and unevenness of the pigment on it, 0 for none.
    """

    wash: float = Field(default=1.0, ge=0.25, le=4)
    edges: float = Field(default=1.0, ge=0, le=3)
    paper: float = Field(default=1.0, ge=0, le=3)


class OilConfig(Config):
    """Oil.

    Attributes:
        brush: size of the strokes.
        detail: how much is painted over with small brushes, 0 for broad strokes alone.
        impasto: relief of the paint under light from the upper left, 0 for flat paint.
    """

    brush: float = Field(default=1.0, ge=0.25, le=4)
    detail: float = Field(default=1.0, ge=0, le=2)
    impasto: float = Field(default=1.0, ge=0, le=3)


class CartoonConfig(Config):
    """Cartoon.

    Attributes:
        shades: steps of brightness from black to white.
        line: strength of the outlines, 0 for none.
        colour: saturation, times that of the frame.
    """

    shades: int = Field(default=7, ge=2, le=32)
    line: float = Field(default=1.0, ge=0, le=3)
    colour: float = Field(default=1.35, ge=0, le=3)


class InkConfig(Config):
    """Ink.

    Attributes:
        line: width of the lines.
        detail: how faint an edge still gets a line, 0 for masses alone.
        black: how much becomes solid black; 0 for lines alone.
    """

    line: float = Field(default=1.0, ge=0.25, le=4)
    detail: float = Field(default=1.0, ge=0, le=3)
    black: float = Field(default=1.0, ge=0, le=2)
