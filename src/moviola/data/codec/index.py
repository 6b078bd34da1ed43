"""The frames of a container, listed in the order in which they are shown.

The packets of a stream are read without decoding them (a millisecond for some hundred frames). Where their stamps can
be believed, frame i is the picture with the i-th smallest stamp. Where they cannot (AVI and others that store only the
order of decoding, packed MPEG-4, missing or repeated stamps, a cut in an open group of pictures, field pairs), the file
is decoded once and the frames are those that come out. The index is kept for files that do not change.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from moviola.core.errors import VideoReadError
from moviola.core.rates import MAX_FPS
from moviola.data.codec.bitstream import is_in_order, is_shown
from moviola.data.codec.demux import decode_numbered, open_container, packets, reason, video_stream
from moviola.data.codec.formats import DEFAULT_FPS
from moviola.data.codec.structure import check_whole
from moviola.data.codec.timing import ascending, constant_rate, mean_rate

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_SETTLED = 8  # frames after a key frame, at most as many as may be reordered
_FIELD_SAMPLE = 48  # packets decoded to see whether two of them, a field each, make one frame


class Row(NamedTuple):
    """What a packet says: presentation and decoding stamp (ticks), key frame, byte position, duration, shown."""

    pts: int | None
    dts: int | None
    key: bool
    pos: int
    duration: int
    is_shown: bool


@dataclass(frozen=True, eq=False)
class Order:
    """The frames of a stream in the order in which they are shown.

    Args:
        stamps: int64 (T,), what names each frame when it is decoded: its time stamp in ticks, or, where `numbered`, the
            number of its packet; empty where nothing does.
        keys: int64 (K, 4), of each packet from which decoding can begin: the first frame it serves, its stamp (or
            number), its decoding stamp, its byte position; ascending.
        numbered: whether packets have to be numbered, as their stamps cannot be believed.
        count: number of frames.
        pts: int64 (T,), ascending: when each frame is shown, ticks; empty where the file does not say.
    """

    stamps: np.ndarray
    keys: np.ndarray
    is_numbered: bool
    count: int
    pts: np.ndarray


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """What the packets of a video stream say.

    Args:
        order: its frames.
        tick: seconds a tick.
        fps: frames per second.
        variable: whether no constant rate explains the times.
        codec: name of the decoder.
        has_audio: whether there is a sound stream.
        seconds: until the last frame ends.
        pixel_aspect: width of a stored pixel over its height.
    """

    order: Order
    tick: Fraction
    fps: Fraction
    variable: bool
    codec: str
    has_audio: bool
    seconds: Fraction
    pixel_aspect: Fraction

    @property
    def origin(self) -> Fraction:
        """Time of the first frame in seconds on the container's clock."""
        pts = self.order.pts
        return int(pts[0]) * self.tick if len(pts) else Fraction(0)

    @cached_property
    def times(self) -> tuple[Fraction, ...] | None:
        """When each frame is shown, seconds after the first; None where the rate is constant."""
        if not self.variable:
            return None
        pts = self.order.pts
        return tuple(tick * self.tick for tick in (pts - pts[0]).tolist())


def packet_index(path: Path) -> PacketIndex:
    """Return the index of a file, from memory where the file has not changed.

    Raises:
        VideoReadError: it is no video file, is cut short, damaged, or without frames.
    """
    stat = os.stat(path)
    return _build_index(str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)


@lru_cache(maxsize=64)
def _build_index(name: str, _size: int, _mtime: int, _inode: int) -> PacketIndex:
    path = Path(name)
    check_whole(path)
    with open_container(path) as container:
        stream = video_stream(container, path)
        rows = _rows(path, container, stream)
        if not any(row.is_shown for row in rows):
            raise VideoReadError(f"{path} holds no frames")
        coded = container.format.name == "avi"  # its stamps are those of decoding
        if _can_believe(path, stream, rows, coded):
            stamps, keys = _by_stamps(rows)
            order = Order(stamps, keys, False, len(stamps), stamps - (_delay(rows) if coded else 0))
        else:
            order = _by_decoding(path, rows, coded)
        return _index_of(path, container, stream, rows, order)


