"""One encoder a kind of output; all take frames of one size, then finish. None of them knows about renaming."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from operator import sub
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from moviola.core.errors import FormatError
from moviola.core.video import Audio
from moviola.data.codec.comments import ROOM
from moviola.data.codec.formats import CONTAINER_SUFFIXES, ENCODINGS
from moviola.data.codec.last_delay import state_last_delay
from moviola.data.codec.options import WriteOptions
from moviola.data.codec.ticks import Bounds

if TYPE_CHECKING:
    import av

_SOUND_BITS = 96_000  # bits per second and channel
_LARGEST_ASPECT = (
    255  # H.264 and mp4 keep both parts of a pixel aspect in 16 bits or more, Matroska by the size
)


@lru_cache(maxsize=1)
def _has_avx512() -> bool:
    """Tell whether the processor has AVX-512, as NumPy found; such a one has AVX2 too."""
    try:
        from numpy._core._multiarray_umath import __cpu_features__ as features
    except ImportError:
        return False
    return bool(features.get("AVX512F")) and bool(features.get("AVX2"))


class FrameEncoder(Protocol):
    """What every kind of output offers."""

    def add(self, frames: np.ndarray, audio: Audio | None, bounds: Bounds = None) -> None:
        """Append uint8 (T, H, W, 3) and the sound that goes with it.

        `bounds`, where the rate varies: seconds at which each frame begins and the last one ends, T + 1 values; the
        first piece decides whether it does.
        """
        ...

    def finish(self) -> None:
        """Complete the output and close it."""
        ...

    def abort(self) -> None:
        """Close what is open; the caller removes it."""
        ...


class ContainerEncoder:
    """mp4, mov, mkv, webm, gif and apng by FFmpeg; memory holds the frames the encoder looks ahead.

    Args:
        path: the file to write.
        suffix: which decides the format.
        fps: frames per second.
        options: checked ones.
        shape: height and width of the frames.
        audio: the first piece of sound, whose format the rest must have.
        times: stamps of frames, where the rate varies: those that are known, at least the first piece's.
        pixel_aspect: width over height of a pixel.
        comment: for the tag of that name, where the container has one and it fits; None for none.
    """

    def __init__(
        self,
        path: Path,
        suffix: str,
        fps: Fraction,
        options: WriteOptions,
        shape: tuple[int, int],
        audio: Audio | None,
        times: Sequence[Fraction] | None = None,
        pixel_aspect: Fraction = Fraction(1),
        comment: str | None = None,
    ) -> None:
        import av

        self._path, self._encoding, self._options = path, ENCODINGS[suffix], options
        self._pixels = options.pixels(suffix, *shape)
        self._container = av.open(
            str(path), "w", format=self._encoding.muxer, options=dict(self._encoding.muxer_options)
        )
        if comment is not None and suffix in CONTAINER_SUFFIXES and len(comment) <= ROOM:
            self._container.metadata["comment"] = comment
        self._count = 0
        self._ticks = None if times is None else self._encoding.rule.ticks(times)
        self._tick = 1 / fps if self._ticks is None else self._ticks.tick
        self._lasting = dict[int, int]()  # ticks that a frame lasts, by its stamp, of those under way
        self._last: tuple[bytes, int] | None = None  # the last picture, and its ticks
        self._to_yuv = _YuvConverter(self._pixels, shape[0])
        self._palette = _Palette(shape, fps) if suffix == ".gif" else None
        self._stream = self._add_video(fps, shape, pixel_aspect)
        self._sound = (
            _SoundTrack(self._container, self._encoding.audio, audio) if self._keeps(audio) else None
        )

    def _keeps(self, audio: Audio | None) -> bool:
        return audio is not None and self._options.audio and self._encoding.audio is not None

    def _add_video(self, fps: Fraction, shape: tuple[int, int], pixel_aspect: Fraction) -> Any:
        encoding, options = self._encoding, dict(self._encoding.options)
        lossless = self._options.lossless and encoding.lossless_codec
        codec = encoding.lossless_codec if lossless else encoding.codec
        if encoding.crf:
            crf = self._options.crf if self._options.crf is not None else encoding.crf[0]
            options["crf"] = "0" if lossless else f"{crf:g}"
        if codec in ("libx264", "libx264rgb"):
            options["preset"] = self._options.preset
            # With AVX-512, x264's macroblock tree makes files that differ from run to run; without
            # it the same frames give the same bytes.
            if _has_avx512():
                options["x264-params"] = "asm=avx2"
            if self._ticks is not None:
                options["bf"] = "0"  # in mp4 the last frame lasts as the last one in order of decoding does
        if codec == "libvpx-vp9" and lossless:
            options["lossless"] = "1"
        stream: Any = self._container.add_stream(str(codec), rate=fps, options=options)
        stream.height, stream.width = shape
        stream.pix_fmt = self._pixels
        stream.codec_context.time_base = self._tick
        if pixel_aspect != 1:
            stream.codec_context.sample_aspect_ratio = pixel_aspect.limit_denominator(_LARGEST_ASPECT)
        self._to_yuv.tag(stream.codec_context)
        return stream

    def add(self, frames: np.ndarray, audio: Audio | None, bounds: Bounds = None) -> None:
        """Encode uint8 (T, H, W, 3) and the sound that goes with them."""
        if self._ticks is not None and bounds is not None:
            stamps = self._ticks(bounds)
            self._lasting.update(zip(stamps, map(sub, stamps[1:], stamps), strict=False))
        else:
            stamps = range(self._count, self._count + len(frames))
        for image, stamp in zip(frames, stamps, strict=False):
            frame = self._palette(image) if self._palette else self._to_yuv(image)
            frame.pts, frame.time_base = stamp, self._tick
            self._mux(self._stream.encode(frame))
        self._count += len(frames)
        if self._sound and audio:
            self._sound.add(audio)

    def _mux(self, packets: list[Any]) -> None:
        if self._ticks is not None:
            for packet in packets:
                packet.duration = self._lasting.pop(packet.pts)
                if self._encoding.states_last:
                    self._last = bytes(packet), packet.duration
        self._container.mux(packets)

    def finish(self) -> None:
        """Write what the encoder still holds, and the index."""
        self._mux(self._stream.encode(None))
        if self._sound:
            self._sound.finish()
        self._container.close()
        if self._last:
            state_last_delay(self._path, self._last[0], self._last[1] * self._tick)

    def abort(self) -> None:
        """Close the file, whatever state it is in."""
        with suppress(Exception):
            self._container.close()


class _YuvConverter:
    """RGB to what the encoder takes: limited range, BT.709 from 720 rows on and BT.601 below, and tagged so.

    The tags are the code points of ITU-T H.273 (1 BT.709; 5 and 6 BT.601); players that ignore tags guess by size
    in the same way.
    """

    def __init__(self, pixels: str, height: int) -> None:
        from av.video.reformatter import Interpolation as How
        from av.video.reformatter import VideoReformatter

        self._pixels, self._reformatter = pixels, VideoReformatter()
        self._interpolation = How.BICUBIC | How.ACCURATE_RND | How.FULL_CHR_H_INT | How.FULL_CHR_H_INP
        self._is_yuv = pixels.startswith("yuv")
        self._space = 1 if height >= 720 else 6

    def tag(self, context: Any) -> None:
        """State matrix, primaries, transfer and range in the stream."""
        if self._is_yuv:
            context.colorspace = context.color_primaries = context.color_trc = self._space
            context.color_range = 1

    def __call__(self, image: np.ndarray) -> av.VideoFrame:
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        if self._pixels == "rgb24":
            return frame
        if not self._is_yuv:
            return self._reformatter.reformat(frame, format=self._pixels, threads=1)
        converted = self._reformatter.reformat(
            frame,
            format=self._pixels,
            dst_colorspace=1 if self._space == 1 else 5,
            dst_color_range=1,
            interpolation=self._interpolation,
            threads=1,
        )
        converted.color_primaries = converted.color_trc = self._space
        return converted


class _Palette:
    """RGB to 256 colours chosen for each frame (FFmpeg's palettegen and paletteuse)."""

    def __init__(self, shape: tuple[int, int], fps: Fraction) -> None:
        from av import VideoFormat
        from av.filter import Graph

        self._graph = graph = Graph()
        source = graph.add_buffer(
            width=shape[1], height=shape[0], format=VideoFormat("rgb24"), time_base=1 / fps
        )
        split = graph.add("split")
        colours = graph.add("palettegen", "stats_mode=single:reserve_transparent=0")
        use = graph.add("paletteuse", "new=1:dither=sierra2_4a")
        sink = graph.add("buffersink")
        source.link_to(split)
        split.link_to(use, 0, 0)
        split.link_to(colours, 1, 0)
        colours.link_to(use, 0, 1)
        use.link_to(sink)
        graph.configure()
        self._count = 0

    def __call__(self, image: np.ndarray) -> av.VideoFrame:
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, self._count = self._count, self._count + 1
        self._graph.vpush(frame)
        return self._graph.vpull()


class _SoundTrack:
    """The sound stream of a container."""

    def __init__(self, container: Any, codec: str | None, first: Audio | None) -> None:
        import av

        assert codec is not None and first is not None
        layout = {1: "mono", 2: "stereo"}.get(first.channels, f"{first.channels}c")
        rate = 48000 if codec == "libopus" else first.rate
        self._container, self._layout = container, layout
        self._rate, self._channels = first.rate, first.channels
        self._stream = container.add_stream(codec, rate=rate, layout=layout)
        self._stream.bit_rate = _SOUND_BITS * first.channels
        self._resampler = av.AudioResampler(self._stream.format.name, layout, rate)
        self._at = 0

    def add(self, audio: Audio) -> None:
        """Encode the next piece."""
        import av

        if (audio.rate, audio.channels) != (self._rate, self._channels):
            raise FormatError(
                f"sound of {audio.rate} Hz and {audio.channels} channels follows sound of {self._rate} Hz "
                f"and {self._channels}; it must stay the same"
            )
        if not len(audio.samples):
            return
        packed = np.ascontiguousarray(audio.samples.clip(-1.0, 1.0)).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=self._layout)
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._at, Fraction(1, self._rate)
        self._at += len(audio.samples)
        self._encode(self._resampler.resample(frame))

    def finish(self) -> None:
        """Encode what is still held back."""
        self._encode(self._resampler.resample(None))
        self._container.mux(self._stream.encode(None))

    def _encode(self, frames: list[Any]) -> None:
        for frame in frames:
            self._container.mux(self._stream.encode(frame))
