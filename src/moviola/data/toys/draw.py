"""Antialiased glyphs: a shape is sampled from a small field, at any size, place and angle.

Glyph coordinates put the shape inside the unit disc: x right, y down, the origin at the centre of its motion.
A field holds either signed distances (in glyph units, negative inside) or opacities on a square grid over
[-SPAN, SPAN]^2; bilinear samples of a distance field keep edges sharp at every size. The coverage of a pixel is
taken as clip(0.5 - distance in px, 0, 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SPAN = 1.15
GRID = 139  # samples along a side of a distance field

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Glyph:
    """One drawable shape.

    Args:
        field: float32 (n, n), rows from y=-SPAN to y=SPAN, columns from x=-SPAN to x=SPAN.
        distance: whether `field` holds signed distances (glyph units) rather than opacities in [0, 1].
    """

    field: np.ndarray
    distance: bool


def arc(cx: float, cy: float, rx: float, ry: float, start: float, stop: float, steps: int = 24) -> list:
    """Return points along an ellipse from angle `start` to `stop` (degrees, clockwise on the screen, 0 = right)."""
    from math import cos, radians, sin

    turns = [radians(start + (stop - start) * k / steps) for k in range(steps + 1)]
    return [(cx + rx * cos(a), cy + ry * sin(a)) for a in turns]


def strokes(lines: Sequence[Points], width: float) -> np.ndarray:
    """Return the distance field of polylines drawn with a round pen of `width` (glyph units)."""
    import numpy as np

    starts = np.concatenate([np.asarray(line[:-1], dtype=np.float64) for line in lines])
    stops = np.concatenate([np.asarray(line[1:], dtype=np.float64) for line in lines])
    nearest = np.full(GRID * GRID, np.inf)
    for start, stop in zip(starts, stops, strict=True):
        nearest = np.minimum(nearest, _to_segment(_grid(), start, stop))
    return (nearest - width / 2).reshape(GRID, GRID)


def polygon(points: Points) -> np.ndarray:
    """Return the signed distance field of a closed polygon (even-odd inside)."""
    import numpy as np

    at = _grid()
    corners = np.asarray(points, dtype=np.float64)
    nearest = np.full(len(at), np.inf)
    inside = np.zeros(len(at), dtype=bool)
    for start, stop in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        nearest = np.minimum(nearest, _to_segment(at, start, stop))
        crosses = (start[1] > at[:, 1]) != (stop[1] > at[:, 1])
        rise = stop[1] - start[1]
        x = start[0] + (at[:, 1] - start[1]) * (stop[0] - start[0]) / (rise if rise else 1.0)
        inside ^= crosses & (at[:, 0] < x)
    return np.where(inside, -nearest, nearest).reshape(GRID, GRID)


def disc(cx: float, cy: float, radius: float) -> np.ndarray:
    """Return the signed distance field of a disc."""
    import numpy as np

    at = _grid()
    return (np.hypot(at[:, 0] - cx, at[:, 1] - cy) - radius).reshape(GRID, GRID)


def from_distance(field: np.ndarray) -> Glyph:
    """Wrap a signed distance field made by `strokes`, `polygon` or `disc` (or a minimum or maximum of them)."""
    import numpy as np

    return Glyph(np.ascontiguousarray(field, dtype=np.float32), distance=True)


def from_bitmap(image: np.ndarray, radius: float) -> Glyph:
    """Wrap a square uint8 bitmap (n, n), 0 clear and 255 ink, that fills the square around the unit disc.

    Args:
        image: the bitmap; made smaller beforehand, with an antialiasing kernel, when it has more pixels than
            it will be drawn with.
        radius: the radius it will be drawn at, px.
    """
    import numpy as np
    from PIL import Image

    picture = Image.fromarray(image)
    side = min(image.shape[0], max(4, round(2 * radius)))
    picture = picture.resize((side, side), Image.Resampling.BILINEAR)
    alpha = np.pad(np.asarray(picture, dtype=np.float32) / 255, 1)
    # pixel centres of the bitmap lie at (k + 0.5) * 2 / side - 1; resample them onto the field's own grid
    at = (np.linspace(-SPAN, SPAN, GRID) + 1) * side / 2 + 0.5
    return Glyph(_bilinear(alpha, at[:, None], at[None, :]), distance=False)


def layer(
    glyph: Glyph, centres: np.ndarray, angles: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a glyph once per frame into a small window that follows it.

    Args:
        glyph: the shape.
        centres: float64 (T, 2), x and y in px (see `moviola.data.toys.motion`).
        angles: float64 (T,), radians clockwise.
        radius: px that one glyph unit takes; above 0.

    Returns:
        Opacities float32 (T, b, b) in [0, 1], and the windows' top left corners int64 (T, 2) as row, column.
        Corners may lie outside the frame.
    """
    import numpy as np

    half = int(np.ceil(radius * SPAN)) + 1
    left = np.floor(centres[:, 0]).astype(np.int64) - half
    top = np.floor(centres[:, 1]).astype(np.int64) - half
    cells = np.arange(2 * half + 1) + 0.5
    x = (left[:, None] + cells - centres[:, :1])[:, None, :] / radius
    y = (top[:, None] + cells - centres[:, 1:])[:, :, None] / radius
    cos, sin = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    scale = (GRID - 1) / (2 * SPAN)
    value = _bilinear(glyph.field, (y * cos - x * sin + SPAN) * scale, (x * cos + y * sin + SPAN) * scale)
    alpha = np.clip(0.5 - value * np.float32(radius), 0, 1) if glyph.distance else value
    return alpha, np.stack([top, left], axis=1)


def paint(frames: np.ndarray, alpha: np.ndarray, corners: np.ndarray, colour: Sequence[int]) -> None:
    """Lay one coloured layer over `frames` in place.

    Args:
        frames: float32 (T, H, W, 3) in [0, 255].
        alpha, corners: what `layer` returned, for the same T.
        colour: red, green and blue, 0 to 255.
    """
    import numpy as np

    height, width = frames.shape[1:3]
    ink = np.asarray(colour, dtype=np.float32)
    size = alpha.shape[1]
    for frame, opacity, (top, left) in zip(frames, alpha, corners.tolist(), strict=True):
        y0, y1 = max(top, 0), min(top + size, height)
        x0, x1 = max(left, 0), min(left + size, width)
        if y0 >= y1 or x0 >= x1:
            continue
        window = frame[y0:y1, x0:x1]
        window += opacity[y0 - top : y1 - top, x0 - left : x1 - left, None] * (ink - window)


def _grid() -> np.ndarray:
    import numpy as np

    axis = np.linspace(-SPAN, SPAN, GRID)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _to_segment(at: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    import numpy as np

    along = stop - start
    length = float(along @ along)
    part = np.clip((at - start) @ along / length, 0, 1) if length else np.zeros(len(at))
    return np.hypot(*(at - start - part[:, None] * along).T)


def _bilinear(field: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Sample `field` at fractional indices, the border repeated outside."""
    import numpy as np

    last = field.shape[0] - 1
    row, column = np.broadcast_arrays(np.clip(row, 0, last), np.clip(column, 0, last))
    i, j = np.minimum(row.astype(np.intp), last - 1), np.minimum(column.astype(np.intp), last - 1)
    di, dj = (row - i).astype(np.float32), (column - j).astype(np.float32)
    flat, corner = field.ravel(), i * field.shape[1] + j
    above = flat[corner] * (1 - dj) + flat[corner + 1] * dj
    corner = corner + field.shape[1]
    below = flat[corner] * (1 - dj) + flat[corner + 1] * dj
    return above * (1 - di) + below * di
