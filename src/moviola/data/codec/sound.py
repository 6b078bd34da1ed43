"""The sound of a container, in step with its frames."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from moviola.core.errors import VideoReadError
from moviola.core.video import Audio
from moviola.data.codec.demux import audio_stream, open_container

_LEAD = Fraction(1)  # seconds decoded before the first wanted sample, so that the decoder has settled
_JUMP = Fraction(1, 20)  # seconds: recorders stamp unevenly, so only a larger step is a gap
_ROUNDED = Fraction(1, 400)  # seconds: by how much stamps may be rounded (to milliseconds in mkv)
_FIRST = 4  # frames of sound, the first of which often starts elsewhere than its stamp says


class SoundReader:
    """Sound of one file, taken forward in pieces; memory holds a piece and one packet.

    Args:
        path: a container with a sound stream.
        origin: time of the first video frame on the container's clock, in seconds; sound before it is left out.
        start: seconds after `origin` at which the first piece begins.

    Raises:
        VideoReadError: the file cannot be decoded.
    """

    def __init__(self, path: Path, origin: Fraction, start: Fraction) -> None:
        self._path, self._origin, self._at = path, origin, start
        self._pieces = self._decoded(origin + start)
        self._pending: list[tuple[int, np.ndarray]] = []
        self._format = (0, 0)

    def take(self, stop: Fraction) -> Audio | None:
        """Return the sound up to `stop` seconds after the origin, None where no packet decodes at all."""
        rate_known = bool(self._format[0])
        while not rate_known or self._end() < round(stop * self._format[0]):
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._pending.append(piece)
            rate_known = True
        if not rate_known:
            return None
        rate, channels = self._format
        first, last = round(self._at * rate), round(stop * rate)
        out = np.zeros((max(last - first, 0), channels), np.float32)
        for begin, samples in self._pending:
            low, high = max(begin, first), min(begin + len(samples), last)
            if low < high:
                out[low - first : high - first] = samples[low - begin : high - begin]
        self._pending = [(b, s) for b, s in self._pending if b + len(s) > last]
        self._at = stop
        return Audio(out, rate)

    def _end(self) -> int:
        return max((begin + len(samples) for begin, samples in self._pending), default=-(2**62))

    def _decoded(self, start: Fraction) -> Iterator[tuple[int, np.ndarray]]:
        """Give (first sample after the origin, float32 (N, channels)) in order of time."""
        import av
        from av.error import FFmpegError

        with open_container(self._path) as container:
            stream = audio_stream(container)
            tick = stream.time_base or Fraction(1, 1000)
            if start > _LEAD:
                container.seek(int((start - _LEAD) / tick), stream=stream)
            resampler, at = None, None
            try:
                for number, frame in enumerate(container.decode(stream)):
                    if resampler is None:
                        rate, layout = frame.sample_rate, frame.layout
                        self._format = (rate, layout.nb_channels)
                        resampler = av.AudioResampler("flt", layout, rate)
                    at = self._place(
                        frame.pts, frame.time_base or tick, at, _ROUNDED if number < _FIRST else _JUMP
                    )
                    frame.pts = None
                    for converted in resampler.resample(frame):
                        samples = converted.to_ndarray().reshape(-1, self._format[1])
                        yield at, samples
                        at += len(samples)
            except FFmpegError as error:
                raise VideoReadError(
                    f"{self._path}: its sound cannot be decoded ({error.strerror})"
                ) from None

    def _place(self, pts: int | None, tick: Fraction, at: int | None, slack: Fraction) -> int:
        """Return the sample at which a frame begins: `at`, where the one before ended, unless its stamp is far off."""
        if pts is None and at is not None:
            return at
        rate = self._format[0]
        stamp = round(((pts or 0) * tick - self._origin) * rate)
        return stamp if at is None or abs(stamp - at) > slack * rate else at
