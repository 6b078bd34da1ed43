"""Opening a container with FFmpeg, choosing its streams, and decoding one packet."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviola.core.errors import VideoReadError
from moviola.data.codec.structure import check_whole

if TYPE_CHECKING:
    import av
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

# what the known extensions may hold; a playlist in disguise could name other files
_OPTIONS = {"format_whitelist": "mov,mp4,matroska,webm,avi", "protocol_whitelist": "file"}


def open_container(path: Path) -> InputContainer:
    """Open a file for reading.

    Raises:
        VideoReadError: it is no video file, or is damaged.
    """
    import av
    from av.error import FFmpegError

    try:
        return av.open(os.path.abspath(path), "r", options=_OPTIONS, metadata_errors="replace")
    except FFmpegError as error:
        check_whole(path)
        raise VideoReadError(f"{path} is not a video that can be decoded ({reason(error)})") from None


def reason(error: Exception) -> str:
    """Return what FFmpeg says is wrong."""
    return (getattr(error, "strerror", None) or str(error)).strip().lower()


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the video stream that is to be shown, set to decode on all cores.

    That is the first one marked as default, or the largest where none is; never a cover picture.

    Raises:
        VideoReadError: there is none, or no decoder for it.
    """
    from av.stream import Disposition

    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [s for s in container.streams.video if not s.disposition & pictures]
    if not streams:
        raise VideoReadError(f"{path} holds no video stream")
    decodable = [s for s in streams if s.codec_context is not None]
    if not decodable:
        raise VideoReadError(f"{path}: no decoder for its video stream")
    default = [s for s in decodable if s.disposition & Disposition.default]
    stream = default[0] if default else max(decodable, key=lambda s: (s.width or 0) * (s.height or 0))
    stream.thread_type = "AUTO"
    return stream


def audio_stream(container: InputContainer) -> AudioStream:
    """Return the sound stream that is to be heard: the one marked as default, else the first."""
    from av.stream import Disposition

    return max(container.streams.audio, key=lambda s: bool(s.disposition & Disposition.default))


def packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    """Give the packets of a stream that hold data (an empty one would end decoding)."""
    return (packet for packet in container.demux(stream) if packet.size)


def decode(path: Path, stream: VideoStream, packet: av.Packet | None) -> list[av.VideoFrame]:
    """Return the frames that come out when a packet goes in; None empties the decoder.

    Raises:
        VideoReadError: the packet is damaged.
    """
    from av.error import EOFError as Finished
    from av.error import FFmpegError

    context: Any = stream.codec_context
    try:
        return context.decode(packet)
    except Finished:
        return []
    except FFmpegError as error:
        stamp = None if packet is None else packet.dts
        where = (
            ""
            if packet is None or stamp is None
            else f" near {max(0.0, float(stamp * packet.time_base)):.2f} s"
        )
        raise VideoReadError(f"{path} is damaged{where} ({reason(error)})") from None


def decode_numbered(
    path: Path, stream: VideoStream, source: Iterable[av.Packet], first: int = 0
) -> Iterator[av.VideoFrame]:
    """Decode packets to the end; `pts` of each frame is the number of its packet, counted from `first`.

    What cannot be decoded before the first frame refers to pictures that were cut away, and is passed over.

    Raises:
        VideoReadError: a later packet is damaged.
    """
    has_begun = False
    for number, packet in chain(enumerate(source, first), [(0, None)]):
        if packet is not None:
            packet.pts = number
        try:
            frames = decode(path, stream, packet)
        except VideoReadError:
            if has_begun:
                raise
            continue
        has_begun = has_begun or bool(frames)
        yield from frames
