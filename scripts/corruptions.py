"""Draw docs/media/corruptions.png, every corruption on one clip of icons: python scripts/corruptions.py"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from moviola.core.seeds import numpy_generator
from moviola.data.corrupt import CORRUPTIONS
from moviola.data.toys import icons

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "media" / "corruptions.png"
STRENGTH, FRAMES, SHOWN, SIZE, GAP, NAME = 0.7, 16, 8, 64, 2, 92


def clip() -> np.ndarray:
    """Return two icons over a smooth ground that moves a little, uint8 (T, H, W, 3)."""
    config = icons.Config(size=SIZE, frames=FRAMES, elements=(2, 2))
    drawn = icons.make(4, 0, config).video.frames.astype(np.float32)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    t = np.arange(FRAMES)[:, None, None] / FRAMES
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * (3 * x + 2 * y + 0.5 * t))
    ground = np.stack([40 + 50 * y + 0 * wave, 60 + 40 * wave, 80 + 60 * x + 0 * wave], axis=-1)
    lit = drawn.max(axis=-1, keepdims=True) / 255
    return np.rint(drawn * lit + ground * (1 - lit)).clip(0, 255).astype(np.uint8)


def row(frames: np.ndarray, name: str) -> np.ndarray:
    """Return a name and every second frame in a row, uint8 (H, W, 3)."""
    canvas = Image.new("RGB", (NAME + SHOWN * (SIZE + GAP), SIZE + GAP), "white")
    ImageDraw.Draw(canvas).text((4, SIZE // 2), name, "black", anchor="lm", font_size=13)
    for k, frame in enumerate(frames[:: FRAMES // SHOWN]):
        canvas.paste(Image.fromarray(frame), (NAME + k * (SIZE + GAP), 0))
    return np.asarray(canvas)


def main() -> None:
    """Write the picture."""
    clean = clip()
    rows = [row(clean, "as it was")]
    for name, corruption in CORRUPTIONS.items():
        flawed, _ = corruption.apply(clean, STRENGTH, numpy_generator(0, "picture", name))
        rows.append(row(flawed, name))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.concatenate(rows)).quantize(256, dither=Image.Dither.NONE)
    picture.save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
