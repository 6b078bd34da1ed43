"""How a gif, png or webp is made up, without decoding it: its canvas, its pictures, and what is odd about it.

An animated gif or png stores rectangles that are laid over one another. Each is described as an `AnimationFrame`, and
its bytes can be taken out as a still picture of its own. What ends early is an error; what merely lacks its end mark,
or states a wrong size, is whole and gets a note.

Sources: the GIF89a specification; the PNG specification (third edition) 5.3, 11.3.6 (animation); the RIFF and WebP
container specifications.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import BinaryIO, Literal

from moviola.core.errors import VideoReadError

Dispose = Literal["keep", "background", "previous"]
_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_PNG_DISPOSALS: tuple[Dispose, ...] = ("keep", "background", "previous")
# 4 is "previous" to browsers: older encoders wrote the flag one bit off
_WEBP_CHUNKS = (b"ANMF", b"ANIM", b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"EXIF", b"XMP ")
_GIF_DISPOSALS: dict[int, Dispose] = {2: "background", 3: "previous", 4: "previous"}


@dataclass(frozen=True)
class AnimationFrame:
    """One picture of an animation: where it lies on the canvas and what becomes of the place afterwards.

    Args:
        box: left, top, width, height in pixels of the canvas.
        delay: seconds shown.
        spans: (offset, length) of its coded pixels in the file.
        over: laid over what is there by its alpha; otherwise it replaces it.
        dispose: what is done to the box before the next part.
        palette: of a gif, RGB triples; `clear` the index that is transparent (-1: none); `flags` of its descriptor.
    """

    box: tuple[int, int, int, int]
    delay: Fraction
    spans: tuple[tuple[int, int], ...] = ()
    over: bool = True
    dispose: Dispose = "keep"
    palette: bytes = b""
    clear: int = -1
    flags: int = 0


@dataclass
class Animation:
    """What a file holds.

    Attributes:
        kind: "gif", "png", "webp" or "" for any other picture.
        size: width and height of the canvas, (0, 0) where it is not looked at.
        parts: in order of showing; empty for a still png, a webp and other pictures.
        delays: seconds each frame is shown; one zero for a still.
        notes: what is odd, each the end of a sentence that begins with the file's name.
        head: of a png, the chunks that every picture needs, without IHDR; `depth` the end of IHDR.
        background: of a gif, the RGB that "background" means where nothing is transparent (None: transparent).
        whole_end: of a webp that states a wrong length, where its chunks end; else 0.
    """

    kind: str = ""
    size: tuple[int, int] = (0, 0)
    parts: list[AnimationFrame] = field(default_factory=list)
    delays: list[Fraction] = field(default_factory=lambda: [Fraction(0)])
    notes: list[str] = field(default_factory=list)
    head: bytes = b""
    depth: bytes = b""
    background: bytes | None = None
    whole_end: int = 0


def read_animation(file: BinaryIO, where: str) -> Animation:
    """Look through a picture file.

    Args:
        file: its bytes.
        where: its name, for the message.

    Raises:
        VideoReadError: the file ends early.
    """
    head = file.read(12)
    try:
        if head[:4] == b"GIF8":
            return _gif(file)
        if head[:4] == b"RIFF" and head[8:] == b"WEBP":
            return _webp(file)
        if head[:8] == _PNG_HEAD:
            return _png(file)
    except (EOFError, struct.error):
        raise VideoReadError(f"{where} is cut short; copy or make it again") from None
    return Animation()


def still_of(animation: Animation, part: AnimationFrame, file: BinaryIO) -> bytes:
    """Return the coded pixels of `part` as a picture file of its own: a png, or a gif of bare palette numbers."""
    data = b"".join(_span(file, *span) for span in part.spans)
    width, height = part.box[2:]
    if animation.kind == "png":
        header = struct.pack(">II", width, height) + animation.depth
        chunks = _png_chunk(b"IHDR", header) + animation.head + _png_chunk(b"IDAT", data)
        return _PNG_HEAD + chunks + _png_chunk(b"IEND", b"")
    screen = struct.pack("<HHBBB", width, height, 0, 0, 0)
    place = struct.pack("<HHHHB", 0, 0, width, height, part.flags & 0x40)  # interlaced or not
    return b"GIF89a" + screen + b"," + place + data + b"\0;"


def repair_webp_length(data: bytes) -> bytes:
    """Return the bytes of a picture file, the length of a webp that states a wrong one put right."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return data
    try:
        end = _webp(io.BytesIO(data)).whole_end
    except (EOFError, struct.error):
        return data
    if not end:
        return data
    chunks = data[12:end] + b"\0" * (end % 2)
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def _span(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return _exactly(file, length)


def _exactly(file: BinaryIO, n: int) -> bytes:
    data = file.read(n)
    if len(data) < n:
        raise EOFError
    return data


# -- png --------------------------------------------------------------------------------------------------


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(file: BinaryIO) -> Animation:
    animation, stated_count = Animation("png"), 0
    still: list[tuple[int, int]] = []  # the default image
    name = b""
    for name, at, length in _png_chunks(file):
        if name == b"IHDR":
            *size, animation.depth = struct.unpack(">II5s", _span(file, at, 13))
            animation.size = (size[0], size[1])
        elif name in (b"PLTE", b"tRNS"):
            animation.head += _png_chunk(name, _span(file, at, length))
        elif name == b"acTL" and not still:
            stated_count = struct.unpack(">I", _span(file, at, 4))[0]
        elif name == b"fcTL" and stated_count:
            animation.parts.append(_png_part(_span(file, at, 26)))
        elif name == b"IDAT":
            still.append((at, length))
            _add_span(animation.parts, at, length)
        elif name == b"fdAT" and animation.parts:
            _add_span(animation.parts, at + 4, length - 4)
    animation.parts = [part for part in animation.parts if part.spans]
    animation.delays = [part.delay for part in animation.parts] or [Fraction(0)]
    if name != b"IEND":
        _check_png_end(file, animation, stated_count, still)
    elif len(animation.parts) < stated_count:
        animation.notes.append(
            f"states {stated_count} frames and holds {len(animation.parts)}; these are shown"
        )
    return animation


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Give name, offset and length of each whole chunk, up to IEND or to where the file ends."""
    at, size = 8, file.seek(0, 2)
    while at + 12 <= size:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        if at + 12 + length > size:
            raise EOFError
        yield name, at + 8, length
        at += 12 + length
        if name == b"IEND":
            return
    if at < size and size - at > 4:  # more than the beginning of an end mark
        raise EOFError


def _png_part(data: bytes) -> AnimationFrame:
    width, height, left, top = struct.unpack(">4I", data[4:20])
    over, under = struct.unpack(">HH", data[20:24])
    dispose = _PNG_DISPOSALS[data[24]] if data[24] < 3 else "keep"
    return AnimationFrame(
        (left, top, width, height), Fraction(over, under or 100), over=data[25] == 1, dispose=dispose
    )


def _add_span(parts: list[AnimationFrame], at: int, length: int) -> None:
    if parts:
        parts[-1] = replace(parts[-1], spans=(*parts[-1].spans, (at, length)))


def _check_png_end(
    file: BinaryIO, animation: Animation, stated_count: int, still: list[tuple[int, int]]
) -> None:
    """Let a png without IEND pass where every stated picture is whole."""
    spans = animation.parts[-1].spans if animation.parts else tuple(still)
    stream = zlib.decompressobj()
    try:
        for span in spans:
            stream.decompress(_span(file, *span))
    except zlib.error:
        raise EOFError from None
    if not stream.eof or len(animation.parts) < stated_count:
        raise EOFError
    animation.notes.append("lacks its end mark; its pictures are whole")


# -- webp -------------------------------------------------------------------------------------------------


def _webp(file: BinaryIO) -> Animation:
    size, stated_size = file.seek(0, 2), 8 + struct.unpack("<I", _span(file, 4, 4))[0]
    animation, end = Animation("webp", delays=[]), 12
    for name, at, length in _webp_chunks(file, stated_size, size):
        end = min(at + length + length % 2, size)
        if name == b"ANMF":
            animation.delays.append(Fraction(int.from_bytes(_span(file, at, 16)[12:15], "little"), 1000))
    if end == 12 or (stated_size > size > end):  # nothing, or the beginning of one more chunk
        raise EOFError
    if stated_size > size or end > stated_size + 1:
        animation.whole_end = end
        animation.notes.append(
            f"states a length of {stated_size} bytes; its pictures are whole and take {end}"
        )
    animation.delays = animation.delays or [Fraction(0)]
    return animation


def _webp_chunks(file: BinaryIO, stated_size: int, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Give name, offset and length of each chunk, also of those behind the stated end."""
    at = 12
    while at + 8 <= size:
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        if at >= stated_size and name not in _WEBP_CHUNKS:
            return  # something else was appended
        if at + 8 + length > size:
            raise EOFError
        yield name, at + 8, length
        at += 8 + length + length % 2


# -- gif --------------------------------------------------------------------------------------------------


def _gif(file: BinaryIO) -> Animation:
    width, height, flags, color, _ = struct.unpack("<HHBBB", _span(file, 6, 7))
    shared = _palette(file, flags)
    animation = Animation(
        "gif", (width, height), delays=[], background=shared[3 * color : 3 * color + 3] or None
    )
    control, stray_count = b"", 0
    while True:
        mark = file.read(1)
        if mark == b"!":
            label = _exactly(file, 1)
            block = _sub_blocks(file)[0]
            control = block if label == b"\xf9" and len(block) >= 4 else control
        elif mark == b",":
            animation.parts.append(_gif_part(file, control, shared))
            control = b""
        elif mark == b"\0":
            stray_count += 1
        else:
            break
    _check_gif_end(animation, mark, stray_count)
    if not any(animation.size) and animation.parts:
        animation.size = animation.parts[0].box[2:]
    animation.delays = [part.delay for part in animation.parts]
    return animation


def _gif_part(file: BinaryIO, control: bytes, shared: bytes) -> AnimationFrame:
    left, top, width, height, flags = struct.unpack("<4HB", _exactly(file, 9))
    palette = _palette(file, flags) or shared
    at = file.tell()
    _exactly(file, 1)  # least code size
    length = 1 + _sub_blocks(file)[1]
    bits, hundredths, clear = struct.unpack("<BHB", control[:4]) if control else (0, 0, 0)
    return AnimationFrame(
        (left, top, width, height), Fraction(hundredths, 100), ((at, length),), True,
        _GIF_DISPOSALS.get(bits >> 2 & 7, "keep"), palette, clear if bits & 1 else -1, flags,
    )  # fmt: skip


def _check_gif_end(animation: Animation, mark: bytes, stray_count: int) -> None:
    """Say what is odd about the end and the middle of a gif."""
    if not animation.parts and mark != b";":
        raise EOFError
    if not mark:
        animation.notes.append("lacks its last byte; its frames are whole")
    elif mark != b";":
        animation.notes.append(
            f"holds something that is no gif after frame {len(animation.parts) - 1}; what precedes is shown"
        )
    if stray_count and mark:  # zeros that fill up the end of a file are no one's business
        animation.notes.append("has stray zero bytes between its blocks; they are passed over")
    if not all(part.palette for part in animation.parts):
        animation.notes.append("has frames without a palette; their numbers are shown as grey")


def _palette(file: BinaryIO, flags: int) -> bytes:
    return _exactly(file, 3 << ((flags & 7) + 1)) if flags & 0x80 else b""


def _sub_blocks(file: BinaryIO) -> tuple[bytes, int]:
    """Read a chain of sub-blocks; return the first of them, and how many bytes the chain takes."""
    first, byte_count = b"", 1
    while length := _exactly(file, 1)[0]:
        block = _exactly(file, length)
        first, byte_count = first or block, byte_count + 1 + length
    return first, byte_count
