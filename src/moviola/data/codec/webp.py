"""Writing animated webp: libwebp codes each frame, the container around the frames is written here.

FFmpeg's and Pillow's muxers merge equal neighbouring frames, so what is read back would have fewer frames. Here
every frame stays one frame, at the price of no compression between frames.
Source: the WebP container specification (developers.google.com/speed/webp/docs/riff_container).
"""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from moviola.core.errors import FormatError
from moviola.core.video import Audio
from moviola.data.codec.ticks import Bounds, TickRule

MAX_SIDE = 16383
_ANIMATION, _NO_BLEND = 0x02, 0x02
_MILLISECONDS = TickRule(1000, most=0xFFFFFF)


class WebpEncoder:
    """An animated webp that plays for ever; memory holds one frame.

    Args:
        path: the file to write.
        fps: frames per second, where they are constant; frames begin at whole milliseconds.
        shape: height and width, each at most 16383.
        lossless: keep every value, else quality 90.

    Raises:
        FormatError: frames too large.
    """

    def __init__(self, path: Path, fps: Fraction, shape: tuple[int, int], lossless: bool) -> None:
        if max(shape) > MAX_SIDE:
            raise FormatError(
                f".webp holds frames of at most {MAX_SIDE} pixels each way, got {shape[1]}x{shape[0]}"
            )
        self._file, self._fps, self._lossless = path.open("wb"), fps, lossless
        self._corner = _u24(shape[1] - 1) + _u24(shape[0] - 1)
        self._count, self._ticks = 0, _MILLISECONDS.ticks(())
        self._file.write(b"RIFF\0\0\0\0WEBP")
        self._file.write(_chunk(b"VP8X", bytes([_ANIMATION, 0, 0, 0]) + self._corner))
        self._file.write(_chunk(b"ANIM", b"\xff\xff\xff\xff\0\0"))

    def add(self, frames: np.ndarray, audio: Audio | None, bounds: Bounds = None) -> None:
        """Code each frame; sound is left out."""
        from PIL import Image

        if bounds is None:
            ends = range(self._count, self._count + len(frames) + 1)
            ticks = [round(1000 * end / self._fps) for end in ends]
        else:
            ticks = self._ticks(bounds)
        self._count += len(frames)
        for image, (begin, end) in zip(frames, pairwise(ticks), strict=True):
            coded = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(image)).save(
                coded, "WEBP", lossless=self._lossless, quality=90, exact=True
            )
            place = _u24(0) + _u24(0) + self._corner + _u24(end - begin) + bytes([_NO_BLEND])
            self._file.write(_chunk(b"ANMF", place + _picture(coded.getvalue())))

    def finish(self) -> None:
        """State the length."""
        size = self._file.tell()
        self._file.seek(4)
        self._file.write(struct.pack("<I", size - 8))
        self._file.close()

    def abort(self) -> None:
        """Close the file."""
        self._file.close()


def _u24(value: int) -> bytes:
    return value.to_bytes(3, "little")


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _picture(still: bytes) -> bytes:
    """Return the picture chunk of a still webp."""
    at = 12
    while at + 8 <= len(still):
        name, length = struct.unpack("<4sI", still[at : at + 8])
        if name in (b"VP8 ", b"VP8L"):
            return _chunk(name, still[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    raise FormatError("libwebp gave no picture")
