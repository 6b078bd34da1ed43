"""The tasks of a space of videos: what each observes, the fit, and the results drawn, judged and described."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from moviola.core.errors import ConfigError, InputError
from moviola.core.rates import Rate
from moviola.core.video import Video
from moviola.models.inrv import InrvModel
from moviola.pipelines.edit.latent import observe
from moviola.pipelines.edit.latent.clip import ModelClip, fit_clip
from moviola.pipelines.edit.latent.complete import complete
from moviola.pipelines.edit.latent.fit import Fit, FitConfig, fit
from moviola.pipelines.edit.latent.observe import Observation
from moviola.pipelines.edit.latent.render import frame_numbers, render
from moviola.pipelines.edit.latent.score import Scores, score_part

TASKS = ("invert", "inpaint", "predict", "frame-interpolate", "sparse", "upsample")
_FLAT = 8  # values of 0 to 255: hidden pixels of a range so small hold no picture


@dataclass(frozen=True, eq=False)
class Task:
    """What is asked of a clip.

    Attributes:
        name: one of `TASKS`.
        hidden: of "inpaint": bool (N, H, W) or (1, H, W) of the whole clip; None for the lower half.
        known: of "predict": so many first frames are observed.
        share: of "sparse": of the pixels that are observed.
        low: of "upsample": H and W of the observation; None for 32x32, or half the model's size where that is less.
        seed: of "sparse": which pixels.
    """

    name: str
    hidden: np.ndarray | None = None
    known: int = 1
    share: float = observe.SPARSE_SHARE
    low: tuple[int, int] | None = None
    seed: int = 0

    def known_frames(self, count: int) -> tuple[int, ...]:
        """Return the numbers of the observed frames of `count`, where whole frames are observed, not all of them."""
        if self.name == "predict":
            return tuple(range(self.known))
        return (0, count - 1) if self.name == "frame-interpolate" else ()

    def observe(self, clip: ModelClip, height: int, width: int) -> Observation:
        """Return what is observed of a clip at a size, px.

        Raises:
            ConfigError: no such task, or one of its settings out of range.
        """
        if self.name == "upsample":
            return self._low(clip, height, width)
        frames = clip.at_size(height, width)
        if self.name == "invert":
            return observe.invert(frames)
        if self.name == "inpaint":
            hidden = None if self.hidden is None else clip.placement.hidden(self.hidden, height, width)
            if hidden is not None and (hidden.all() or not hidden.any()):
                raise InputError("the mask hides all or nothing of the part of the clip that the model sees")
            return observe.inpaint(frames, hidden)
        if self.name == "predict":
            return observe.predict(frames, self.known)
        if self.name == "frame-interpolate":
            return observe.frame_interpolate(frames)
        if self.name == "sparse":
            return observe.sparse(frames, self.share, self.seed)
        raise ConfigError(f"no task {self.name!r}; there are {', '.join(TASKS)}")

    def _low(self, clip: ModelClip, height: int, width: int) -> Observation:
        if is_low(clip):
            rows, columns = clip.placement.crop[2:]
            return observe.upsample(clip.at_size(rows, columns), height, width)
        low = self.low or observe.default_low(height, width)
        if low[0] > height or low[1] > width or low == (height, width):
            raise ConfigError(f"{low[1]}x{low[0]} is no lower resolution of the model's {width}x{height}")
        return observe.upsample(observe.shrink(clip.at_size(height, width), *low), height, width)


def is_low(clip: ModelClip) -> bool:
    """Return whether a clip is itself of a lower resolution than the model."""
    rows, columns = clip.placement.crop[2:]
    height, width = clip.frames.shape[1:3]
    return rows <= height and columns <= width and (rows, columns) != (height, width)


@dataclass(frozen=True, eq=False)
class Result:
    """A task done.

    Attributes:
        task: what was asked.
        clip: as the model sees it.
        observation: of it, at the model's size.
        fit: the codes.
        truth: uint8 (T, H, W, 3) at the model's frames and size; None where it is not known.
        is_plain: whether results are the model's own pictures; else what was observed is kept.
    """

    task: Task
    clip: ModelClip
    observation: Observation
    fit: Fit
    truth: np.ndarray | None
    is_plain: bool

    def frames(self, number: int = 0) -> np.ndarray:
        """Return result `number` at the model's frames and size, uint8 (T, H, W, 3)."""
        return Video.concat(list(self.pieces(number))).frames

    def pieces(
        self, number: int = 0, size: tuple[int, int] | None = None, fps: Rate | None = None
    ) -> Iterator[Video]:
        """Yield result `number` in pieces.

        Args:
            number: 0 for the one nearest to the observation.
            size: H and W, px; the model's by default.
            fps: frames a second; the model's by default. More show more instants of the same seconds.
        """
        model, code = self.fit.model, self.fit.codes[number : number + 1]
        numbers, rate = frame_numbers(model, fps)
        stream = self._stream(model, code, numbers, size or (model.height, model.width))
        return (Video.from_tensor(piece, rate) for piece in stream)

    def _stream(
        self, model: InrvModel, code: Tensor, numbers: Tensor, size: tuple[int, int]
    ) -> Iterator[Tensor]:
        if self.is_plain:
            return render(model, code, numbers, size)
        observation = self.observation
        source = self.clip.placement.crop[2:]
        finer = source[0] >= size[0] and source[1] >= size[1] and size != observation.size
        if finer and self.task.name in ("inpaint", "predict", "frame-interpolate"):
            observation = self.task.observe(self.clip, *size)  # keep the detail that the clip itself has
        return complete(model, code, numbers, observation, size)

    def scores(self, frames: np.ndarray) -> Scores:
        """Return the scores of frames at the model's frames and size."""
        seen = self.observation
        if seen.is_low:
            low = observe.shrink(frames, *seen.frames.shape[1:3])
            hidden = np.ones(frames.shape[:3], bool)
        else:
            low, hidden = frames, ~seen.mask
        observed = score_part(low, seen.frames, seen.mask)
        assert observed is not None
        unobserved = None if self.truth is None else score_part(frames, self.truth, hidden)
        return Scores(observed, unobserved)

    def plain_scores(self) -> Scores:
        """Return the scores of the model's own picture of the best code."""
        return self.scores(self._plain(self.fit.code))

    def amortised_scores(self) -> Scores | None:
        """Return the scores of the model's own picture of the encoder's code, without any steps; None without one."""
        return None if self.fit.encoded is None else self.scores(self._plain(self.fit.encoded))

    def _plain(self, code: Tensor) -> np.ndarray:
        numbers, rate = frame_numbers(self.fit.model)
        return Video.concat(
            [Video.from_tensor(p, rate) for p in render(self.fit.model, code, numbers)]
        ).frames

    def describe(self) -> str:
        """Return one line: what is kept and what is invented."""
        seen = self.observation
        share = f"{seen.count:,} of {seen.mask.size:,} pixels observed"
        if self.is_plain:
            return f"kept: nothing, every pixel is the model's; fitted to {seen.given} ({share})"
        return f"kept: {seen.given} ({share}); invented: {seen.hidden}"

    def film(self, frames: np.ndarray) -> Video:
        """Return input, observation, result and, where it is known, truth side by side, at the model's frames."""
        columns = [self.clip.frames, self.observation.shown(), frames]
        columns += [] if self.truth is None else [self.truth]
        videos = [Video(column, self.clip.video.fps) for column in columns]
        times = max(1, -(-128 // videos[0].height))
        return Video.side_by_side([video.scale(times) for video in videos], gap=4)


def run_task(
    model: InrvModel,
    video: Video,
    task: Task,
    *,
    config: FitConfig | None = None,
    truth: Video | None = None,
    name: str = "the clip",
    loop: bool = False,
    is_plain: bool = False,
    tick: Callable[[int], object] = lambda n: None,
) -> Result:
    """Fit a clip's code to what a task observes of it.

    Args:
        model: the space.
        video: the clip, of any size and rate; `fit_clip` brings it to the model's.
        task: what is observed.
        config: of the fit.
        truth: the whole clip, where `video` is not it; brought to the model's frames and size alike.
        name: of the clip, for messages.
        loop: repeat a clip that is too short.
        is_plain: draw the model's own pictures; "invert" always does.
        tick: called with 1 after each step of the fit.

    Raises:
        InputError: the clip or the truth has too few frames. ConfigError: see `Task.observe`.
    """
    clip = fit_clip(model, video, name, loop=loop, known=task.known_frames(model.num_frames))
    observation = task.observe(clip, model.height, model.width)
    known = _truth(model, clip, observation, task) if truth is None else None
    if truth is not None:
        known = fit_clip(model, truth, "the truth", loop=loop).frames
    fitted = fit(model, observation, config, tick)
    return Result(task, clip, observation, fitted, known, is_plain or task.name == "invert")


def _truth(model: InrvModel, clip: ModelClip, observation: Observation, task: Task) -> np.ndarray | None:
    """Return the clip's own frames where the task hid a part of them that shows something; else None.

    Under a mask of one's own stands what is to be replaced, so that is no truth.
    """
    if not clip.is_whole or task.hidden is not None or (observation.is_low and is_low(clip)):
        return None
    hidden = clip.frames[~observation.mask] if not observation.is_low else clip.frames.reshape(-1, 3)
    if hidden.size and int(np.ptp(hidden, axis=0).max()) <= _FLAT:
        return None
    return clip.frames


def diversity(results: list[np.ndarray], observation: Observation) -> float:
    """Return the mean absolute difference between two results at hidden pixels, 0 to 255, over all pairs."""
    hidden = ~observation.mask if not observation.is_low else np.ones(results[0].shape[:3], bool)
    pairs = list(itertools.combinations(results, 2))
    if not pairs or not hidden.any():
        return 0.0
    gaps = [np.abs(a[hidden].astype(np.int16) - b[hidden]).mean() for a, b in pairs]
    return float(np.mean(gaps))
