"""What digits and icons share: choosing elements, placing them, drawing them, and writing down the truth.

The truth of a clip is a dict::

    size      [height, width] px         frames   T          fps   Hz
    period    frames after which the whole clip repeats, byte for byte (the lcm of its elements')
    elements  in drawing order, the last on top, as the caption says them:
        name, colour (None for digits), motion, period, radius (px of one glyph unit), travel (px),
        centres   float64 (T, 2), x and y in px, the pixel in row 0 and column 0 being centred at (0.5, 0.5)
        spot      x and y of the anchor in the element's share of the width, -1 to 1; None where there is no room, or
                  the elements are not `apart`
        angles    float64 (T,), radians clockwise on the screen
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import lcm
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from moviola.core.config import Config
from moviola.data.toys import ToyClip
from moviola.data.toys.draw import Glyph, layer, paint
from moviola.data.toys.motion import MOTIONS, MotionName, PeriodicMotion
from moviola.data.toys.phrases import CaptionElement, format_caption

if TYPE_CHECKING:
    import numpy as np

Part = Annotated[float, Field(gt=0, le=1)]
_TRIES = 12


class SceneConfig(Config):
    """Settings of a toy of moving elements.

    With the defaults a clip follows from its first frame and its caption: every period and travel is the same and
    a motion begins as it is said. Ranges of `periods` and `travel`, or `any_phase`, make it harder.
    """

    size: (
        Annotated[int, Field(ge=8, le=4096)]
        | tuple[Annotated[int, Field(ge=8, le=4096)], Annotated[int, Field(ge=8, le=4096)]]
    ) = 64  # px: one side of a square, or height and width
    frames: int = Field(default=16, ge=1)
    fps: float = Field(default=8.0, gt=0)
    elements: tuple[Annotated[int, Field(ge=1, le=3)], Annotated[int, Field(ge=1, le=3)]] = (
        1,
        2,
    )  # fewest, most
    motions: tuple[MotionName, ...] = Field(default=MOTIONS, min_length=1)
    periods: tuple[Annotated[int, Field(ge=2, le=1024)], ...] = Field(default=(16,), min_length=1)  # frames
    scale: Part = 0.38  # an element's diameter, as a part of the shorter side
    travel: tuple[Part, Part] = (
        0.2,
        0.2,
    )  # least and most way from the anchor, as a part of the shorter side
    apart: bool = False  # give each element its own share of the width, in caption order, and any place in it
    any_phase: bool = False  # begin anywhere in the period (a spin always begins upright)
    background: tuple[
        Annotated[int, Field(ge=0, le=255)],
        Annotated[int, Field(ge=0, le=255)],
        Annotated[int, Field(ge=0, le=255)],
    ] = (0, 0, 0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.elements[0] > self.elements[1] or self.travel[0] > self.travel[1]:
            raise ValueError("elements and travel are (least, most)")
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)


@dataclass(frozen=True)
class Element:
    """One thing to draw: its name, its colour's name or None, its shape and its ink (red, green, blue)."""

    name: str
    colour: str | None
    glyph: Glyph
    ink: tuple[int, int, int]


def make_scene(rng: np.random.Generator, config: SceneConfig, pick: Callable[[float], Element]) -> ToyClip:
    """Make one clip.

    Args:
        rng: the clip's own generator; every draw comes from it.
        config: the settings.
        pick: draws one element from `rng`; its argument is the radius in px it will be drawn with.

    Returns:
        The clip, its caption and its truth.
    """
    import numpy as np

    from moviola.core.video import Video

    height, width = config.shape
    radius = config.scale * min(height, width) / 2
    count = int(rng.integers(config.elements[0], config.elements[1] + 1))
    elements = [pick(radius) for _ in range(count)]
    motions = [_motion(rng, config, radius) for _ in range(count)]
    anchors = _place(rng, config, motions, radius)
    period = lcm(*(motion.period for motion in motions))
    frame_numbers = np.arange(min(config.frames, period))
    canvas = np.empty((len(frame_numbers), height, width, 3), dtype=np.float32)
    canvas[:] = np.asarray(config.background, dtype=np.float32)
    for element, motion, anchor in zip(elements, motions, anchors, strict=True):
        alpha, corners = layer(element.glyph, anchor + motion.offsets(), motion.angles(), radius)
        paint(
            canvas, alpha[frame_numbers % motion.period], corners[frame_numbers % motion.period], element.ink
        )
    frames = (canvas + 0.5).astype(np.uint8)[np.arange(config.frames) % period]
    caption = format_caption(
        [CaptionElement(e.name, e.colour, m.name) for e, m in zip(elements, motions, strict=True)]
    )
    truth = _truth(config, elements, motions, anchors, radius)
    return ToyClip(Video(frames, fps=config.fps), caption, truth)


