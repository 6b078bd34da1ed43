"""Oil: brush strokes along the structure of the picture, coarse ones first, with relief under a light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from moviola.core.luma import luma
from moviola.core.seeds import numpy_generator
from moviola.models.rerender.filters.common import Directions, blur, directions, opencv, surface, unit_of
from moviola.models.rerender.filters.settings import OilConfig

_APART = 3  # strokes of one pass lie so many cells apart and do not touch
_LENGTH, _WIDTH = 64, 24  # px of the stroke's own picture


@dataclass(eq=False)
class _Canvas:
    """Wet paint, with a margin of `margin` px on every side.

    Attributes:
        layers: red, green, blue (0 to 255) and the height of the paint, float32 (4, h, w).
        guide: the picture, which strokes do not leave, float32 (3, h, w).
        margin: px.
    """

    layers: np.ndarray
    guide: np.ndarray
    margin: int

    @classmethod
    def begin(cls, ground: np.ndarray, guide: np.ndarray, margin: int) -> _Canvas:
        """Lay a ground; pictures are float32 (H, W, 3)."""
        flat = np.zeros((*ground.shape[:2], 1), np.float32)
        return cls(_planes(np.concatenate([ground, flat], 2), margin), _planes(guide, margin), margin)

    def inside(self) -> list[np.ndarray]:
        """Return the layers without the margin, float32 (H, W) each."""
        m = self.margin
        return [np.ascontiguousarray(layer[m:-m, m:-m]) for layer in self.layers]

    def lost(self) -> np.ndarray:
        """Return how far the paint is from the picture, the most of the three colours, float32 (H, W)."""
        m = self.margin
        gap = np.abs(self.guide - self.layers[:3])[:, m:-m, m:-m]
        return np.maximum(np.maximum(gap[0], gap[1]), gap[2])


def oil(frame: np.ndarray, settings: OilConfig) -> np.ndarray:
    """Paint in oil: two layers of strokes that follow the picture, each of one colour, not over its edges.

    Strokes begin at places that are fixed in the frame, so that they do not crawl.

    Source: Litwinowicz 1997, "Processing Images and Video for an Impressionist Effect" (strokes across the gradient,
    cut off at edges); Hertzmann 1998, "Painterly Rendering with Curved Brush Strokes of Multiple Sizes" (layers, the
    finer where there is detail); directions as in Kyprianidis et al. 2009.

    Args:
        frame: uint8 (H, W, 3). settings: of the painter.

    Returns:
        float32 (H, W, 3), 0 to 255.
    """
    cv2 = opencv()
    height, width = frame.shape[:2]
    unit = unit_of(frame) * settings.brush
    lean = 0.8 + 0.5 * surface(height, width, 24 * unit, "lean")
    way = directions(blur(luma(frame), 0.5 * unit), 2 * unit, lean)
    broad, fine = (max(3, round(cells * unit)) for cells in (3.4, 1.25))
    clear = frame.astype(np.float32)
    plain = _settled(frame, unit).astype(np.float32)
    canvas = _Canvas.begin(plain, clear, _APART * broad)
    _layer(canvas, _strokes(plain, way, broad, 1.0))
    if settings.detail:
        lost = canvas.lost()
        where = np.clip(settings.detail * (blur(lost, 0.6 * fine) - 4) / 6, 0, 1)
        _layer(canvas, _strokes(clear, way, fine, 0.6), where)
    *paint, relief = canvas.inside()
    painted = cv2.merge(paint)
    return _lit(painted, relief, unit, settings.impasto) if settings.impasto else painted


@dataclass(frozen=True, eq=False)
class _Strokes:
    """Strokes, one in every cell of a grid that begins a cell outside the frame; arrays (rows, columns).

    Attributes:
        cell: its side, px.
        y, x: centres, px of the frame.
        cos, sin: of their angles.
        paint: colour and height, (4, rows, columns).
        order: in which they are laid, places in a square of `_APART` cells.
    """

    cell: int
    y: np.ndarray
    x: np.ndarray
    cos: np.ndarray
    sin: np.ndarray
    paint: np.ndarray
    order: np.ndarray


def _strokes(colours: np.ndarray, way: Directions, cell: int, thick: float) -> _Strokes:
    """Return the strokes of one layer: places, turns and tints are drawn once and for all, colours are the picture's.

    Args:
        colours: float32 (H, W, 3). way: directions. cell: side of a cell, px. thick: how high the paint stands.
    """
    height, width = colours.shape[:2]
    rows, columns = -(-height // cell) + 2, -(-width // cell) + 2
    random = numpy_generator(0, "strokes", cell)
    y, x, turn, tint = random.random((4, rows, columns)).astype(np.float32) - 0.5
    y = (y + np.arange(rows, dtype=np.float32)[:, None] - 0.5) * cell
    x = (x + np.arange(columns, dtype=np.float32)[None] - 0.5) * cell
    at = (np.clip(y, 0, height - 1).astype(np.intp), np.clip(x, 0, width - 1).astype(np.intp))
    turn *= 0.5
    cos = way.x[at] * np.cos(turn) - way.y[at] * np.sin(turn)
    sin = way.x[at] * np.sin(turn) + way.y[at] * np.cos(turn)
    paint = colours[at]
    room = np.minimum(np.minimum(paint, 255 - paint).min(axis=2), 60)
    paint = paint + (room * 0.35 * tint)[..., None]
    paint = np.concatenate([paint, np.full((rows, columns, 1), thick, np.float32)], 2).transpose(2, 0, 1)
    return _Strokes(cell, y, x, cos, sin, np.ascontiguousarray(paint), random.permutation(_APART**2))


def _layer(canvas: _Canvas, strokes: _Strokes, where: np.ndarray | None = None) -> None:
    """Lay strokes; `where` is how thickly, (H, W), None for everywhere."""
    thick = None if where is None else _planes(where[..., None], canvas.margin)
    for number in strokes.order:
        _lay(canvas, strokes, divmod(int(number), _APART), thick)


def _lay(canvas: _Canvas, strokes: _Strokes, first: tuple[int, int], thick: np.ndarray | None) -> None:
    """Lay every `_APART`th stroke of every `_APART`th row: none of them touch, so each has a block of its own."""
    cv2 = opencv()
    cell, margin, side = strokes.cell, canvas.margin, _APART * strokes.cell
    top, left = (margin + (place - 1) * cell + (cell - side) // 2 for place in first)
    have, size = strokes.y[first[0] :: _APART, first[1] :: _APART].shape, canvas.layers.shape[1:]
    ny, nx = min(have[0], (size[0] - top) // side), min(have[1], (size[1] - left) // side)

    def of(values: np.ndarray) -> np.ndarray:
        return values[..., first[0] :: _APART, first[1] :: _APART][..., :ny, None, :nx, None]

    def blocks(values: np.ndarray) -> np.ndarray:
        cut = values[:, top : top + ny * side, left : left + nx * side]
        return cut.reshape(-1, ny, side, nx, side)

    y = np.arange(top - margin, top - margin + ny * side, dtype=np.float32).reshape(ny, side, 1, 1)
    x = np.arange(left - margin, left - margin + nx * side, dtype=np.float32).reshape(nx, side)
    dy, dx = y - of(strokes.y), x - of(strokes.x)
    along, across = _LENGTH / (2.9 * cell), _WIDTH / (1.3 * cell)
    u = dx * (of(strokes.cos) * along) + (dy * (of(strokes.sin) * along) + _LENGTH / 2)
    v = dx * (of(-strokes.sin) * across) + (dy * (of(strokes.cos) * across) + _WIDTH / 2)
    flat = (ny * side, nx * side)
    places = (u.reshape(flat), v.reshape(flat))
    high = cv2.remap(
        _stroke(), *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0
    ).reshape(ny, side, nx, side)
    cover = np.minimum(2.2 * high, 1)
    paint, guide = of(strokes.paint), blocks(canvas.guide)
    gap = np.abs(guide[0] - paint[0])
    for i in (1, 2):
        gap += np.abs(guide[i] - paint[i])
    gap *= -1 / 65
    gap += 2.2
    np.clip(gap, 0, 1, out=gap)
    cover *= gap
    if thick is not None:
        cover *= blocks(thick)[0]
    wet = blocks(canvas.layers)
    for i in range(3):
        wet[i] += cover * (paint[i] - wet[i])
    wet[3] += cover * (paint[3] * high - wet[3])


def _lit(paint: np.ndarray, height: np.ndarray, unit: float, impasto: float) -> np.ndarray:
    """Light the relief from the upper left; brightness goes up as much as down, and black and white stay."""
    cv2 = opencv()
    dx = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
    dy = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
    slope = -(dx + dy) * unit
    slope -= slope.mean()
    shade = np.tanh(1.2 * slope) * np.float32(0.32 * impasto)
    return paint + shade[..., None] * np.minimum(np.minimum(paint, 255 - paint) + 8, 70)


@lru_cache(maxsize=1)
def _stroke() -> np.ndarray:
    """Return how high a brush stroke stands, float32 (_WIDTH, _LENGTH), 0 beside it; the same upside down."""
    random = numpy_generator(0, "stroke")
    v = (np.arange(_WIDTH) + 0.5) / _WIDTH * 2 - 1
    u = (np.arange(_LENGTH) + 0.5) / _LENGTH * 2 - 1
    hairs = np.convolve(random.standard_normal(_WIDTH + 4), [0.1, 0.2, 0.4, 0.2, 0.1], "valid")
    hairs = (hairs + hairs[::-1]) / 2
    ends = 0.9 - 0.35 * v[:, None] ** 2 + 0.16 * hairs[:, None]
    inside = np.clip((ends - np.abs(u)[None]) * 5, 0, 1) * np.clip((1 - np.abs(v)[:, None]) * 3, 0, 1)
    ridge = 0.55 + 0.6 * hairs[:, None] + 0.45 * np.abs(u)[None] ** 3 + 0.25 * np.abs(v)[:, None] ** 2
    return (np.maximum(ridge, 0.2) * inside).astype(np.float32)


def _settled(frame: np.ndarray, unit: float) -> np.ndarray:
    """Return the frame without what is smaller than a fine brush: medians of 3 or 5 px, which are fast."""
    cv2 = opencv()
    for _ in range(max(1, round(0.5 * unit))):
        frame = cv2.medianBlur(frame, 3 if unit < 1.5 else 5)
    return frame


def _planes(picture: np.ndarray, margin: int) -> np.ndarray:
    """Return a picture (H, W, C) as planes (C, H + 2 margin, W + 2 margin), its border repeated."""
    cv2 = opencv()
    wide = (
        cv2.copyMakeBorder(picture[..., i], margin, margin, margin, margin, cv2.BORDER_REPLICATE)
        for i in range(picture.shape[2])
    )
    return np.stack(list(wide))
