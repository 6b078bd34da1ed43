"""Bringing a clip of any format to the frames, the rate and the size of a model's clips."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from moviola.core.errors import InputError
from moviola.core.notes import note
from moviola.core.resample import resize_frames
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.clips import frame_step, reaches, sample_indices, span
from moviola.models.inrv import InrvModel

_WHITE = 128  # a mask's pixel of at least this is hidden


@dataclass(frozen=True, eq=False)
class Placement:
    """Which frames and which part of a clip a model sees.

    Attributes:
        indices: frames of the clip, int64 (T,).
        crop: top, left, height and width of the part, px.
    """

    indices: np.ndarray
    crop: tuple[int, int, int, int]

    def frames(self, video: Video, height: int, width: int) -> np.ndarray:
        """Return these frames of a clip at another size, uint8 (T, height, width, 3)."""
        top, left, rows, columns = self.crop
        part = video.frames[self.indices, top : top + rows, left : left + columns]
        return np.ascontiguousarray(resize_frames(part, height, width))

    def hidden(self, mask: np.ndarray, height: int, width: int) -> np.ndarray:
        """Return a mask at another size.

        Args:
            mask: bool (N, H, W) or (1, H, W) of the whole clip, true where hidden.
            height, width: px.

        Returns:
            bool (T, height, width); a pixel that is hidden in part is hidden.
        """
        top, left, rows, columns = self.crop
        chosen = mask[np.zeros_like(self.indices) if len(mask) == 1 else self.indices]
        part = chosen[:, top : top + rows, left : left + columns]
        grey = np.repeat(part[..., None].astype(np.uint8) * 255, 3, axis=-1)
        return resize_frames(grey, height, width, kernel="box")[..., 0] > 0


@dataclass(frozen=True, eq=False)
class ModelClip:
    """A clip as a model's clips are.

    Attributes:
        video: the clip at the model's frames, rate and size.
        source: the whole clip with square pixels.
        placement: which part of it that is.
        name: of the clip, for messages.
        is_whole: whether all frames are the clip's own; false where it had the observed ones alone.
    """

    video: Video
    source: Video
    placement: Placement
    name: str
    is_whole: bool = True

    @property
    def frames(self) -> np.ndarray:
        """uint8 (T, H, W, 3)."""
        return self.video.frames

    def at_size(self, height: int, width: int) -> np.ndarray:
        """Return the frames at another size, from the clip's own pixels: uint8 (T, height, width, 3)."""
        return self.placement.frames(self.source, height, width)


def fit_clip(
    model: InrvModel, video: Video, name: str = "the clip", *, loop: bool = False, known: tuple[int, ...] = ()
) -> ModelClip:
    """Bring a clip to a model's frames, rate and size; a note says what was done.

    The first frames at the model's rate are taken where the clip lasts long enough; else all of it, its frames spread
    evenly, so that it is slower. The largest centred part of the model's shape is taken.

    Args:
        model: whose clips.
        video: the clip.
        name: of the clip, for messages.
        loop: begin again where the clip is too short, at the model's rate.
        known: frame numbers that are to be observed; a clip of just so many frames is taken as those frames.

    Raises:
        InputError: the clip has fewer frames than the model's clips.
    """
    video = video.square_pixels()
    indices, words = _times(model, video, name, loop, known)
    crop = _crop(video.height, video.width, model.height / model.width)
    placement = Placement(indices, crop)
    if crop[2:] != (video.height, video.width):
        words.append(f"cropped to {crop[3]}x{crop[2]}")
    if (video.height, video.width) != (model.height, model.width):
        words.append(f"resized to {model.width}x{model.height}")
    if words:
        was = f"{len(video)} frames of {video.width}x{video.height}, {float(video.fps):.4g} frames/s"
        note(f"{name} ({was}): {', '.join(words)}")
    frames = placement.frames(video, model.height, model.width)
    is_whole = not (known and len(video) == len(known) < model.num_frames)
    return ModelClip(Video(frames, model.fps), video, placement, name, is_whole)


def _times(
    model: InrvModel, video: Video, name: str, loop: bool, known: tuple[int, ...]
) -> tuple[np.ndarray, list[str]]:
    """Return which frames are taken, int64 (T,), and what to say of it."""
    count, length = len(video), model.num_frames
    if known and count == len(known) < length:
        place = np.searchsorted(known, np.arange(length), side="right") - 1
        return place.clip(0).astype(np.int64), [f"taken as the {count} observed frames of {length}"]
    if count < length and not (loop and count > 1):
        alone = f", or just the {len(known)} observed" if known else ""
        raise InputError(
            f"{name} has {count} frames; the model's clips have {length}, so {length} or more are needed{alone} "
            "(--loop repeats a clip that has at least 2)"
        )
    if _lasts(video, length, model.fps) or loop:
        indices = sample_indices(
            count, length, "first", fps=video.fps, target_fps=model.fps, times=video.times, short="loop"
        )
        if count == length and np.array_equal(indices, np.arange(length)):
            return indices, []
        how = ", repeated" if not _lasts(video, length, model.fps) else ""
        seconds = length / float(model.fps)
        return indices, [f"the first {seconds:.3g} s at {float(model.fps):.4g} frames/s{how}"]
    indices = sample_indices(count, length, "uniform")
    if count == length:
        return indices, [f"played at the model's {float(model.fps):.4g} frames/s"]
    speed = length / float(model.fps) / video.duration
    return indices, [
        f"{length} frames spread over all of it, {speed:.2f} times as slow (--loop repeats it instead)"
    ]


def _lasts(video: Video, length: int, fps: Fraction) -> bool:
    """Return whether a clip is long enough for `length` frames at `fps`."""
    if video.times is not None:
        return reaches(video.clock, length, 1 / fps)
    return span(length, frame_step(fps=video.fps, target_fps=fps)) <= len(video)


def _crop(height: int, width: int, shape: float) -> tuple[int, int, int, int]:
    """Return the largest centred part whose height over width is `shape`, to the nearest pixel."""
    rows, columns = height, round(height / shape)
    if columns > width:
        rows, columns = min(height, max(1, round(width * shape))), width
    columns = max(1, columns)
    return (height - rows) // 2, (width - columns) // 2, rows, columns


def read_mask(path: str | Path, video: Video, name: str = "the clip") -> np.ndarray:
    """Read what is hidden of a clip.

    Args:
        path: a picture, for all frames, or a video of as many frames; white is hidden.
        video: the clip.
        name: of the clip, for messages.

    Returns:
        bool (N, H, W) or (1, H, W), true where hidden.

    Raises:
        InputError: another size or number of frames than the clip's; a mask that hides nothing or everything.
        VideoReadError: no picture and no video.
    """
    mask = codec.read(path).square_pixels()
    clip = video.square_pixels()
    if (mask.height, mask.width) != (clip.height, clip.width):
        raise InputError(
            f"the mask {path} is {mask.width}x{mask.height}; {name} is {clip.width}x{clip.height}, "
            "and the mask must be of the same size"
        )
    if len(mask) not in (1, len(clip)):
        raise InputError(f"the mask {path} has {len(mask)} frames; it needs 1, or {len(clip)} as {name}")
    hidden = mask.frames.mean(axis=-1) >= _WHITE
    if hidden.all() or not hidden.any():
        what = "everything; nothing" if hidden.all() else "nothing; everything"
        raise InputError(f"the mask {path} hides {what} would be observed (white is hidden)")
    return hidden
