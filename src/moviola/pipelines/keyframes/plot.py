"""A picture of how key frames were chosen: the curve of changes, the keys marked in it, and what they show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moviola.core.resample import resize_frames
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.pictures import check_png, write_png
from moviola.selection.change import MEASURES

if TYPE_CHECKING:
    from moviola.pipelines.keyframes.run import KeyFrames

WIDTH, PANEL, MARGIN, GAP = 1200, 240, 56, 6
"""Of the picture, px: its width, the height of the curve, the room around it, and between thumbnails."""
COLUMNS, MOST = 8, 24
"""Thumbnails in a row, and at most in all; they are spread over the keys where there are more."""
INK, GREY, CURVE, KEY, CUT = "#202020", "#b0b0b0", "#2060a0", "#d04020", "#208040"


def write_plot(keys: KeyFrames, video: Video | str | Path, path: str | Path) -> Path:
    """Write `draw` as a PNG.

    Args:
        keys: what `keyframes` returned. video: what it was given.
        path: ends in ".png".

    Raises:
        FormatError: another extension. OutputError: it cannot be written. As `moviola.data.codec.read_frames_at`.
    """
    path = check_plot(path)
    write_png(path, draw(keys, video))
    return path


def check_plot(path: str | Path) -> Path:
    """Return `path`, if a plot could be written there.

    Raises:
        FormatError: it does not end in ".png". OutputError: its folder does not exist.
    """
    return check_png(path, "a plot")


def draw(keys: KeyFrames, video: Video | str | Path) -> np.ndarray:
    """Draw the curve of changes with keys (red) and cuts (green), and thumbnails of the keys below.

    Args:
        keys: what `keyframes` returned. video: what it was given; read again for the thumbnails, a few at a time.

    Returns:
        uint8 (H, 1200, 3).
    """
    from PIL import Image, ImageDraw

    shown = [keys.indices[i] for i in _spread(len(keys.indices), MOST)]
    side = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) // COLUMNS
    thumbnails = _thumbnails(video, shown, side)
    row = max(len(picture) for picture in thumbnails) + 20
    top = PANEL + 2 * MARGIN
    image = Image.new("RGB", (WIDTH, top + -(-len(shown) // COLUMNS) * row + GAP), "white")
    pen = _Pen(ImageDraw.Draw(image), _font(), len(keys.change), _highest(keys))
    pen.curve(keys)
    for number, (index, picture) in enumerate(zip(shown, thumbnails, strict=True)):
        x, y = MARGIN + number % COLUMNS * (side + GAP), top + number // COLUMNS * row
        image.paste(Image.fromarray(picture), (x, y))
        pen.text(x, y + len(picture) + 2, str(index), CUT if index in keys.cuts else KEY)
    return np.asarray(image)


class _Pen:
    """Draws in the panel of the curve; frames from left to right, changes from the bottom up."""

    def __init__(self, canvas: Any, font: Any, n: int, highest: float) -> None:
        self._canvas, self._font, self._n, self._highest = canvas, font, n, highest or 1.0

    def place(self, frame: int, value: float) -> tuple[float, float]:
        """Return the pixel of a frame and a change."""
        value = min(value, self._highest)
        across = (WIDTH - 2 * MARGIN) * frame / max(self._n - 1, 1)
        return MARGIN + across, MARGIN + PANEL * (1 - value / self._highest)

    def text(self, x: float, y: float, words: str, colour: str = INK, anchor: str = "la") -> None:
        """Write a few words."""
        self._canvas.text((x, y), words, fill=colour, font=self._font, anchor=anchor)

    def curve(self, keys: KeyFrames) -> None:
        """Draw axes, marks and the curve."""
        left, floor = self.place(0, 0)
        right, top = self.place(self._n - 1, self._highest)
        right = max(right, left + 1)
        for index in keys.indices:
            x, _ = self.place(index, 0)
            cut = index in keys.cuts
            self._canvas.line([(x, top), (x, floor + 5)], fill=CUT if cut else KEY, width=2 if cut else 1)
        points = [self.place(t, float(value)) for t, value in enumerate(keys.change)]
        if len(points) > 1:
            self._canvas.line(points, fill=CURVE, width=2)
        self._canvas.line([(left, floor), (WIDTH - MARGIN, floor)], fill=INK)
        self._canvas.line([(left, top), (left, floor)], fill=INK)
        for frame in _spread(self._n, 11):
            self.text(self.place(frame, 0)[0], floor + 8, str(frame), anchor="ma")
        for part in (0.0, 0.5, 1.0):
            x, y = self.place(0, part * self._highest)
            self.text(x - 6, y, f"{part * self._highest:.3g}", anchor="rm")
        self.text(left, 8, _title(keys))
        self.text(left, 28, "change per frame (blue), key frames (red), cuts (green)", GREY)


def _highest(keys: KeyFrames) -> float:
    """Return the top of the panel: the most change but for the steps over cuts, which end there."""
    return float(np.delete(keys.change, keys.cuts).max())


def _title(keys: KeyFrames) -> str:
    unit = MEASURES[keys.measure].unit
    words = f"{len(keys.indices)} key frames of {len(keys.change)} by {keys.method}; change: {keys.measure}, {unit}"
    gains = ", ".join(f"{100 * gain:.0f}% under {name}" for name, gain in keys.gain.items())
    return words + (f"; predicted error {gains}" if gains else "")


def _thumbnails(video: Video | str | Path, indices: list[int], width: int) -> list[np.ndarray]:
    """Return small copies of frames, `width` px wide; tall ones are as high as wide."""
    pictures = []
    for frame in _read(video, indices):
        scale = width / max(frame.shape[:2])
        rows, columns = (max(round(side * scale), 1) for side in frame.shape[:2])
        pictures.append(resize_frames(frame[None], rows, columns, "box" if scale < 1 else "nearest")[0])
    return pictures


def _read(video: Video | str | Path, indices: list[int]) -> Iterator[np.ndarray]:
    for start in range(0, len(indices), COLUMNS):
        part = indices[start : start + COLUMNS]
        yield from video.frames[part] if isinstance(video, Video) else codec.read_frames_at(video, part)


def _spread(count: int, most: int) -> list[int]:
    """Return at most `most` of the numbers below `count`, spread evenly, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()


def _font() -> Any:
    from PIL import ImageFont

    try:
        return ImageFont.load_default(15)
    except TypeError:  # Pillow before 10.1 has one size only
        return ImageFont.load_default()
