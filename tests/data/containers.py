"""Containers as other programs write them, made packet by packet with PyAV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

SIDE = 64


def picture(i: int) -> np.ndarray:
    """A picture that says its number in 8 black or white blocks, over moving texture."""
    y, x = np.mgrid[:SIDE, :SIDE]
    grey = 128 + 60 * np.sin((x * 3 + y * 5 + i * 7) / 13)
    for bit in range(8):
        grey[:16, bit * 8 : (bit + 1) * 8] = 255 * (i >> bit & 1)
    return np.repeat(grey.astype(np.uint8)[..., None], 3, -1)


def numbers(frames: np.ndarray) -> list[int]:
    """What the pictures say."""
    blocks = frames[:, 2:14, :, 0].reshape(len(frames), 12, 8, -1).mean(axis=(1, 3)) > 128
    return (blocks * (1 << np.arange(8))).sum(1).tolist()


def encode(
    path: Path, count: int, encoder: str = "libx264", rate: Fraction | int = 25, **options: str
) -> Path:
    """Write pictures 0 to `count` - 1 at a constant rate."""
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(encoder, rate=Fraction(rate), options=options)
        stream.height, stream.width, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        stream.codec_context.time_base = 1 / Fraction(rate)
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(picture(i), format="rgb24")
            frame.pts, frame.time_base = i, 1 / Fraction(rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def remux(source: Path, target: Path, change: Callable[[Any, int], bool] = lambda p, n: True) -> Path:
    """Copy the packets for which `change(packet, number)` is true, with what it does to them."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream: Any = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(p for p in old.demux(video=0) if p.size):
            if change(packet, number):
                packet.stream = stream
                new.mux(packet)
    return target


def cut(source: Path, target: Path, start: Fraction) -> Path:
    """Cut without decoding: from the last key frame before `start` (s) on, whose frame `start` is at time 0."""
    with av.open(str(source)) as file:
        tick = file.streams.video[0].time_base or Fraction(1)
        keys = [p.pts for p in file.demux(video=0) if p.is_keyframe and p.pts is not None]
    begin = max(key for key in keys if key * tick <= start)
    opened = False

    def change(packet: Any, _: int) -> bool:
        nonlocal opened
        opened = opened or packet.pts == begin
        shift = round(start / tick)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        return opened

    return remux(source, target, change)


def plain(path: Path) -> list[np.ndarray]:
    """Every frame that FFmpeg gives, by decoding from the beginning without our index."""
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def packed_avi(path: Path, count: int, between: int = 1) -> Path:
    """Write MPEG-4 whose B pictures share a chunk with the picture they refer to, as DivX and XviD did.

    In the place of each last B picture stands a placeholder that shows nothing (ISO/IEC 14496-2 6.2.5, vop_coded 0).
    """
    context: Any = av.CodecContext.create("mpeg4", "w")
    context.width, context.height, context.pix_fmt = SIDE, SIDE, "yuv420p"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.options = {"bf": str(between), "g": "12", "qmin": "2", "qmax": "2", "b_strategy": "0"}
    pictures = []
    for i in range(count):
        frame = av.VideoFrame.from_ndarray(picture(i), format="rgb24")
        frame.pts, frame.time_base = i, Fraction(1, 25)
        pictures += context.encode(frame)
    vops = [bytes(p) for p in [*pictures, *context.encode(None)]]
    with av.open(str(path), "w") as out:
        stream: Any = out.add_mux_stream("mpeg4", rate=25, width=SIDE, height=SIDE)
        for n, data in enumerate(_packed([_named_divx(vop) for vop in vops])):
            packet = av.Packet(data)
            packet.pts = packet.dts = n
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 25), stream, _kind(data) == 0
            out.mux(packet)
    return path


def _kind(vop: bytes) -> int:
    """0 I, 1 P, 2 B."""
    return vop[vop.index(b"\0\0\1\xb6") + 4] >> 6


def _named_divx(vop: bytes) -> bytes:
    """Say in the user data that the stream is packed."""
    user = vop.find(b"\0\0\1\xb2")
    return (
        vop if user < 0 else vop[:user] + b"\0\0\1\xb2DivX503b1393p" + vop[vop.index(b"\0\0\1", user + 3) :]
    )


def _packed(vops: Sequence[bytes]) -> list[bytes]:
    groups: list[list[bytes]] = []
    for vop in vops:
        if _kind(vop) == 2:
            groups[-1].append(vop)
        else:
            groups.append([vop])
    # coding type P, no whole second, marker, 5 bits of time, marker, not coded, stuffing
    placeholder = b"\0\0\1\xb6" + bytes([0b01_0_1_0000, 0b0_1_0_0_1111])
    chunks = []
    for group in groups:
        chunks += [group[0] + group[1], *group[2:], placeholder] if len(group) > 1 else group
    return chunks
