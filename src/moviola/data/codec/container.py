"""Reading mp4, mov, mkv, webm and avi with PyAV, exact to the frame.

Every file is indexed first (`index`). Decoding begins at the key frame before a wanted frame, and pictures that nobody
wants and no other picture needs are not decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moviola.core.errors import VideoReadError
from moviola.core.notes import note
from moviola.data.codec.concealed import describe_concealed, is_watched
from moviola.data.codec.convert import RgbConverter, display_turn
from moviola.data.codec.demux import decode, decode_numbered, open_container, packets, video_stream
from moviola.data.codec.index import packet_index
from moviola.data.codec.info import Info

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

_SEEK_GAP = 32  # frames: a nearer key frame is cheaper to decode up to than to jump to


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
        self.count, self.fps = self.index.order.count, self.index.fps
        self._concealed_frames: set[int] = set()

    @property
    def times(self) -> tuple[Fraction, ...] | None:
        """When each frame is shown, seconds after the first; None where the rate is constant."""
        return self.index.times

    @cached_property
    def pixel_aspect(self) -> Fraction:
        """Width of a pixel over its height as shown; decodes one frame where it is not 1."""
        return self.index.pixel_aspect if self.index.pixel_aspect == 1 else self.info().pixel_aspect

    def info(self) -> Info:
        """Describe the file; decodes one frame, once."""
        return self._info

    @cached_property
    def _info(self) -> Info:
        frame = next(self._decoded([0]))[1]
        swap, rows, columns = display_turn(frame)
        angle = {(True, False, True): 90, (False, True, True): 180, (True, True, False): 270}
        height, width = (frame.width, frame.height) if swap else (frame.height, frame.width)
        index = self.index
        aspect = 1 / index.pixel_aspect if swap else index.pixel_aspect
        return Info(
            self.path, self.count, height, width, index.fps, float(index.seconds), index.codec, frame.format.name,
            index.has_audio, angle.get((swap, rows, columns), 0), index.variable, aspect,
        )  # fmt: skip

    def frames(self, indices: Iterable[int]) -> Iterator[np.ndarray]:
        """Give uint8 (H, W, 3) for each of `indices`, ascending indices without repeats.

        Frames that the decoder mended after damage are named in a note when the last has been given.

        Raises:
            VideoReadError: a frame cannot be decoded.
        """
        convert = RgbConverter()
        try:
            for i, frame in self._decoded(list(indices)):
                if frame.is_corrupt:
                    self._conceal(i)
                yield convert(frame)
        finally:
            if self._concealed_frames:
                note(f"{self.path}: {describe_concealed(self._concealed_frames, self.count)}")
                self._concealed_frames.clear()

    def _conceal(self, i: int) -> None:
        """Remember that a frame is one that the decoder mended, or one that a wanted frame may refer to."""
        if not is_watched(i):
            self._concealed_frames.add(i)

    def _decoded(self, indices: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Give (index, frame) in order, from key frames where the index allows, else from the beginning."""
        last = -1
        if len(self.index.order.stamps):
            try:
                for i, frame in self._from_keys(indices):
                    yield i, frame
                    last = i
                return
            except _Unexpected:
                pass
        yield from self._from_start([i for i in indices if i > last])

    def _from_keys(self, indices: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Decode each run of wanted frames from the key frame before it."""
        with open_container(self.path) as container:
            stream = video_stream(container, self.path)
            for key, run in self._runs(indices):
                for i, frame in zip(run, self._run(container, stream, key, run), strict=False):
                    if frame.is_corrupt and key > 0:  # perhaps only because decoding began there
                        raise _Unexpected
                    yield i, frame

    def _runs(self, indices: list[int]) -> Iterator[tuple[int, list[int]]]:
        """Split ascending indices where jumping to a later key frame saves decoding; give (key number, indices)."""
        key_at = self.index.order.keys[:, 0]
        owner = np.searchsorted(key_at, indices, side="right") - 1
        begin = 0
        for at in range(1, len(indices) + 1):
            if at < len(indices) and (
                owner[at] == owner[at - 1] or key_at[owner[at]] - indices[at - 1] < _SEEK_GAP
            ):
                continue
            yield int(owner[begin]), indices[begin:at]
            begin = at

    def _run(
        self, container: InputContainer, stream: VideoStream, key: int, run: list[int]
    ) -> Iterator[av.VideoFrame]:
        """Decode from key frame number `key` and give the frames with these ascending indices."""
        stamps = self.index.order.stamps[run].tolist()
        at = 0
        for frame in self._decode_from(container, stream, key, self._stamps_to_send(stamps)):
            if frame.pts is None or self._is_after(frame.pts, stamps[at]):
                raise _Unexpected
            if frame.pts == stamps[at]:
                at += 1
                yield frame
                if at == len(stamps):
                    return
            elif (
                frame.is_corrupt and (i := self._position.get(frame.pts, -1)) >= self.index.order.keys[key, 0]
            ):
                if key > 0:
                    raise _Unexpected
                self._conceal(i)
        raise _Unexpected

    @cached_property
    def _position(self) -> dict[int, int]:
        """Index of the frame of each stamp."""
        return {stamp: i for i, stamp in enumerate(self.index.order.stamps.tolist())}

    def _is_after(self, one: int, two: int) -> bool:
        """Say whether the frame of stamp `one` is shown after that of stamp `two`."""
        if not self.index.order.is_numbered:
            return one > two
        return self._position.get(one, -1) > self._position[two]

    def _stamps_to_send(self, stamps: list[int]) -> set[int]:
        """Return the stamps of the packets that make these frames: numbered ones go on to the next that shows one."""
        if not self.index.order.is_numbered:
            return set(stamps)
        numbers = np.sort(self.index.order.stamps)
        following = np.append(numbers, numbers[-1] + 1)[np.searchsorted(numbers, stamps) + 1]
        return {n for first, stop in zip(stamps, following.tolist(), strict=True) for n in range(first, stop)}

    def _decode_from(
        self, container: InputContainer, stream: VideoStream, key: int, pending: set[int]
    ) -> Iterator[av.VideoFrame]:
        """Give what the decoder makes of the packets from a key frame to the last of `pending`.

        Unwanted pictures that no other picture refers to are skipped (not where packets are numbered: one may hold the
        beginning of the next picture); once all wanted ones are in, the decoder is
        emptied instead of fed on.
        """
        context, is_numbered = stream.codec_context, self.index.order.is_numbered
        for packet in self._packets_from(container, stream, key):
            skip = "DEFAULT" if is_numbered or packet.pts in pending else "NONREF"
            if context.skip_frame != skip:
                context.skip_frame = skip
            pending.discard(packet.pts)
            yield from decode(self.path, stream, packet)
            if not pending:
                break
        yield from decode(self.path, stream, None)

    def _packets_from(self, container: InputContainer, stream: VideoStream, key: int) -> Iterator[Any]:
        """Give the packets from a key frame on, numbered where the index is."""
        from av.error import FFmpegError

        order = self.index.order
        _, stamp, dts, pos = order.keys[key].tolist()
        if key or not order.is_numbered:
            try:
                container.seek(dts, stream=stream)
            except FFmpegError:
                raise _Unexpected from None
        has_begun = not key and order.is_numbered
        for packet in packets(container, stream):
            if not has_begun:
                has_begun = packet.is_keyframe and (
                    packet.pos == pos if order.is_numbered else packet.pts == stamp
                )
            if has_begun:
                if order.is_numbered:
                    packet.pts, stamp = stamp, stamp + 1
                yield packet
            elif not order.is_numbered and (
                packet.pts is None or (packet.is_keyframe and packet.pts > stamp)
            ):
                raise _Unexpected

    def _from_start(self, indices: list[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Decode everything from the beginning and give the wanted frames."""
        targets, corrupt = set(indices), []
        with open_container(self.path) as container:
            stream = video_stream(container, self.path)
            for i, frame in self._all(container, stream):
                corrupt = [] if frame.key_frame else corrupt
                if i in targets:
                    targets.discard(i)
                    for other in corrupt:
                        self._conceal(other)
                    yield i, frame
                if frame.is_corrupt and i >= 0:
                    corrupt.append(i)
                if not targets:
                    return
        raise VideoReadError(
            f"{self.path}: frame {min(targets)} of {self.count} cannot be decoded; the file is damaged"
        )

    def _all(self, container: InputContainer, stream: VideoStream) -> Iterator[tuple[int, av.VideoFrame]]:
        """Give every frame and its index."""
        source = packets(container, stream)
        if self.index.order.is_numbered:
            yield from enumerate(decode_numbered(self.path, stream, source))
            return
        for packet in chain(source, [None]):
            for frame in decode(self.path, stream, packet):
                yield -1 if frame.pts is None else self._position.get(frame.pts, -1), frame


class _Unexpected(Exception):
    """The decoder did not give what the index promised; decode from the beginning instead."""
