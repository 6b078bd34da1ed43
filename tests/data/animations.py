"""Animated pictures made byte by byte, and what a viewer shows of them, pixel by pixel."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from itertools import product

import numpy as np
from PIL import Image

KEEP, BACKGROUND, PREVIOUS = 0, 1, 2
WIDTH, HEIGHT = 12, 9


@dataclass
class Layer:
    """One picture of an animation: RGBA uint8 (h, w, 4) as it decodes, where it lies, and its flags."""

    pixels: np.ndarray
    left: int
    top: int
    dispose: int
    over: bool
    raw: bytes = b""


def compose(layers: list[Layer], background: tuple[int, ...] = (0, 0, 0, 0)) -> np.ndarray:
    """Lay the layers over one another in real numbers and over white, float (T, H, W, 3)."""
    canvas = np.tile(np.array(background, float), (HEIGHT, WIDTH, 1))
    shown = []
    for layer in layers:
        before = canvas.copy()
        height, width = layer.pixels.shape[:2]
        for y, x in product(range(height), range(width)):
            if layer.top + y >= HEIGHT or layer.left + x >= WIDTH:
                continue
            above, beneath = layer.pixels[y, x].astype(float), canvas[layer.top + y, layer.left + x]
            a, b = above[3] / 255, beneath[3] / 255
            if layer.over and a < 1:
                total = a + b * (1 - a)
                color = (above[:3] * a + beneath[:3] * b * (1 - a)) / total if total else np.zeros(3)
                above = np.array([*color, 255 * total])
            canvas[layer.top + y, layer.left + x] = above
        alpha = canvas[..., 3:] / 255
        shown.append(canvas[..., :3] * alpha + 255 * (1 - alpha))
        place = np.s_[layer.top : layer.top + height, layer.left : layer.left + width]
        if layer.dispose == PREVIOUS:
            canvas = before
        elif layer.dispose == BACKGROUND:
            canvas[place] = background
    return np.stack(shown)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def apng(
    layers: list[Layer], depth: int, color: int, extra: bytes = b"", hidden: bytes = b"", end: bool = True
) -> bytes:
    """Return an animated png; `raw` of the layers are its scan lines, `hidden` those of a default image not shown."""
    head = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, color, 0, 0, 0)
    )
    data, number = head + chunk(b"acTL", struct.pack(">II", len(layers), 0)) + extra, 0
    if hidden:
        data += chunk(b"IDAT", zlib.compress(hidden))
    for i, layer in enumerate(layers):
        height, width = layer.pixels.shape[:2]
        place = struct.pack(">IIIII", number, width, height, layer.left, layer.top)
        data += chunk(b"fcTL", place + struct.pack(">HHBB", 4, 100, layer.dispose, layer.over))
        number += 1
        packed = zlib.compress(layer.raw)
        if i == 0 and not hidden:
            data += chunk(b"IDAT", packed)
            continue
        for part in (packed[:5], packed[5:]):  # a picture may be spread over chunks
            data += chunk(b"fdAT", struct.pack(">I", number) + part)
            number += 1
    return data + chunk(b"IEND", b"") * end


def gif(
    layers: list[Layer], palettes: list[bytes], clears: list[int], screen: int = 0, end: bytes = b";"
) -> bytes:
    """Return a gif; `raw` of the layers are palette numbers. The first palette is the shared one, unless empty."""
    shared = palettes[0]
    flags = 0x80 | (len(shared) // 3).bit_length() - 2 if shared else 0
    data = b"GIF89a" + struct.pack("<HHBBB", WIDTH, HEIGHT, flags, screen, 0) + shared
    for layer, palette, clear in zip(layers, palettes, clears, strict=True):
        bits = {KEEP: 1, BACKGROUND: 2, PREVIOUS: 3}[layer.dispose] << 2 | (clear >= 0)
        data += b"!\xf9\x04" + struct.pack("<BHB", bits, 4, max(clear, 0)) + b"\0"
        own = palette if palette is not shared else b""
        height, width = layer.pixels.shape[:2]
        data += b"," + struct.pack("<HHHH", layer.left, layer.top, width, height)
        data += bytes([0x80 | (len(own) // 3).bit_length() - 2 if own else 0]) + own + lzw(layer.raw)
    return data + end


def lzw(numbers: bytes) -> bytes:
    """Code palette numbers below 8 as a gif does, without compressing: each as itself, a clear code every fourth."""
    codes = [8]
    for i, number in enumerate(numbers):
        codes += [number, *([8] if i % 4 == 3 else [])]
    bits = sum(code << 4 * i for i, code in enumerate([*codes, 9]))
    data = bits.to_bytes((len(codes) + 2) // 2, "little")
    return (
        b"\x03"
        + b"".join(bytes([len(p)]) + p for p in (data[i : i + 255] for i in range(0, len(data), 255)))
        + b"\0"
    )


def webp(layers: list[Layer]) -> bytes:
    """Return an animated webp with an alpha channel."""
    u24 = lambda value: value.to_bytes(3, "little")  # noqa: E731
    size = u24(WIDTH - 1) + u24(HEIGHT - 1)
    body = _riff(b"VP8X", b"\x12\0\0\0" + size) + _riff(b"ANIM", bytes(6))
    for layer in layers:
        file = io.BytesIO()
        Image.fromarray(layer.pixels).save(file, "WEBP", lossless=True, exact=True)
        height, width = layer.pixels.shape[:2]
        place = u24(layer.left // 2) + u24(layer.top // 2) + u24(width - 1) + u24(height - 1) + u24(40)
        still = file.getvalue()
        at = 12
        while still[at : at + 4] not in (b"VP8L", b"VP8 "):
            at += 8 + (length := struct.unpack("<I", still[at + 4 : at + 8])[0]) + length % 2
        flags = bytes([(0 if layer.over else 2) | (layer.dispose == BACKGROUND)])
        body += _riff(b"ANMF", place + flags + still[at:])
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _riff(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def scan_lines(values: np.ndarray, depth: int) -> bytes:
    """Pack samples (h, w, channels) below 2**depth into unfiltered png scan lines."""
    lines = []
    for row in values:
        bits = "".join(f"{int(v):0{depth}b}" for v in row.ravel())
        bits += "0" * (-len(bits) % 8)
        lines.append(b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big"))
    return b"".join(lines)
