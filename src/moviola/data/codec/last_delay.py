"""How long the last picture of a gif or apng is shown, which FFmpeg's muxers take from the one before it.

Both muxers end a file with the last packet as the encoder made it, but for the delay, and a mark of the end; so the
delay is found by counting back from the end.
Source: GIF89a, section 23; PNG specification (third edition), fcTL chunk.
"""

from __future__ import annotations

import zlib
from fractions import Fraction
from pathlib import Path

_GIF_END, _PNG_END = 1, 12  # bytes of the trailer, and of the IEND chunk
_GIF_CONTROL, _PNG_CONTROL = b"\x21\xf9\x04", b"fcTL"
_PNG_DELAY, _PNG_BODY = 20, 26  # where the delay is in a fcTL chunk, and how long that is


def state_last_delay(path: Path, packet: bytes, seconds: Fraction) -> None:
    """Set the delay of the last picture in a finished file; one without delays (a single png) stays as it is.

    Args:
        path: the gif or apng.
        packet: the last one that the encoder gave.
        seconds: how long it is to be shown.
    """
    is_gif = _GIF_CONTROL in packet[:1024] and _PNG_CONTROL not in packet[:8]
    size = path.stat().st_size
    start = size - (_GIF_END if is_gif else _PNG_END) - len(packet)
    if start < 0:
        return
    with path.open("r+b") as file:
        file.seek(start)
        tail = file.read(len(packet))
        if is_gif:
            at = tail.find(_GIF_CONTROL)
            file.seek(start + at + 4)
            file.write(min(round(seconds * 100), 0xFFFF).to_bytes(2, "little"))
        elif tail[4:8] == _PNG_CONTROL:
            body = bytearray(tail[8 : 8 + _PNG_BODY])
            delay = _ratio(seconds)
            body[_PNG_DELAY : _PNG_DELAY + 4] = delay.numerator.to_bytes(2) + delay.denominator.to_bytes(2)
            file.seek(start + 8)
            file.write(body + zlib.crc32(_PNG_CONTROL + body).to_bytes(4))


def _ratio(seconds: Fraction) -> Fraction:
    """Return the nearest fraction whose parts have 16 bits."""
    limit = min(0xFFFF, max(1, int(0xFFFF / seconds))) if seconds else 0xFFFF
    return min(seconds, Fraction(0xFFFF)).limit_denominator(limit)
