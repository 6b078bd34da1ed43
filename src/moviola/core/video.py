"""The Video type: the one form in which moviola's functions hand videos to each other.

Outside networks a video is uint8 (T, H, W, 3) with a frame rate; `to_tensor` and `from_tensor` are the only places
where the order of the axes and the range of the values change.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moviola.core.audio import Audio, join_audio
from moviola.core.errors import ConfigError, InputError
from moviola.core.ranges import from_network
from moviola.core.rates import Rate, as_aspect, as_rate
from moviola.core.resample import Kernel, resize_frames
from moviola.core.times import Clock, Times, as_times, constant_times, mean_rate, shown_at

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Audio", "Video"]


@dataclass(frozen=True, eq=False)
class Video:
    """Frames, their rate and, where asked for, their sound.

    Args:
        frames: uint8 (T, H, W, 3), T, H and W at least 1.
        fps: frames per second; anything `moviola.core.rates.as_rate` takes, kept as an exact Fraction. The mean where
            the rate varies: frames / fps is the length, so it says how long the last frame is shown.
        audio: sound that starts with the first frame, or None.
        times: when each frame begins, in seconds from the first, ascending from 0; None for a constant rate. A mean
            rate that ends before the last frame begins is replaced by that of the times.
        pixel_aspect: width over height of a pixel as it is to be shown; 1 is square.

    Raises:
        InputError: frames of another shape or type, times that do not ascend or are not one a frame.
        ConfigError: a rate or a pixel aspect that is none.
    """

    frames: np.ndarray
    fps: Fraction
    audio: Audio | None = None
    times: Times | None = None
    pixel_aspect: Fraction = Fraction(1)

    if TYPE_CHECKING:

        def __init__(
            self,
            frames: np.ndarray,
            fps: Rate,
            audio: Audio | None = None,
            times: Iterable[Rate] | None = None,
            pixel_aspect: Rate = 1,
        ) -> None: ...

    def __post_init__(self) -> None:
        frames = np.asarray(self.frames)
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
            raise InputError(
                "a video is uint8 frames (T, H, W, 3) with at least one frame, "
                f"got {frames.dtype} {tuple(frames.shape)}"
            )
        object.__setattr__(self, "frames", frames)
        object.__setattr__(self, "pixel_aspect", as_aspect(self.pixel_aspect))
        if self.times is None:
            object.__setattr__(self, "fps", as_rate(self.fps))
            return
        times = as_times(self.times, len(frames))
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "fps", mean_rate(times, self.fps))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.frames)

    @property
    def height(self) -> int:
        """Rows of a frame."""
        return self.frames.shape[1]

    @property
    def width(self) -> int:
        """Columns of a frame."""
        return self.frames.shape[2]

    @property
    def duration(self) -> float:
        """Length in seconds: frames over (mean) rate."""
        return float(len(self) / self.fps)

    @property
    def clock(self) -> Clock:
        """When each frame is shown."""
        return Clock(len(self), self.fps, self.times)

    def __repr__(self) -> str:
        rate = f"{self.fps} fps" if self.times is None else f"{float(self.fps):g} fps on average"
        shape = "" if self.pixel_aspect == 1 else f", pixels {self.pixel_aspect}"
        sound = f", audio {self.audio.rate} Hz" if self.audio else ""
        return f"Video({len(self)} frames, {self.height}x{self.width}{shape}, {rate}{sound})"

    def __getitem__(self, key: int | slice) -> Video:
        """Return some of the frames as a Video.

        A slice with a step keeps the speed of what is seen, so the rate is divided by it, and where the rate varies
        each frame keeps its time; a negative step plays backwards and drops the sound. An integer gives a video of one
        frame.

        Raises:
            IndexError: an integer outside the video. InputError: a slice that holds no frame.
        """
        if not isinstance(key, slice):
            index = int(key)
            if not -len(self) <= index < len(self):
                raise IndexError(f"frame {index} of a video of {len(self)} frames")
            index %= len(self)
            key = slice(index, index + 1)
        chosen = range(len(self))[key]
        if not chosen:
            raise InputError(
                f"no frame in [{key.start}:{key.stop}:{key.step}] of a video of {len(self)} frames"
            )
        clock, audio = self.clock.part(chosen), None
        if self.audio and chosen.step > 0:
            start = self.clock.at(chosen.start)
            audio = self.audio.cut(start, start + clock.length)
        return Video(self.frames[key], clock.fps, audio, clock.times, self.pixel_aspect)

    def __iter__(self) -> Iterator[Video]:
        """Go through the frames, each as a Video of one frame."""
        return (self[i] for i in range(len(self)))

    def with_frames(self, frames: np.ndarray) -> Video:
        """Return other frames, as many, with the rate, times, sound and pixel aspect of these."""
        return replace(self, frames=frames)

    def resize(self, height: int, width: int, kernel: Kernel = "lanczos", antialias: bool = True) -> Video:
        """Return the video at another size; arguments and errors as `moviola.core.resample.resize_frames`.

        Square pixels stay square. Oblong ones change so that the picture keeps its shape.
        """
        frames = resize_frames(self.frames, height, width, kernel, antialias)
        aspect = self.pixel_aspect
        if aspect != 1:
            aspect *= Fraction(self.width * height, width * self.height)
        return replace(self, frames=frames, pixel_aspect=aspect)

    def square_pixels(self) -> Video:
        """Return the video with square pixels: the width is resized where they are oblong."""
        if self.pixel_aspect == 1:
            return self
        width = max(1, round(self.width * self.pixel_aspect))
        return replace(self, frames=resize_frames(self.frames, self.height, width), pixel_aspect=Fraction(1))

    def scale(self, n: int) -> Video:
        """Return the video with every pixel repeated `n` times each way (`n` at least 1); right for pixel art."""
        if n < 1:
            raise ConfigError(f"scale takes a whole number of at least 1, got {n}")
        return replace(self, frames=self.frames.repeat(n, axis=1).repeat(n, axis=2))

    def crop(self, top: int, left: int, height: int, width: int) -> Video:
        """Return the rectangle of `height` x `width` pixels whose upper left pixel is (`top`, `left`).

        Raises:
            ConfigError: the rectangle is empty or leaves the frame.
        """
        inside = min(top, left) >= 0 and top + height <= self.height and left + width <= self.width
        if not inside or height < 1 or width < 1:
            raise ConfigError(
                f"crop of {height}x{width} at row {top}, column {left} does not lie inside {self.height}x{self.width}"
            )
        return replace(self, frames=self.frames[:, top : top + height, left : left + width])

    def center_crop_square(self) -> Video:
        """Return the largest centred square."""
        side = min(self.height, self.width)
        return self.crop((self.height - side) // 2, (self.width - side) // 2, side, side)

    def with_fps(self, fps: Rate) -> Video:
        """Return the same frames at a constant rate; the sound is dropped where that changes their times."""
        rate = as_rate(fps)
        audio = self.audio if rate == self.fps and self.times is None else None
        return replace(self, fps=rate, audio=audio, times=None)

    def resample(self, fps: Rate) -> Video:
        """Return the video at a constant rate, at the same speed and with its sound.

        Frame k is what is shown at k / fps seconds: the last frame that begins no later. Frames are left out and
        repeated, never mixed.
        """
        rate = as_rate(fps)
        count = math.ceil(self.clock.length * rate)
        chosen = shown_at(self.clock.stamps, constant_times(count, rate))
        audio = self.audio.cut(Fraction(0), count / rate) if self.audio else None
        return replace(self, frames=self.frames[chosen], fps=rate, audio=audio, times=None)

    def loop(self, n: int) -> Video:
        """Return the video played `n` times (`n` at least 1)."""
        if n < 1:
            raise ConfigError(f"loop takes a whole number of at least 1, got {n}")
        return Video.concat([self] * n)

    @staticmethod
    def concat(videos: Sequence[Video]) -> Video:
        """Return the videos one after another; where some have sound, the others are silent.

        Where the rate of one varies, every frame keeps its time, whatever the rates of the others.

        Raises:
            InputError: no videos, or videos that differ in size, pixel aspect, (constant) rate or sound format.
        """
        _require_same(videos, "joined in time", lambda v: (v.height, v.width), "size")
        _require_same(videos, "joined in time", lambda v: v.pixel_aspect, "pixel aspect")
        frames = np.concatenate([v.frames for v in videos])
        audio = join_audio([(v.audio, v.clock.length) for v in videos])
        first = videos[0]
        if all(v.times is None for v in videos):
            _require_same(videos, "joined in time", lambda v: v.fps, "rate")
            return Video(frames, first.fps, audio, None, first.pixel_aspect)
        begin, times = Fraction(0), []
        for video in videos:
            times += [begin + stamp for stamp in video.clock.stamps]
            begin += video.clock.length
        return Video(frames, len(frames) / begin, audio, times, first.pixel_aspect)

    @staticmethod
    def side_by_side(videos: Sequence[Video], gap: int = 2) -> Video:
        """Return the videos next to each other, left to right, on white; a shorter one holds its last frame.

        Args:
            videos: of one height, pixel aspect and rate; the sound is the first one's that has any. Where the rate of
                one varies, there is a frame whenever one of them changes.
            gap: white columns between them, at least 0.

        Raises:
            InputError: no videos, or heights, pixel aspects or constant rates that differ. ConfigError: a negative gap.
        """
        _require_same(videos, "put side by side", lambda v: v.height, "height")
        _require_same(videos, "put side by side", lambda v: v.pixel_aspect, "pixel aspect")
        _check_gap(gap)
        if any(v.times is not None for v in videos):
            videos = _on_one_clock(videos)
        _require_same(videos, "put side by side", lambda v: v.fps, "rate")
        length = max(map(len, videos))
        width = sum(v.width for v in videos) + gap * (len(videos) - 1)
        out = np.full((length, videos[0].height, width, 3), 255, np.uint8)
        left = 0
        for video in videos:
            strip = out[:, :, left : left + video.width]
            strip[: len(video)] = video.frames
            strip[len(video) :] = video.frames[-1]
            left += video.width + gap
        audio = next((v.audio for v in videos if v.audio), None)
        return Video(out, videos[0].fps, audio, videos[0].times, videos[0].pixel_aspect)

    def contact_sheet(self, columns: int = 8, rows: int | None = None, gap: int = 2) -> np.ndarray:
        """Return frames laid out row by row on white.

        Args:
            columns: frames in a row, at least 1.
            rows: rows; None for as many as all frames need, else evenly spaced frames fill at most that many.
            gap: white pixels between frames, at least 0.

        Returns:
            uint8 (H, W, 3).

        Raises:
            ConfigError: columns or rows below 1, or a negative gap.
        """
        if columns < 1 or (rows is not None and rows < 1):
            raise ConfigError(f"a contact sheet has at least 1 column and 1 row, got {columns} and {rows}")
        _check_gap(gap)
        count = len(self) if rows is None else min(len(self), rows * columns)
        chosen = self.frames[np.linspace(0, len(self) - 1, count).round().astype(int)]
        columns = min(columns, count)
        rows = math.ceil(count / columns)
        cell_h, cell_w = self.height + gap, self.width + gap
        sheet = np.full((rows * cell_h - gap, columns * cell_w - gap, 3), 255, np.uint8)
        for i, frame in enumerate(chosen):
            top, left = i // columns * cell_h, i % columns * cell_w
            sheet[top : top + self.height, left : left + self.width] = frame
        return sheet

    def to_tensor(self) -> Tensor:
        """Return the frames as torch float32 (T, C, H, W) in [-1, 1] (0 is -1, 255 is 1)."""
        import torch

        frames = torch.from_numpy(np.array(self.frames.transpose(0, 3, 1, 2), order="C"))
        return frames.float().div_(127.5).sub_(1.0)

    @staticmethod
    def from_tensor(tensor: Tensor, fps: Rate) -> Video:
        """Return the Video of a tensor; values outside [-1, 1] are clipped.

        Args:
            tensor: floating (T, C, H, W), C of 3 or 1 (grey).
            fps: frames per second.

        Raises:
            InputError: another shape, or values that are not finite.
        """
        if tensor.ndim != 4 or tensor.shape[1] not in (1, 3):
            raise InputError(f"a video tensor is (T, C, H, W) with C of 3 or 1, got {tuple(tensor.shape)}")
        values = tensor.detach().float().cpu()
        if not bool(values.isfinite().all()):
            raise InputError("a video tensor holds values that are not finite")
        frames = from_network(values).expand(-1, -1, -1, 3)
        return Video(np.ascontiguousarray(frames.numpy()), fps)

    def save(self, path: str | Path, **options: Any) -> Path:
        """Write the video to `path` and return it; options and errors as `moviola.data.codec.write`."""
        from moviola.data.codec import write  # upwards: a named exception in the import contract

        return write(self, path, **options)

    def _repr_html_(self) -> str:
        """Return a player for notebooks."""
        from moviola.data.codec import to_html

        return to_html(self)


def _on_one_clock(videos: Sequence[Video]) -> list[Video]:
    """Return the videos with a frame whenever one of them changes, all until the last of them ends."""
    own = [v.clock.stamps for v in videos]
    times = tuple(sorted(set().union(*own)))
    fps = len(times) / max(v.clock.length for v in videos)
    return [
        replace(video, frames=video.frames[shown_at(stamps, times)], fps=fps, times=times)
        for video, stamps in zip(videos, own, strict=True)
    ]


def _check_gap(gap: int) -> None:
    if gap < 0:
        raise ConfigError(f"a gap is at least 0 pixels, got {gap}")


def _require_same(videos: Sequence[Video], what: str, key: Any, noun: str) -> None:
    """Raise InputError unless there are videos and `key` is the same for all."""
    if not videos:
        raise InputError(f"no videos to be {what}")
    values = [key(v) for v in videos]
    for i, value in enumerate(values):
        if value != values[0]:
            raise InputError(
                f"videos to be {what} need one {noun}; "
                f"number 1 has {_show(values[0])}, number {i + 1} has {_show(value)}"
            )


def _show(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)
