"""Reading mp4, mov, mkv, webm and avi with PyAV, exact to the frame.

Every file is indexed first by reading its packets without decoding them (a millisecond for some hundred frames;
kept for files that do not change). Frame i is the picture with the i-th smallest time stamp, so decoding can begin
at the key frame before a wanted frame, and pictures that nobody wants and no other picture needs are not decoded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moviola.core.errors import VideoReadError
from moviola.data.codec.convert import RgbConverter, display_turn
from moviola.data.codec.formats import DEFAULT_FPS
from moviola.data.codec.info import Info
from moviola.data.codec.structure import check_whole
from moviola.data.codec.timing import constant_rate, mean_rate

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

_SEEK_GAP = 32  # frames: a nearer key frame is cheaper to decode up to than to jump to
# what the known extensions may hold; a playlist in disguise could name other files
_OPTIONS = {"format_whitelist": "mov,mp4,matroska,webm,avi", "protocol_whitelist": "file"}


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """What the packets of a video stream say.

    Args:
        pts: int64 (T,), ascending time stamps in ticks; empty where the container gives none.
        keys: int64 (K, 2), time stamp and decoding stamp of each key frame, ascending.
        count: number of frames.
        tick: seconds a tick.
        fps: frames per second.
        variable: whether no constant rate explains the time stamps.
        codec: name of the decoder.
        has_audio: whether there is a sound stream.
        last: ticks that the last frame lasts, 0 where the file does not say.
        pixel_aspect: width of a stored pixel over its height.
    """

    pts: np.ndarray
    keys: np.ndarray
    count: int
    tick: Fraction
    fps: Fraction
    variable: bool
    codec: str
    has_audio: bool
    last: int = 0
    pixel_aspect: Fraction = Fraction(1)

    @property
    def origin(self) -> Fraction:
        """Time of the first frame in seconds on the container's clock."""
        return int(self.pts[0]) * self.tick if len(self.pts) else Fraction(0)


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
        raise VideoReadError(f"{path} is not a video that can be decoded ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).strip().lower()


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the first video stream that is not a cover picture, set to decode on all cores.

    Raises:
        VideoReadError: there is none, or no decoder for it.
    """
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            break
    else:
        raise VideoReadError(f"{path} holds no video stream")
    if stream.codec_context is None:
        raise VideoReadError(f"{path}: no decoder for its video stream")
    stream.thread_type = "AUTO"
    return stream


def packet_index(path: Path) -> PacketIndex:
    """Return the index of a file, from memory where the file has not changed.

    Raises:
        VideoReadError: it is no video file, is cut short, damaged, or without frames.
    """
    stat = os.stat(path)
    return _build_index(str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)


@lru_cache(maxsize=64)
def _build_index(name: str, _size: int, _mtime: int, _inode: int) -> PacketIndex:
    from av.error import FFmpegError

    path = Path(name)
    check_whole(path)
    with open_container(path) as container:
        stream = video_stream(container, path)
        codec = stream.codec_context.name
        try:
            rows = [
                _row(p) for p in container.demux(stream) if p.size and not p.is_discard and _shown(p, codec)
            ]
        except FFmpegError as error:
            raise VideoReadError(f"{path} is damaged ({_reason(error)})") from None
        if not rows:
            raise VideoReadError(f"{path} holds no frames")
        stated = [r for r in (stream.average_rate, stream.guessed_rate, stream.base_rate) if r]
        index = _index_of(rows, stream, stated, bool(container.streams.audio))
        return replace(index, pixel_aspect=stream.sample_aspect_ratio or Fraction(1))


def _row(packet: av.Packet) -> tuple[int | None, int | None, bool, int]:
    return packet.pts, packet.dts, packet.is_keyframe, packet.duration or 0


def _shown(packet: av.Packet, codec: str) -> bool:
    """Say whether a packet makes a picture: VP8 stores invisible ones (RFC 6386 9.1, the show_frame bit)."""
    return codec != "vp8" or bool(bytes(packet)[0] & 0x10)


def _index_of(
    rows: list[tuple[Any, Any, bool, int]], stream: VideoStream, stated: list[Fraction], has_audio: bool
) -> PacketIndex:
    tick = stream.time_base or Fraction(1, 1000)
    empty = np.zeros((0, 2), np.int64)
    usable = all(r[0] is not None for r in rows) and any(r[2] for r in rows)
    if usable:
        # mkv gives no decoding stamp for its first packets
        keys = np.array(sorted((r[0], r[0] if r[1] is None else r[1]) for r in rows if r[2]), np.int64)
        pts = np.sort(np.array([r[0] for r in rows], np.int64))
        pts = pts[pts >= keys[0, 0]]  # what precedes the first key frame refers to pictures cut away
        usable = bool((np.diff(pts) > 0).all())
    if not usable:
        fps = stated[0] if stated else DEFAULT_FPS
        return PacketIndex(
            empty[:, 0], empty, len(rows), tick, fps, False, stream.codec_context.name, has_audio
        )
    rate = constant_rate(pts, tick, stated) if len(pts) > 1 else (stated or [DEFAULT_FPS])[0]
    fps = rate or mean_rate(pts, tick) or DEFAULT_FPS
    last = max(rows, key=lambda row: row[0])[3]
    name = stream.codec_context.name
    return PacketIndex(pts, keys, len(pts), tick, fps, rate is None, name, has_audio, last)


class ContainerReader:
    """Frames of one file by index.

    Args:
        path: an mp4, mov, mkv, webm or avi.

    Raises:
        VideoReadError: as `packet_index`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.index = packet_index(path)
        self.count, self.fps = self.index.count, self.index.fps

    @cached_property
    def times(self) -> tuple[Fraction, ...] | None:
        """When each frame is shown, seconds after the first; None where the rate is constant."""
        index = self.index
        if not index.variable:
            return None
        return tuple((int(pts) - int(index.pts[0])) * index.tick for pts in index.pts)

    @cached_property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel over its height as shown; decodes one frame."""
        return self.info().pixel_aspect

    def info(self) -> Info:
        """Describe the file; decodes one frame."""
        frame = next(self._decoded([0]))[1]
        swap, rows, columns = display_turn(frame)
        angle = {(True, False, True): 90, (False, True, True): 180, (True, True, False): 270}
        height, width = (frame.width, frame.height) if swap else (frame.height, frame.width)
        index = self.index
        aspect = 1 / index.pixel_aspect if swap else index.pixel_aspect
        return Info(
            self.path, index.count, height, width, index.fps, float(self._duration()), index.codec,
            frame.format.name, index.has_audio, angle.get((swap, rows, columns), 0), index.variable, aspect,
        )  # fmt: skip

    def _duration(self) -> Fraction:
        """Seconds to the end of the last frame."""
        if self.times is None:
            return self.count / self.fps
        return self.times[-1] + (self.index.last * self.index.tick or 1 / self.fps)

    def frames(self, wanted: Iterable[int]) -> Iterator[np.ndarray]:
        """Give uint8 (H, W, 3) for each of `wanted`, ascending indices without repeats.

        Raises:
            VideoReadError: a frame cannot be decoded.
        """
        convert = RgbConverter()
        for _, frame in self._decoded(list(wanted)):
            yield convert(frame)

    def _decoded(self, wanted: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Give (index, frame) in order, from key frames where the index allows, else from the beginning."""
        done = -1
        if len(self.index.pts):
            try:
                for i, frame in self._from_keys(wanted):
                    yield i, frame
                    done = i
                return
            except _Unexpected:
                pass
        yield from self._from_start([i for i in wanted if i > done])

    def _from_keys(self, wanted: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Decode each run of wanted frames from the key frame before it."""
        with open_container(self.path) as container:
            stream = video_stream(container, self.path)
            for key, run in self._runs(wanted):
                expected = iter(run)
                for frame in self._run(container, stream, key, [int(self.index.pts[i]) for i in run]):
                    yield next(expected), frame

    def _runs(self, wanted: list[int]) -> Iterator[tuple[int, list[int]]]:
        """Split ascending indices where jumping to a later key frame saves decoding; give (key number, indices)."""
        keys = self.index.keys[:, 0]
        key_at = np.searchsorted(self.index.pts, keys)
        owner = np.searchsorted(keys, self.index.pts[wanted], side="right") - 1
        begin = 0
        for at in range(1, len(wanted) + 1):
            if at < len(wanted) and (
                owner[at] == owner[at - 1] or key_at[owner[at]] - wanted[at - 1] < _SEEK_GAP
            ):
                continue
            yield int(owner[begin]), wanted[begin:at]
            begin = at

    def _run(
        self, container: InputContainer, stream: VideoStream, key: int, stamps: list[int]
    ) -> Iterator[av.VideoFrame]:
        """Decode from key frame number `key` and give the frames with these ascending time stamps."""
        at = 0
        for frame in self._fed(container, stream, key, set(stamps)):
            if frame.pts is None or frame.pts > stamps[at]:
                raise _Unexpected
            if frame.pts == stamps[at]:
                at += 1
                yield frame
                if at == len(stamps):
                    return
        raise _Unexpected

    def _fed(
        self, container: InputContainer, stream: VideoStream, key: int, unsent: set[int]
    ) -> Iterator[av.VideoFrame]:
        """Give what the decoder makes of the packets from a key frame to the last of `unsent`.

        Unwanted pictures that no other picture refers to are skipped; once all wanted ones are in, the decoder is
        emptied instead of fed on.
        """
        context = stream.codec_context
        for packet in self._packets_from(container, stream, key):
            skip = "DEFAULT" if packet.pts in unsent else "NONREF"
            if context.skip_frame != skip:
                context.skip_frame = skip
            unsent.discard(packet.pts)
            yield from _decode(self.path, stream, packet if packet.size else None)
            if not unsent and packet.size:
                yield from _decode(self.path, stream, None)
                return

    def _packets_from(self, container: InputContainer, stream: VideoStream, key: int) -> Iterator[Any]:
        """Give the packets from a key frame on (the last, empty one flushes the decoder)."""
        pts, dts = (int(v) for v in self.index.keys[key])
        container.seek(dts, stream=stream)
        begun = False
        for packet in container.demux(stream):
            begun = begun or (packet.is_keyframe and packet.pts == pts)
            if begun:
                yield packet
            elif packet.pts is None or (packet.is_keyframe and packet.pts > pts):
                raise _Unexpected

    def _from_start(self, wanted: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Decode everything from the beginning and give the wanted frames."""
        targets, exact = set(wanted), len(self.index.pts) > 0
        position: dict[int | None, int] = {int(p): i for i, p in enumerate(self.index.pts)}
        seen = 0
        with open_container(self.path) as container:
            stream = video_stream(container, self.path)
            for packet in container.demux(stream):
                for frame in _decode(self.path, stream, packet if packet.size else None):
                    i = position.get(frame.pts, -1) if exact else seen
                    seen += 1
                    if i in targets:
                        targets.discard(i)
                        yield i, frame
                if not targets:
                    return
        if exact or seen == 0:
            raise VideoReadError(
                f"{self.path}: frame {min(targets)} of {self.count} cannot be decoded; the file is damaged"
            )


class _Unexpected(Exception):
    """The decoder did not give what the index promised; decode from the beginning instead."""


def _decode(path: Path, stream: VideoStream, packet: Any) -> list[av.VideoFrame]:
    from av.error import EOFError as Finished
    from av.error import FFmpegError

    try:
        return stream.codec_context.decode(packet)
    except Finished:
        return []
    except FFmpegError as error:
        stamp = getattr(packet, "pts", None)
        where = "" if stamp is None else f" near {float(stamp * packet.time_base):.2f} s"
        raise VideoReadError(f"{path} is damaged{where} ({_reason(error)})") from None