def _rows(path: Path, container: InputContainer, stream: VideoStream) -> list[Row]:
    from av.error import FFmpegError

    codec = stream.codec_context.name
    may_hide = codec in ("vp8", "vp9")
    try:
        return [
            Row(
                p.pts,
                p.dts,
                p.is_keyframe,
                -1 if p.pos is None else p.pos,
                p.duration or 0,
                not p.is_discard and (not may_hide or is_shown(memoryview(p), codec)),
            )
            for p in packets(container, stream)
        ]
    except FFmpegError as error:
        raise VideoReadError(f"{path} is damaged ({reason(error)})") from None


def _can_believe(path: Path, stream: VideoStream, rows: Sequence[Row], coded: bool) -> bool:
    """Say whether the packets' stamps tell which frames come out and in which order."""
    stamps = [row.pts for row in rows if row.pts is not None]
    if len(set(stamps)) < len(rows) or not rows[0].key:
        return False
    if any(row.is_shown and stamp < stamps[0] for stamp, row in zip(stamps, rows, strict=True)):
        return False  # refers to pictures that were cut away
    keys = [stamp for stamp, row in zip(stamps, rows, strict=True) if row.key]
    if keys != sorted(keys):
        return False
    context = stream.codec_context
    if not context.codec.reorder:
        return True
    if context.field_order > 1 and not _frame_a_packet(path, rows):
        return False
    coded = coded or (context.has_b_frames and stamps == sorted(stamps))
    return not coded or _in_order(path)


def _frame_a_packet(path: Path, rows: Sequence[Row]) -> bool:
    """Say whether the first packets of an interlaced video hold a frame each, not a field."""
    begin = rows[:_FIELD_SAMPLE]
    return len(_decoded_numbers(path, len(begin))) >= sum(row.is_shown for row in begin)


def _in_order(path: Path) -> bool:
    """Say whether every picture is surely shown in the order of coding."""
    with open_container(path) as container:
        stream = video_stream(container, path)
        codec, extradata = stream.codec_context.name, stream.codec_context.extradata
        return all(is_in_order(bytes(p), codec, extradata) for p in packets(container, stream))


