"""Moving coloured icons with captions: "a red star spins clockwise and a blue fish moves up and down".

No icon looks the same after a part of a turn, so the direction of a spin can be seen.
"""

from __future__ import annotations

from functools import lru_cache
from math import cos, pi, sin
from typing import TYPE_CHECKING

from pydantic import Field

from moviola.core.seeds import numpy_generator
from moviola.data.toys import ToyClip
from moviola.data.toys.draw import Glyph, arc, disc, from_distance, polygon, strokes
from moviola.data.toys.phrases import CaptionElement, parse_caption
from moviola.data.toys.scene import Element, SceneConfig, make_scene

if TYPE_CHECKING:
    import numpy as np

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (230, 50, 50),
    "green": (60, 190, 80),
    "blue": (70, 110, 245),
    "yellow": (245, 210, 60),
    "purple": (170, 80, 220),
    "white": (245, 245, 245),
}


class Config(SceneConfig):
    """Settings of the icons (see `SceneConfig`)."""

    names: tuple[str, ...] = Field(default=(), max_length=10)  # which icons; empty: all
    colours: tuple[str, ...] = Field(default=(), max_length=6)  # which colours; empty: all


def make(
    index: int, seed: int, config: Config | None = None, looks: np.random.Generator | None = None
) -> ToyClip:
    """Make clip `index` of the set `seed`.

    Args:
        index: which clip, 0 or more; clip k is the same whatever the size of the set.
        seed: which set.
        config: the settings; None for the defaults.
        looks: draws what is to be seen, in place of the clip's own draws; places and motions stay.

    Returns:
        The video, its caption and its truth (`moviola.data.toys.scene`).

    Raises:
        UnknownNameError: the settings name an icon or a colour that does not exist.
    """
    from moviola.core.errors import check_name

    config = config or Config()
    names, colours = config.names or NAMES, config.colours or tuple(COLOURS)
    for kind, words, vocabulary in (("icon", names, NAMES), ("colour", colours, COLOURS)):
        for word in words:
            check_name(kind, word, vocabulary)
    rng = numpy_generator(seed, "icons", index)

    def pick(radius: float) -> Element:
        name, colour = (int(rng.integers(len(words))) for words in (names, colours))
        if looks is not None:
            name, colour = (int(looks.integers(len(words))) for words in (names, colours))
        return Element(names[name], colours[colour], _glyph(names[name]), COLOURS[colours[colour]])

    return make_scene(rng, config, pick)


def parse(caption: str) -> list[CaptionElement]:
    """Return what a caption of this toy says, element by element (`PromptError` when it is none)."""
    return parse_caption(caption, NAMES, COLOURS)


def _star() -> np.ndarray:
    """Five points, the upper one longer than the others."""
    points = []
    for k in range(10):
        reach = 0.36 if k % 2 else (1.0 if k == 0 else 0.74)
        points.append((reach * sin(pi * k / 5), -reach * cos(pi * k / 5)))
    return polygon(points)


def _heart() -> np.ndarray:
    turns = [2 * pi * k / 64 for k in range(64)]
    return polygon(
        [
            (
                0.052 * 16 * sin(a) ** 3,
                -0.052 * (13 * cos(a) - 5 * cos(2 * a) - 2 * cos(3 * a) - cos(4 * a) + 1.5),
            )
            for a in turns
        ]
    )


def _house() -> np.ndarray:
    """A gable roof with a chimney on its right."""
    chimney = [(0.3, -0.56), (0.3, -0.8), (0.52, -0.8), (0.52, -0.34)]
    walls = [(0.6, 0), (0.6, 0.75), (-0.6, 0.75), (-0.6, 0)]
    return polygon([(0, -0.85), *chimney, (0.85, 0), *walls, (-0.85, 0)])


def _arrow() -> np.ndarray:
    return polygon(
        [(0, -0.95), (0.62, -0.2), (0.22, -0.2), (0.22, 0.9), (-0.22, 0.9), (-0.22, -0.2), (-0.62, -0.2)]
    )


def _moon() -> np.ndarray:
    import numpy as np

    return np.maximum(disc(0, 0, 0.9), -disc(0.42, -0.12, 0.72))


def _drop() -> np.ndarray:
    return polygon([(0, -0.95), *arc(0, 0.32, 0.58, 0.58, -28, 208, 40)])


def _tree() -> np.ndarray:
    import numpy as np

    right = [(0.45, -0.25), (0.25, -0.25), (0.68, 0.42)]
    crown = polygon([(0, -0.95), *right, *[(-x, y) for x, y in reversed(right)]])
    trunk = polygon([(-0.15, 0.3), (0.15, 0.3), (0.15, 0.9), (-0.15, 0.9)])
    return np.minimum(crown, trunk)


def _fish() -> np.ndarray:
    """Swims to the right, with an eye."""
    import numpy as np

    body = polygon(arc(0.2, 0, 0.72, 0.46, 0, 360, 48)[:-1])
    tail = polygon([(-0.35, 0), (-0.9, -0.42), (-0.78, 0), (-0.9, 0.42)])
    return np.maximum(np.minimum(body, tail), -disc(0.55, -0.12, 0.11))


def _bolt() -> np.ndarray:
    left = [(0.2, -0.95), (-0.55, 0.15), (-0.05, 0.15), (-0.3, 0.92)]
    return polygon([*left, (0.55, -0.25), (0.05, -0.25), (0.5, -0.85)])


def _key() -> np.ndarray:
    import numpy as np

    ring = strokes([arc(0, -0.52, 0.3, 0.3, 0, 360, 36)], 0.24)
    shaft = strokes([[(0, -0.22), (0, 0.82)], [(0, 0.76), (0.36, 0.76)], [(0, 0.42), (0.28, 0.42)]], 0.2)
    return np.minimum(ring, shaft)


_SHAPES = {
    "arrow": _arrow,
    "bolt": _bolt,
    "drop": _drop,
    "fish": _fish,
    "heart": _heart,
    "house": _house,
    "key": _key,
    "moon": _moon,
    "star": _star,
    "tree": _tree,
}
NAMES: tuple[str, ...] = tuple(_SHAPES)


@lru_cache(maxsize=16)
def _glyph(name: str) -> Glyph:
    return from_distance(_SHAPES[name]())
