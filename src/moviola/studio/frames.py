"""Frames of clips as pictures that a browser shows.

A browser's own video player says neither which frame it shows nor goes to a given one. So the page that compares clips
gets frames that were decoded here, by number: several in one picture, one below the other.
"""

from __future__ import annotations

import hashlib
import io
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from moviola.studio.errors import RequestError
from moviola.studio.places import Places

if TYPE_CHECKING:
    from PIL import Image

MOST_FRAMES, MOST_SIDE, MOST_ROWS = 32, 4096, 1200
_TALLEST = 16_000  # px; what every browser decodes
_SMALL = 480, 240  # of a preview: px of its longer side, frames
_DECODING = threading.Semaphore(2)


def strip(path: Path, start: int, count: int, side: int, exact: bool) -> tuple[bytes, str, int]:
    """Return consecutive frames of a clip, one below the other, in one picture.

    Args:
        path: of the clip.
        start, count: the frames; fewer where the clip ends, or the picture would grow too tall.
        side: longer side of a frame, px, at most; a smaller one is not enlarged.
        exact: every value as it was decoded (png), else a jpeg of high quality.

    Returns:
        the picture, its media type, and the number of frames in it.

    Raises:
        RequestError: a number out of range. VideoReadError, FormatError: the clip cannot be read.
    """
    from moviola.data import codec

    if not (1 <= count <= MOST_FRAMES and 16 <= side <= MOST_SIDE):
        raise RequestError(f"count is 1 to {MOST_FRAMES} and side 16 to {MOST_SIDE}, not {count} and {side}")
    with _DECODING:
        info = codec.probe(path)
        if not 0 <= start < info.frames:
            raise RequestError(
                f"there is no frame {start}; the clip has {info.frames}, 0 to {info.frames - 1}", 404
            )
        height, width = _within(info.height, info.width, side)
        stop = min(info.frames, start + count, start + max(1, _TALLEST // height))
        frames = codec.read_frames_at(path, range(start, stop))
        sheet = _sheet(frames, height, width)
    data, kind = _encoded(sheet, exact)
    return data, kind, stop - start


def _within(height: int, width: int, side: int) -> tuple[int, int]:
    ratio = min(1.0, side / max(height, width))
    return max(1, round(height * ratio)), max(1, round(width * ratio))


def _sheet(frames: np.ndarray, height: int, width: int) -> Image.Image:
    """Return frames, uint8 (T, H, W, 3), one below the other, each of that height and width."""
    from PIL import Image

    if frames.shape[1:3] == (height, width):
        return Image.fromarray(np.ascontiguousarray(frames).reshape(-1, width, 3))
    sheet = Image.new("RGB", (width, height * len(frames)))
    for place, frame in enumerate(frames):
        small = Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
        sheet.paste(small, (0, place * height))
    return sheet


def _encoded(picture: Image.Image, exact: bool) -> tuple[bytes, str]:
    buffer = io.BytesIO()
    if exact:
        picture.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue(), "image/png"
    picture.save(buffer, "JPEG", quality=93, subsampling=0)
    return buffer.getvalue(), "image/jpeg"


def time_slice(path: Path, axis: str, at: float) -> bytes:
    """Return one line of every frame, one below the other (png): what moves leaves a slanted trace, flicker a step.

    Args:
        path: of the clip.
        axis: "row", a line across; "column", a line down, laid across.
        at: which, 0 the first to 1 the last.

    Returns:
        a picture of T rows, at most 1200, evenly chosen from a longer clip.

    Raises:
        RequestError: another axis or place. VideoReadError, FormatError: the clip cannot be read.
    """
    from PIL import Image

    from moviola.data import codec

    if axis not in ("row", "column") or not 0 <= at <= 1:
        raise RequestError(f"axis is row or column and at is 0 to 1, not {axis} and {at}")
    with _DECODING:
        info = codec.probe(path)
        stride = -(-info.frames // MOST_ROWS)
        size = info.height if axis == "row" else info.width
        line = min(size - 1, int(at * size))
        pieces = (piece.frames for piece in codec.stream(path, stride=stride))
        rows = np.concatenate([p[:, line] if axis == "row" else p[:, :, line] for p in pieces])
    return _encoded(Image.fromarray(np.ascontiguousarray(rows)), True)[0]


def preview(places: Places, path: Path) -> Path:
    """Return a small mp4 of the beginning of a clip that no browser plays, or that is large; it is made once.

    Raises:
        VideoReadError, FormatError: the clip cannot be read. OutputError: there is no room.
    """
    from moviola.core.atomic import write_atomic
    from moviola.data import codec
    from moviola.pipelines.pages.media import encode, fit

    state = path.stat()
    mark = f"{places.name(path)} {state.st_size} {state.st_mtime_ns}"
    small = places.room("previews") / f"{hashlib.sha256(mark.encode()).hexdigest()[:24]}.mp4"
    if not small.exists():
        side, most = _SMALL
        with _DECODING:
            write_atomic(small, encode(fit(codec.read(path, stop=most), 64, side)))
    return small
