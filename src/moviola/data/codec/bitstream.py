"""What the first bytes of a packet say of its picture, without decoding it.

Sources: RFC 6386 9.1 (VP8), the VP9 bitstream specification 6.2 and annex B, ITU-T H.264 7.3.2.8 and 7.3.3,
ISO/IEC 14496-2 6.2.5 (MPEG-4 visual).
"""

from __future__ import annotations

_NOT_CODED = 19  # bytes: a VOP of MPEG-4 up to this size may say only that nothing is shown
_B = 1  # slice_type of H.264, modulo 5


def is_shown(data: memoryview, codec: str) -> bool:
    """Say whether a packet shows a picture; VP8 and VP9 may hold ones that others only refer to.

    Args:
        data: the packet, at least one byte.
        codec: FFmpeg's name of the decoder.
    """
    first = data[0]
    if codec == "vp8":
        return bool(first & 0x10)
    if codec != "vp9" or data[-1] & 0xE0 == 0xC0:  # a superframe ends in a shown frame
        return True
    flags = first << 1 if first & 0x30 == 0x30 else first  # profile 3 has one bit more
    return bool(flags & 0x08 or flags & 0x02)  # show_existing_frame, show_frame


def is_in_order(data: bytes, codec: str, extradata: bytes | None) -> bool:
    """Say whether a packet surely holds one picture that is shown in the order of coding; False where unknown.

    Args:
        data: the packet.
        codec: FFmpeg's name of the decoder.
        extradata: the decoder's configuration, as the container has it.
    """
    if codec == "h264":
        return _h264_slice_type(data, extradata) not in (None, _B)
    if codec == "mpeg4":
        vop = data.find(b"\0\0\1\xb6")
        single = 0 <= vop < len(data) - 4 and data.find(b"\0\0\1\xb6", vop + 4) < 0
        return single and len(data) > _NOT_CODED and data[vop + 4] >> 6 != 2
    return False


def _h264_slice_type(data: bytes, extradata: bytes | None) -> int | None:
    """Return slice_type % 5 of the first slice, None where there is none."""
    length = extradata[4] % 4 + 1 if extradata and len(extradata) > 4 and extradata[0] == 1 else 0
    at = 0
    while 0 <= at < len(data) - 5:
        if length:
            start = at + length
            end = start + int.from_bytes(data[at:start], "big")
        else:
            start = data.find(b"\0\0\1", at) + 3
            end = start
            if start < 3:
                return None
        if start < len(data) and data[start] & 0x1F in (1, 5):
            return _second_golomb(data[start + 1 : start + 12]) % 5
        at = end
    return None


def _second_golomb(data: bytes) -> int:
    """Return the second of the unsigned Exp-Golomb codes at the start of `data` (no emulation bytes so early)."""
    bits = "".join(f"{byte:08b}" for byte in data)
    value = at = 0
    for _ in range(2):
        zeros = bits.find("1", at) - at
        if zeros < 0:
            return 0
        value = int(bits[at + zeros : at + 2 * zeros + 1] or "1", 2) - 1
        at += 2 * zeros + 1
    return value
