"""A line of text in a file's own metadata, where every kind of file that is written has room for one.

mp4, mov, mkv and webm: the tag "comment" (the muxer writes it); gif: a comment extension; png: a tEXt chunk; webp: XMP;
jpg: a COM segment; npz: the comment of the zip. A bmp or tif has a `.json` file beside it, which names the checksum of
the file it belongs to; a folder of frames has one in it.

Sources: GIF89a, section 24; PNG specification (third edition), 11.3.3.2; RIFF container of WebP, "Metadata"; XMP
(ISO 16684-1), 7; JPEG (ITU-T T.81), B.2.4.5; the zip application note, 4.3.16.
"""

from __future__ import annotations

import html
import json
import re
import struct
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from moviola.core.atomic import write_atomic
from moviola.core.contents import contents
from moviola.core.errors import InputError
from moviola.data.codec.formats import CONTAINER_SUFFIXES

FOLDER_FILE = "provenance.json"
"""In a folder of frames."""
ROOM = 60_000
"""Bytes that fit into every format; the lengths of some have 16 bits."""
_PNG_HEAD = 33  # bytes up to the end of IHDR
_BLOCK = 1 << 20  # bytes
_SIDE_SUFFIX = ".json"
_XMP_FLAG, _XMP_AT = 0x04, 20  # in the flags of VP8X
_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>'
    '<rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>'
)
_XMP_TEXT = re.compile(r"<dc:description>\s*<rdf:Alt>\s*<rdf:li[^>]*>([^<]*)</rdf:li>")
_DAMAGED = (OSError, ValueError, EOFError, IndexError, struct.error, zipfile.BadZipFile)


def put_comment(path: Path, suffix: str, text: str) -> bool:
    """Write a comment into a finished file; return whether it holds one now.

    Args:
        path: the file, or a folder of frames. suffix: its kind, "" for a folder.
        text: ASCII, at most `ROOM` characters.
    """
    if not suffix:
        (path / FOLDER_FILE).write_text(f"{text}\n", encoding="ascii")
        return True
    if suffix in CONTAINER_SUFFIXES:  # the muxer wrote it
        return len(text) <= ROOM
    put = _PUT.get(suffix)
    if put is None or len(text) > ROOM:
        return False
    with path.open("r+b") as file:
        put(file, text.encode("ascii"))
    return True


def put_beside(path: Path, text: str) -> None:
    """Write a comment into a file beside `path`, with the checksum of what it belongs to.

    Raises:
        OutputError: it cannot be written.
    """
    values = json.dumps({"of": contents(path), "comment": text})
    write_atomic(side_file(path), f"{values}\n".encode("ascii"))


def read_comments(path: str | Path) -> list[str]:
    """Return the comments that a file or a folder of frames holds, or that lie beside it; none where it is damaged."""
    path = Path(path)
    comments: list[str] = []
    with suppress(*_DAMAGED, InputError):
        comments = [(path / FOLDER_FILE).read_text("utf-8")] if path.is_dir() else _inside(path)
    with suppress(*_DAMAGED, InputError, TypeError, KeyError):
        if not path.is_dir() and side_file(path).is_file():
            values = json.loads(side_file(path).read_text("utf-8"))
            comments += [values["comment"]] if values["of"] == contents(path) else []
    return comments


def png_comment(data: bytes, text: str) -> bytes:
    """Return the bytes of a png with a comment in it."""
    return data[:_PNG_HEAD] + _text_chunk(text.encode("ascii")) + data[_PNG_HEAD:]


def side_file(path: Path) -> Path:
    """Return the path of the file that holds the comment of one without room."""
    return path.with_name(path.name + _SIDE_SUFFIX)


def _insert(file: BinaryIO, at: int, data: bytes) -> None:
    """Put bytes into a file; what is behind moves on, in memory that does not grow."""
    end = file.seek(0, 2)
    while end > at:
        begin = max(at, end - _BLOCK)
        file.seek(begin)
        block = file.read(end - begin)
        file.seek(begin + len(data))
        file.write(block)
        end = begin
    file.seek(at)
    file.write(data)


def _inside(path: Path) -> list[str]:
    with path.open("rb") as file:
        head = file.read(12)
        for is_kind, read in _READ:
            if is_kind(head):
                file.seek(0)
                return [data.decode("utf-8", "replace") for data in read(file)]
    return _tags(path) if path.suffix.lower() in CONTAINER_SUFFIXES else []


def _tags(path: Path) -> list[str]:
    """Return the comments of what FFmpeg reads."""
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(path), metadata_errors="replace") as container:
            return [text for key, text in container.metadata.items() if key.lower() == "comment"]
    except FFmpegError:
        return []