def _by_stamps(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    """Return stamps and keys (see `Order`) of packets that can be believed."""
    stamps = np.sort(np.array([row.pts for row in rows if row.is_shown], np.int64))
    # mkv gives no decoding stamp for its first packets
    keys = np.array(
        [(0, row.pts, row.pts if row.dts is None else row.dts, row.pos) for row in rows if row.key], np.int64
    )
    keys[:, 0] = np.searchsorted(stamps, keys[:, 1])
    return stamps, keys


def _by_decoding(path: Path, rows: Sequence[Row], coded: bool) -> Order:
    """Return the frames that come out of the decoder; `coded`: the container keeps only stamps of decoding."""
    frames = _decoded_numbers(path, None)
    if not frames:
        raise VideoReadError(f"{path}: none of its frames can be decoded; the file is damaged")
    numbers = [number for number, _ in frames if number is not None]
    empty = np.zeros(0, np.int64)
    if len(set(numbers)) < len(frames):  # several frames from one packet
        return Order(empty, empty.reshape(0, 4), True, len(frames), empty)
    intra = {number: i for i, (number, (_, key)) in enumerate(zip(numbers, frames, strict=True)) if key}
    keys = _numbered_keys(rows, intra)
    times = _times([rows[number] for number in numbers], _delay(rows) if coded else None)
    return Order(np.array(numbers, np.int64), keys, True, len(numbers), times)


def _times(rows: Sequence[Row], delay: int | None) -> np.ndarray:
    """Return when the frames of these packets are shown, int64 (T,) ascending ticks; empty where stamps are missing.

    Of presentation and decoding stamps those in even steps are taken, else the former.

    Args:
        rows: the packets, in order of showing.
        delay: as `_delay` where the container keeps only stamps of decoding, else None.
    """
    presented, decoded = (_column([getattr(row, kind) for row in rows]) for kind in ("pts", "dts"))
    if delay is not None:
        if len(presented) > 2 and 0 < presented[-1] - presented[-2] < presented[1] - presented[0]:
            presented[-1] = 2 * presented[-2] - presented[-3]  # a guess of FFmpeg, as no packet follows
        presented = presented - delay
    kinds = [stamps for stamps in (presented, decoded) if len(stamps)]
    return next((stamps for stamps in kinds if _is_even(stamps)), kinds[0]) if kinds else presented


def _column(stamps: Sequence[int | None]) -> np.ndarray:
    """Return stamps in ascending order, nothing where some are missing."""
    return ascending(np.array([] if None in stamps else stamps, np.int64))


def _is_even(stamps: np.ndarray) -> bool:
    return len(set(np.diff(stamps).tolist())) < 2


def _delay(rows: Sequence[Row]) -> int:
    """Return the ticks by which FFmpeg has the pictures of an AVI, but not its sound, wait to be put in order."""
    both = [(row.pts, row.dts) for row in rows if row.pts is not None and row.dts is not None]
    if not both:
        return 0
    presented, decoded = np.sort(np.array(both, np.int64), axis=0).T
    return int((presented - decoded)[: max(1, len(both) - 1)].min())  # the last is a guess


def _numbered_keys(rows: Sequence[Row], intra: Mapping[int, int]) -> np.ndarray:
    """Return the keys (see `Order`); `intra`: number of the packet of each key frame to number of that frame.

    A packet may be marked as key and hold none (the placeholder in packed MPEG-4), so the frame has to agree. The
    frames right after it may refer to others before it, or be decoded as if they did, so it serves later ones.
    """
    places = Counter(row.pos for row in rows)
    keys = [(0, 0, 0, rows[0].pos)]
    for n, at in sorted(intra.items()):
        row = rows[n]
        dts = row.pts if row.dts is None else row.dts
        if dts is None or row.pos < 0 or places[row.pos] > 1 or not row.key:
            continue
        if n and at + _SETTLED >= keys[-1][0]:
            keys.append((at + _SETTLED, n, dts, row.pos))
    return np.array(keys, np.int64)


def _decoded_numbers(path: Path, limit: int | None) -> list[tuple[int | None, bool]]:
    """Decode a file, or its first packets; return for each frame the number of its packet and whether it is a key."""
    with open_container(path) as container:
        stream = video_stream(container, path)
        frames = decode_numbered(path, stream, islice(packets(container, stream), limit))
        return [(frame.pts, frame.key_frame) for frame in frames]


def _index_of(
    path: Path, container: InputContainer, stream: VideoStream, rows: Sequence[Row], order: Order
) -> PacketIndex:
    """Add rate and duration to the frames of a stream."""
    tick, pts = stream.time_base or Fraction(1, 1000), order.pts
    stated_rates = [r for r in (stream.average_rate, stream.guessed_rate, stream.base_rate) if r]
    varies = False
    rate = stated_rates[0] if stated_rates else DEFAULT_FPS
    if len(pts) > 1:
        constant = constant_rate(pts, tick, stated_rates)
        rate, varies = constant or mean_rate(pts, tick), constant is None
    seconds = order.count / rate
    if varies:
        seconds = int(pts[-1] - pts[0]) * tick + (_last(rows, order) * tick or 1 / rate)
        rate = order.count / seconds
    if not 0 < rate <= MAX_FPS:
        raise VideoReadError(
            f"{path} states {float(rate):g} frames per second, at most {MAX_FPS} are possible; "
            "give it another rate (ffmpeg -i FILE -vf setpts=N/25/TB)"
        )
    return PacketIndex(
        order, tick, rate, varies, stream.codec_context.name, bool(container.streams.audio), seconds,
        stream.sample_aspect_ratio or Fraction(1),
    )  # fmt: skip


def _last(rows: Sequence[Row], order: Order) -> int:
    """Return the ticks that the last frame lasts, 0 where the file does not say."""
    last = int(order.stamps[-1]) if len(order.stamps) else -1
    if order.is_numbered:
        return rows[last].duration
    return next(row.duration for row in rows if row.pts == last)
