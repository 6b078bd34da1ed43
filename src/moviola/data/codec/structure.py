"""What the bytes of a file say about it without decoding: is it whole, and how long does each frame last.

Sources: ISO/IEC 14496-12 4.2 (boxes), RFC 8794 4-6 (EBML sizes), the RIFF and WebP container specifications,
the GIF89a specification 23, the PNG specification (third edition) 11.3.6 (animation).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from fractions import Fraction
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
            needed = _boxes_end(file, size)
        elif head[:4] == b"\x1a\x45\xdf\xa3":
            needed = _segment_end(file)
        elif head[:4] == b"RIFF":
            needed = 8 + struct.unpack("<I", head[4:8])[0]
        else:
            return
    if needed is not None and needed > size:
        raise VideoReadError(f"{path} is cut short: it has {size} of {needed} bytes; copy or make it again")


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
    rest = file.read(extra)
    value = int.from_bytes(first + rest, "big") & ((1 << (7 * (extra + 1))) - 1)
    unknown = value == (1 << (7 * (extra + 1))) - 1
    return None if unknown or len(rest) < extra else value


def frame_delays(path: Path) -> list[Fraction]:
    """Return how long each frame of a gif, png or webp is shown, in seconds; one zero for a still image.

    Raises:
        VideoReadError: the file ends early.
    """
    with path.open("rb") as file:
        head = file.read(12)
        file.seek(0)
        try:
            if head[:4] == b"GIF8":
                return list(_gif(file))
            if head[:4] == b"RIFF" and head[8:] == b"WEBP":
                return list(_webp(file)) or [Fraction(0)]
            if head[:8] == b"\x89PNG\r\n\x1a\n":
                return list(_png(file)) or [Fraction(0)]
        except (EOFError, struct.error):
            raise VideoReadError(f"{path} is cut short; copy or make it again") from None
    return [Fraction(0)]


def _exactly(file: BinaryIO, n: int) -> bytes:
    data = file.read(n)
    if len(data) < n:
        raise EOFError
    return data


def _png(file: BinaryIO) -> Iterator[Fraction]:
    file.seek(8)
    while True:
        length, name = struct.unpack(">I4s", _exactly(file, 8))
        data = _exactly(file, length + 4)
        if name == b"fcTL":
            over, under = struct.unpack(">HH", data[20:24])
            yield Fraction(over, under or 100)
        if name == b"IEND":
            return


def _webp(file: BinaryIO) -> Iterator[Fraction]:
    end = 8 + struct.unpack("<I", _exactly(file, 8)[4:])[0]
    at = 12
    while at + 8 <= end:
        file.seek(at)
        name, length = struct.unpack("<4sI", _exactly(file, 8))
        if name == b"ANMF":
            yield Fraction(int.from_bytes(_exactly(file, 16)[12:15], "little"), 1000)
        at += 8 + length + length % 2
    file.seek(end - 1)
    _exactly(file, 1)


def _gif(file: BinaryIO) -> Iterator[Fraction]:
    flags = _exactly(file, 13)[10]
    _skip_palette(file, flags)
    delay = Fraction(0)
    while (mark := _exactly(file, 1)) != b";":
        if mark == b"!":
            label = _exactly(file, 1)
            block = _sub_blocks(file)
            if label == b"\xf9":
                delay = Fraction(struct.unpack("<H", block[1:3])[0], 100)
        elif mark == b",":
            _skip_palette(file, _exactly(file, 9)[8])
            _exactly(file, 1)
            _sub_blocks(file)
            yield delay
            delay = Fraction(0)
        else:
            raise EOFError


def _skip_palette(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        _exactly(file, 3 << ((flags & 7) + 1))


def _sub_blocks(file: BinaryIO) -> bytes:
    """Read a chain of GIF data sub-blocks and return the first bytes of it."""
    data = b""
    while length := _exactly(file, 1)[0]:
        block = _exactly(file, length)
        data = data or block
    return data