# -- gif --------------------------------------------------------------------------------------------------


def _put_gif(file: BinaryIO, data: bytes) -> None:
    blocks = (data[i : i + 255] for i in range(0, len(data), 255))
    comment = b"!\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
    _insert(file, 13 + _table(file.read(13)[10]), comment)


def _read_gif(file: BinaryIO) -> list[bytes]:
    flags = file.read(13)[10]
    file.seek(_table(flags), 1)
    comments: list[bytes] = []
    while (mark := file.read(1)) in (b"!", b","):
        if mark == b"!":
            label, data = file.read(1), _sub_blocks(file)
            comments += [data] if label == b"\xfe" else []
        else:
            flags = file.read(9)[8]
            file.seek(_table(flags) + 1, 1)
            _sub_blocks(file)
    return comments


def _table(flags: int) -> int:
    """Return the length of a colour table."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _sub_blocks(file: BinaryIO) -> bytes:
    parts: list[bytes] = []
    while size := file.read(1)[0]:
        parts.append(file.read(size))
    return b"".join(parts)


# -- png --------------------------------------------------------------------------------------------------


def _text_chunk(data: bytes) -> bytes:
    body = b"tEXt" + b"Comment\0" + data
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _put_png(file: BinaryIO, data: bytes) -> None:
    _insert(file, _PNG_HEAD, _text_chunk(data))


def _read_png(file: BinaryIO) -> list[bytes]:
    file.seek(8)
    comments: list[bytes] = []
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if name == b"tEXt" and length <= 2 * ROOM:
            keyword, _, text = file.read(length).partition(b"\0")
            comments += [text] if keyword == b"Comment" else []
            file.seek(4, 1)
        else:
            file.seek(length + 4, 1)
    return comments


# -- webp -------------------------------------------------------------------------------------------------


def _put_webp(file: BinaryIO, data: bytes) -> None:
    packet = _XMP.format(html.escape(data.decode("ascii"), quote=False)).encode("ascii")
    file.seek(_XMP_AT)
    flags = file.read(1)[0]
    file.seek(_XMP_AT)
    file.write(bytes([flags | _XMP_FLAG]))
    file.seek(0, 2)
    file.write(b"XMP " + struct.pack("<I", len(packet)) + packet + b"\0" * (len(packet) % 2))
    size = file.tell()
    file.seek(4)
    file.write(struct.pack("<I", size - 8))


def _read_webp(file: BinaryIO) -> list[bytes]:
    file.seek(12)
    comments: list[bytes] = []
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", head)
        if name == b"XMP " and length <= 4 * ROOM:
            match = _XMP_TEXT.search(file.read(length).decode("utf-8", "replace"))
            comments += [html.unescape(match[1]).encode()] if match else []
            file.seek(length % 2, 1)
        else:
            file.seek(length + length % 2, 1)
    return comments


# -- jpg --------------------------------------------------------------------------------------------------


def _put_jpg(file: BinaryIO, data: bytes) -> None:
    head = file.read(6)
    at = 4 + int.from_bytes(head[4:6], "big") if head[2:4] == b"\xff\xe0" else 2  # JFIF's own comes first
    _insert(file, at, b"\xff\xfe" + struct.pack(">H", len(data) + 2) + data)


def _read_jpg(file: BinaryIO) -> list[bytes]:
    file.seek(2)
    comments: list[bytes] = []
    while len(head := file.read(4)) == 4 and head[0] == 0xFF and head[1] != 0xDA:
        data = file.read(int.from_bytes(head[2:4], "big") - 2)
        comments += [data] if head[1] == 0xFE else []
    return comments


# -- npz --------------------------------------------------------------------------------------------------


def _put_npz(file: BinaryIO, data: bytes) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = data


def _read_npz(file: BinaryIO) -> list[bytes]:
    with zipfile.ZipFile(file) as archive:
        return [archive.comment] if archive.comment else []


_PUT = {
    ".gif": _put_gif, ".png": _put_png, ".apng": _put_png, ".webp": _put_webp, ".jpg": _put_jpg,
    ".jpeg": _put_jpg, ".npz": _put_npz,
}  # fmt: skip
_READ = (
    (lambda head: head[:4] == b"GIF8", _read_gif),
    (lambda head: head[:8] == b"\x89PNG\r\n\x1a\n", _read_png),
    (lambda head: head[:4] == b"RIFF" and head[8:] == b"WEBP", _read_webp),
    (lambda head: head[:3] == b"\xff\xd8\xff", _read_jpg),
    (lambda head: head[:4] == b"PK\x03\x04", _read_npz),
)
