"""Laying the pictures of an animation over one another, as its file says.

Pillow is asked for each picture by itself only: its own composition of an animated png depends on which frames were
looked at before (13.0: "previous" after a picture that was laid over another takes back too little).
Sources: the PNG specification (third edition) 13.11 (alpha), 11.3.6.2 (disposal and blending); the GIF89a
specification 23.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from moviola.data.codec.animation import Animation, AnimationFrame, still_of
from moviola.data.codec.convert import over_white

if TYPE_CHECKING:
    from PIL import Image


def composed_frames(file: BinaryIO, animation: Animation, indices: Iterable[int]) -> Iterator[np.ndarray]:
    """Give uint8 (H, W, 3), alpha over white, for each of `indices`.

    Args:
        file: the gif or png.
        animation: what `read_animation` says of it; it has parts.
        indices: ascending numbers of frames, without repeats.

    Raises:
        OSError, ValueError, SyntaxError: what Pillow raises for a picture that cannot be decoded.
    """
    parts = animation.parts
    fresh = [i for i, part in enumerate(parts) if _starts_anew(animation, part)]
    canvas, at = _Canvas(animation), -1
    for i in indices:
        count = bisect_right(fresh, i)
        for k in range(max(at + 1, fresh[count - 1] if count else 0), i + 1):
            canvas.lay(parts[k], _pixels(animation, parts[k], still_of(animation, parts[k], file)))
        at = i
        yield canvas.rgba[..., :3].copy() if canvas.rgba[..., 3].min() == 255 else over_white(canvas.rgba)


def _starts_anew(animation: Animation, part: AnimationFrame) -> bool:
    """Whether nothing of what was on the canvas before shows through, or comes back, after this part."""
    covers_canvas = part.box == (0, 0, *animation.size)
    is_opaque = part.clear < 0 if animation.kind == "gif" else not part.over
    return covers_canvas and is_opaque and part.dispose != "previous"


class _Canvas:
    """RGBA uint8 (H, W, 4), at first what "background" means."""

    def __init__(self, animation: Animation) -> None:
        width, height = animation.size
        self._animation = animation
        self.rgba = np.zeros((height, width, 4), np.uint8)
        self.rgba[:] = self._background(animation.parts[0])
        self._undo: tuple[tuple[slice, slice], np.ndarray] | None = None

    def lay(self, part: AnimationFrame, pixels: np.ndarray) -> None:
        """Dispose of the part before, and put RGBA uint8 (h, w, 4) where `part` lies; what is outside is cut off."""
        if self._undo is not None:
            place, previous = self._undo
            self.rgba[place] = previous
        left, top, width, height = part.box
        place = (slice(top, top + height), slice(left, left + width))
        below = self.rgba[place]
        pixels = pixels[: below.shape[0], : below.shape[1]]
        self._undo = self._after(part, place, below)
        self.rgba[place] = _blend(pixels, below) if part.over else pixels

    def _after(
        self, part: AnimationFrame, place: tuple[slice, slice], below: np.ndarray
    ) -> tuple[tuple[slice, slice], np.ndarray] | None:
        if part.dispose == "keep":
            return None
        if part.dispose == "previous":
            return place, below.copy()
        return place, self._background(part)

    def _background(self, part: AnimationFrame) -> np.ndarray:
        """Return RGBA uint8 (4,): transparent, but in a gif its background where `part` has nothing transparent."""
        color = self._animation.background
        return np.frombuffer(color + b"\xff" if color and part.clear < 0 else bytes(4), np.uint8)


def _blend(source: np.ndarray, backdrop: np.ndarray) -> np.ndarray:
    """Return `source` over `backdrop`, RGBA uint8 (h, w, 4) with straight alpha, rounded to the nearest value."""
    solid = source[..., 3] == 255
    if solid.all():
        return source
    # four bytes at a time
    packed = np.where(solid, source.view(np.uint32)[..., 0], backdrop.view(np.uint32)[..., 0])
    result = packed[..., None].view(np.uint8)
    partly = (source[..., 3] > 0) & (source[..., 3] < 255)
    if partly.any():
        top, low = source[partly].astype(np.int64), backdrop[partly].astype(np.int64)
        alpha, low_alpha = 255 * top[:, 3:], (255 - top[:, 3:]) * low[:, 3:]
        total = alpha + low_alpha  # 255 times the alpha of both
        colour = (alpha * top[:, :3] + low_alpha * low[:, :3] + total // 2) // total
        result[partly] = np.concatenate([colour, (total + 127) // 255], axis=1).astype(np.uint8)
    return result


def to_rgba(image: Image.Image, depth: int = 8) -> np.ndarray:
    """Return a loaded Pillow image as RGBA uint8 (H, W, 4), 16-bit grey rounded to 8.

    Args:
        image: of any mode.
        depth: bits of a sample in its png; Pillow scales 2 and 4 bits of grey to 8, but not the transparent value.
    """
    clear = image.info.get("transparency")
    if image.mode.startswith("I"):
        wide = np.asarray(image).astype(np.int64).clip(0, 65535)
        alpha = np.where(wide == clear, 0, 255) if isinstance(clear, int) else np.full_like(wide, 255)
        grey = (wide + 128) // 257
        return np.stack([grey, grey, grey, alpha], axis=-1).astype(np.uint8)
    if image.mode == "L" and isinstance(clear, int) and depth in (2, 4):
        image.info["transparency"] = clear * 255 // (2**depth - 1)
    elif image.mode == "RGB" and isinstance(clear, tuple) and depth == 16:
        image.info["transparency"] = tuple(value >> 8 for value in clear)
    return np.asarray(image.convert("RGBA"))


def _pixels(animation: Animation, part: AnimationFrame, still: bytes) -> np.ndarray:
    """Decode one part to RGBA uint8 (h, w, 4)."""
    from PIL import Image

    with Image.open(io.BytesIO(still)) as image:
        image.load()
        if animation.kind == "png":
            return to_rgba(image, animation.depth[0])
        numbers = np.asarray(image)
    colors = np.zeros((256, 4), np.uint8)
    colors[:, 3] = 255
    if part.palette:
        rgb = np.frombuffer(part.palette, np.uint8).reshape(-1, 3)
        colors[: len(rgb), :3] = rgb
    else:
        colors[:, :3] = np.arange(256, dtype=np.uint8)[:, None]
    if part.clear >= 0:
        colors[part.clear] = 0
    return np.take(colors.view(np.uint32)[:, 0], numbers)[..., None].view(np.uint8)
