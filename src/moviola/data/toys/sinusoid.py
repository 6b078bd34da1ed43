"""Columns of shapes that go to and fro at a few speeds: motion whose frequency is known.

Each column holds a circle, a square or a triangle that moves up and down between the borders, with a speed, a start
and a colour of its own. On the clock of `moviola.models.freqmotion` (0.125 a frame) a shape that bounces over R px at
v px a frame has the angular frequency 2 pi v / (2 R 0.125): with the defaults 0.90, 1.80 and 3.59.

Source: the toy set of Hyun et al. 2023, "Frequency-based Motion Representation for Video Generative Adversarial
Networks". Here reflection is exact at any speed, and edges are antialiased.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from moviola.core.config import Config as BaseConfig
from moviola.core.seeds import numpy_generator
from moviola.core.video import Video
from moviola.data.toys import ToyClip

if TYPE_CHECKING:
    import numpy as np

SHAPES = ("circle", "square", "triangle")
SPEED_WORDS = ("slowly", "at a medium speed", "fast")
CLOCK_STEP = 0.125
"""Time units of the frequency-based motion model in one frame: 16 frames fill [-1, 1)."""

Speed = Annotated[float, Field(gt=0)]


class Config(BaseConfig):
    """Settings of the moving columns.

    Attributes:
        size: H = W in px.
        frames: T.
        fps: frames a second.
        columns: number of shapes, side by side.
        radius: half a shape's height, px at size 64; scales with the size.
        speeds: px a frame at size 64, each equally likely for a column; scale with the size.
        by_column: give column k speed k in every clip instead, beginning again after the last one.
        motion: "bounce" (to and fro at constant speed), "sine" (to and fro as a sine of the same period), or "drift"
            (downwards only; what leaves below enters above).
        colours: "bright" (each channel of each shape drawn from 100 to 255) or "white".
    """

    size: int = Field(default=64, ge=8, le=4096)
    frames: int = Field(default=32, ge=1)
    fps: float = Field(default=8.0, gt=0)
    columns: int = Field(default=3, ge=1, le=8)
    radius: float = Field(default=4.0, gt=0)
    speeds: tuple[Speed, ...] = Field(default=(2.0, 4.0, 8.0), min_length=1)
    by_column: bool = False
    motion: Literal["bounce", "sine", "drift"] = "bounce"
    colours: Literal["bright", "white"] = "bright"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if 2 * self.radius >= 64:
            raise ValueError("a shape must be smaller than the frame: radius below 32")
        if max(self.speeds) > self.travel / self.scale:
            raise ValueError(f"a speed is at most {self.travel / self.scale:g} px a frame, one way per frame")
        return self

    @property
    def scale(self) -> float:
        """Pixels of this size for a pixel at size 64."""
        return self.size / 64

    @property
    def travel(self) -> float:
        """Way of a centre from border to border (for "drift" the height that repeats), px."""
        borders = -2 * self.radius if self.motion == "drift" else 2 * self.radius
        return self.size - borders * self.scale

    def omega(self, speed: float) -> float:
        """Return the angular frequency (radians a time unit) of a shape at `speed` (px a frame at size 64)."""
        from math import pi

        span = self.travel if self.motion == "drift" else 2 * self.travel
        return 2 * pi * speed * self.scale / (span * CLOCK_STEP)


def make(index: int, seed: int, config: Config | None = None) -> ToyClip:
    """Make clip `index` of the set `seed`.

    Args:
        index: which clip, 0 or more; clip k is the same whatever the size of the set.
        seed: which set.
        config: the settings; None for the defaults.

    Returns:
        The video, its caption, and its truth: `size`, `frames`, `fps`, and for each column, left to right, in
        `elements`: `name`, `colour` (RGB), `speed` (px a frame, of this size), `omega` (radians a time unit) and
        `centres`, float64 (T, 2), x and y in px, the pixel in row 0 and column 0 being centred at (0.5, 0.5).
    """
    import numpy as np

    config = config or Config()
    rng = numpy_generator(seed, "sinusoid", index)
    elements = draw_elements(rng, config)
    times = np.arange(config.frames)
    for element in elements:
        element["centres"] = centres(element, times, config)
    frames = render(elements, times, config)
    truth = {
        "size": [config.size, config.size],
        "frames": config.frames,
        "fps": config.fps,
        "elements": elements,
    }
    return ToyClip(Video(frames, config.fps), _caption(elements, config), truth)


def draw_elements(rng: np.random.Generator, config: Config) -> list[dict[str, Any]]:
    """Draw what a clip holds: for each column name, colour, speed, omega, x (px) and phase (periods, 0 to 1)."""
    elements: list[dict[str, Any]] = []
    for column in range(config.columns):
        name = SHAPES[int(rng.integers(len(SHAPES)))]
        colour = (
            [int(v) for v in rng.integers(100, 256, 3)] if config.colours == "bright" else [255, 255, 255]
        )
        speed_index = int(rng.integers(len(config.speeds)))
        speed = float(config.speeds[column % len(config.speeds) if config.by_column else speed_index])
        elements.append(
            {
                "name": name,
                "colour": colour,
                "speed": speed * config.scale,
                "omega": config.omega(speed),
                "x": config.size * (column + 1) / (config.columns + 1),
                "phase": float(rng.random()),
            }
        )
    return elements


def centres(element: dict[str, Any], times: np.ndarray, config: Config) -> np.ndarray:
    """Return the centres of an element at `times` (frames, any real numbers): float64 (T, 2), x and y in px."""
    import numpy as np

    turns = element["phase"] + np.asarray(times) * element["omega"] * CLOCK_STEP / (2 * np.pi)
    if config.motion == "drift":
        y = turns % 1.0 * config.travel - config.radius * config.scale
    else:
        wave = 1 - np.abs(2 * (turns % 1.0) - 1)  # 0 at the upper border, 1 at the lower one
        if config.motion == "sine":
            wave = (1 - np.cos(2 * np.pi * turns)) / 2
        y = config.radius * config.scale + wave * config.travel
    return np.stack([np.full_like(y, element["x"]), y], axis=-1)


def render(elements: list[dict[str, Any]], times: np.ndarray, config: Config) -> np.ndarray:
    """Draw elements at `times` (frames, any real numbers) on black: uint8 (T, size, size, 3)."""
    import numpy as np

    out = np.zeros((len(times), config.size, config.size, 3), np.float32)
    pixel = np.arange(config.size) + 0.5
    radius = config.radius * config.scale
    for element in elements:
        centre = centres(element, times, config)
        left = max(int(element["x"] - radius) - 1, 0)
        right = min(int(element["x"] + radius) + 2, config.size)
        x = np.abs(pixel[left:right] - element["x"])[None, None, :]
        y = (pixel[None, :] - centre[:, 1:])[:, :, None]
        cover = np.clip(0.5 - _distance(element["name"], x, y, radius), 0, 1)[..., None]
        strip = out[:, :, left:right]
        strip += cover * (np.asarray(element["colour"], np.float32) - strip)
    return np.rint(out).astype(np.uint8)


def _distance(name: str, x: np.ndarray, y: np.ndarray, radius: float) -> np.ndarray:
    """Return the signed distance (px, negative inside) of points (|x|, y) from a shape around (0, 0)."""
    import numpy as np

    if name == "circle":
        return np.sqrt(x**2 + y**2) - radius
    if name == "square":
        return np.maximum(x, np.abs(y)) - radius
    # a triangle: apex at (0, -radius), base from (-radius, radius) to (radius, radius); distance to its lines
    side = (2 * x - (y + radius)) / np.sqrt(5.0)
    return np.maximum(side, y - radius)


def _caption(elements: list[dict[str, Any]], config: Config) -> str:
    ranked = sorted(set(config.speeds))
    moves = {"bounce": "bounces", "sine": "swings", "drift": "drifts down"}[config.motion]
    parts = []
    for element in elements:
        rank = ranked.index(min(ranked, key=lambda v: abs(v * config.scale - element["speed"])))
        word = SPEED_WORDS[rank] if len(ranked) == 3 else f"at {element['speed']:g} pixels a frame"
        parts.append(f"a {element['name']} {moves} {word}")
    return ", ".join(parts)