def _motion(rng: np.random.Generator, config: SceneConfig, radius: float) -> PeriodicMotion:
    name = config.motions[int(rng.integers(len(config.motions)))]
    period = config.periods[int(rng.integers(len(config.periods)))]
    shorter = min(config.shape)
    travel = rng.uniform(*config.travel) * shorter
    phase = float(rng.random())  # drawn even when unused: the rest of the clip does not depend on `any_phase`
    if name.startswith("spin"):
        return PeriodicMotion(name, period)
    return PeriodicMotion(
        name, period, min(travel, max(0.0, shorter / 2 - radius)), phase if config.any_phase else 0.0
    )


def _place(
    rng: np.random.Generator, config: SceneConfig, motions: Sequence[PeriodicMotion], radius: float
) -> np.ndarray:
    """Draw anchors, float64 (elements, 2), that keep every element inside; of `_TRIES`, those farthest apart."""
    import numpy as np

    height, width = config.shape
    if config.apart:
        middle, room = _shares(config, motions, radius)
        return middle + (2 * rng.random(room.shape) - 1) * room
    reach = np.array([motion.reach() for motion in motions]) + radius
    middle = np.array([width, height]) / 2
    room = np.maximum(0.0, middle - reach)
    tries = middle + (2 * rng.random((_TRIES, len(motions), 2)) - 1) * room
    if len(motions) == 1:
        return tries[0]
    time = np.arange(config.frames)
    paths = np.stack([motion.offsets()[time % motion.period] for motion in motions])  # (elements, T, 2)
    at = tries[:, :, None, :] + paths
    first, second = np.triu_indices(len(motions), 1)
    gaps = np.hypot(*np.moveaxis(at[:, first] - at[:, second], -1, 0)).min(axis=(1, 2))
    return tries[int(np.argmax(gaps))]


def _shares(
    config: SceneConfig, motions: Sequence[PeriodicMotion], radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of each element's share of the width and how far its anchor may be from it, (elements, 2)."""
    import numpy as np

    height, width = config.shape
    share = width / len(motions)
    middle = np.stack([(np.arange(len(motions)) + 0.5) * share, np.full(len(motions), height / 2)], axis=1)
    reach = np.array([motion.reach() for motion in motions]) + radius
    return middle, np.maximum(0.0, np.array([share, height]) / 2 - reach)


def _truth(
    config: SceneConfig,
    drawn_elements: Sequence[Element],
    motions: Sequence[PeriodicMotion],
    anchors: np.ndarray,
    radius: float,
) -> dict[str, Any]:
    import numpy as np

    time = np.arange(config.frames)
    middle, room = _shares(config, motions, radius)
    with np.errstate(divide="ignore", invalid="ignore"):
        placements = (anchors - middle) / np.where((room > 0) & config.apart, room, np.nan)
    elements = [
        {
            "name": element.name,
            "colour": element.colour,
            "motion": motion.name,
            "period": motion.period,
            "radius": radius,
            "travel": motion.travel,
            "spot": [float(v) if np.isfinite(v) else None for v in spot],
            "centres": (anchor + motion.offsets())[time % motion.period],
            "angles": motion.angles()[time % motion.period],
        }
        for element, motion, anchor, spot in zip(drawn_elements, motions, anchors, placements, strict=True)
    ]
    period = lcm(*(motion.period for motion in motions))
    return {
        "size": list(config.shape),
        "frames": config.frames,
        "fps": config.fps,
        "period": period,
        "elements": elements,
    }
