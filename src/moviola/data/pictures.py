"""Pictures that go beside what is made: contact sheets, plots, painted key frames. All are PNG."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from moviola.core.atomic import write_atomic
from moviola.core.errors import FormatError
from moviola.core.provenance import provenance_of
from moviola.data.codec.comments import ROOM, png_comment
from moviola.data.folders import file_place


def check_png(path: str | Path, what: str) -> Path:
    """Return `path` where a picture may be written, before the work is done.

    Args:
        path: where it is to go.
        what: its kind, such as "a contact sheet", for the error line.

    Raises:
        FormatError: it does not end in ".png". OutputError: its folder does not exist, or it is one itself.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise FormatError(f"{what} is a PNG; {path} does not end in .png")
    return file_place(path)


def write_png(path: str | Path, picture: np.ndarray) -> None:
    """Write a picture, uint8 (H, W, 3), as PNG, whole or not at all, with the record of how it was made.

    Raises:
        OutputError: it cannot be written.
    """
    data, provenance = png_bytes(picture), provenance_of(path)
    text = "" if provenance is None else provenance.to_json()
    write_atomic(path, png_comment(data, text) if 0 < len(text) <= ROOM else data)


def png_bytes(picture: np.ndarray) -> bytes:
    """Return a picture, uint8 (H, W, 3), as PNG."""
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(data, format="PNG")
    return data.getvalue()
