"""What the bytes of a video file say about it without decoding: is it whole.

Sources: ISO/IEC 14496-12 4.2 (boxes), RFC 8794 4-6 (EBML sizes), the RIFF specification.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

from moviola.core.errors import VideoReadError

_BOXES = {
    b"ftyp",
    b"moov",
    b"mdat",
    b"free",
    b"skip",
    b"wide",
    b"pnot",
    b"moof",
    b"styp",
    b"sidx",
    b"uuid",
    b"meta",
}


def check_whole(path: Path) -> None:
    """Raise VideoReadError where an mp4, mov, mkv, webm or avi ends before its own structure says so."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] in _BOXES:
            least_size = _boxes_end(file, size)
        elif head[:4] == b"\x1a\x45\xdf\xa3":
            least_size = _segment_end(file)
        elif head[:4] == b"RIFF":
            least_size = 8 + struct.unpack("<I", head[4:8])[0]
        else:
            return
    if least_size is not None and least_size > size:
        raise VideoReadError(
            f"{path} is cut short: it has {size} of {least_size} bytes; copy or make it again"
        )


def _boxes_end(file: BinaryIO, size: int) -> int | None:
    """Return where the last top-level box of an mp4 ends."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        if name not in _BOXES and not name.isalnum():
            return None
        if length == 1:
            large = file.read(8)
            if len(large) < 8:
                return at + 16
            length = struct.unpack(">Q", large)[0]
        if length < 8:
            return None
        at += length
    return at


def _segment_end(file: BinaryIO) -> int | None:
    """Return where a Matroska file's Segment ends, None where its size is left open."""
    file.seek(4)
    header = _vint(file)
    if header is None:
        return None
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != b"\x18\x53\x80\x67":
        return None
    length = _vint(file)
    return None if length is None else file.tell() + length


def _vint(file: BinaryIO) -> int | None:
    """Read an EBML size, None where it is unknown (all ones) or malformed."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    extra = 8 - first[0].bit_length()
    tail = file.read(extra)
    value = int.from_bytes(first + tail, "big") & ((1 << (7 * (extra + 1))) - 1)
    unknown = value == (1 << (7 * (extra + 1))) - 1
    return None if unknown or len(tail) < extra else value
