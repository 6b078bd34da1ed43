"""Carrying the paint of key frames to the frames between two of them, after the last one, or before the first one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from moviola.core.config import Config
from moviola.core.errors import ConfigError
from moviola.propagation import choose
from moviola.propagation.blend import blend
from moviola.propagation.carry import Carried, CarryConfig, Offer, Synthesize, carry, guide_error
from moviola.propagation.detail import give_back
from moviola.propagation.flow import FlowFunction, estimator, opencv, warp
from moviola.propagation.own import Own, Paint, fill, follow_light, hurry, missing
from moviola.propagation.spill import Spill

Method = Literal["patch", "warp", "linear"]


class PropagationConfig(Config):
    """How paint is carried.

    Attributes:
        method: "patch" (flow, and guided patch synthesis where flow fails), "warp" (flow alone; fast) or "linear" (a
            cross-fade of the two key frames; a baseline).
        carry: how one key frame's paint is brought to another frame.
        choice: of the detail (the gradients): "soft", both keys by their shares, which is the steadier and truer to
            the scene; "hard", at each pixel one key alone, which is the crisper where the two keys' paint disagrees.
        power: how strongly shares prefer the key that fits; see `moviola.propagation.choose.share`.
        floor: error that does not matter, levels squared.
        spread: side of the square over which errors are averaged before shares are made of them, px.
        keep: how much of the contrast that mixing loses comes back, 0 to 1.
        pull: how strongly the gradient-domain fusion follows the mixed colours, 1/px^2; `moviola.propagation.poisson`.
        steady: share of a frame's detail that is the previous frame's, brought along the motion, 0 to below 1; none
            where motion fails.
        lost: how much both keys lack of what is at a pixel (`moviola.propagation.own.missing`, levels squared) when
            the frame's own paint is taken there, where there is any (`propagate`'s `own`).
        fast: how much more that counts, in parts of it, where something is fast; there nobody sees flicker.
        seed: of patch synthesis.
    """

    method: Method = "patch"
    carry: CarryConfig = CarryConfig()
    choice: Literal["soft", "hard"] = "soft"
    power: float = Field(default=1.0, gt=0)
    floor: float = Field(default=100.0, gt=0)
    spread: int = Field(default=5, ge=1)
    keep: float = Field(default=1.0, ge=0, le=1)
    pull: float = Field(default=0.05, gt=0)
    steady: float = Field(default=0.5, ge=0, lt=1)
    lost: float = Field(default=3200.0, gt=0)
    fast: float = Field(default=150.0, ge=0)
    seed: int = 0


_THIN = 0.25
"""How much what is thin or small counts, beside what is large, where nothing is fast."""


def propagate(
    frames: Sequence[np.ndarray] | np.ndarray,
    painted_a: np.ndarray | None,
    painted_b: np.ndarray | None,
    config: PropagationConfig | None = None,
    *,
    flow: FlowFunction | None = None,
    synthesize: Synthesize | None = None,
    own: Paint | None = None,
    folder: Path | None = None,
) -> Iterator[np.ndarray]:
    """Paint every frame of an interval from the painted key frames at its ends.

    The keys themselves come back as they were given. Without a first key the interval is the head of a clip, without
    a second key its tail. Frames come in order; what was carried from the second key is kept until its frame is due, in
    memory up to a bound (`Spill`), beyond it in a file: memory does not grow with the interval.

    Source: Yang et al. 2023, "Rerender A Video", section 4.2 (propagation from two keys, choice, blending); after
    Jamriska et al. 2019, "Stylizing Video by Example".

    Args:
        frames: plain frames from key A to key B, both included, n times uint8 (H, W, 3), n at least 1.
        painted_a: the first frame, painted, uint8 (H, W, 3); None for a head.
        painted_b: the last frame, painted, uint8 (H, W, 3); None for a tail. With n = 1 only one of the two counts.
        config: settings.
        flow: estimates flow; DIS when not given.
        synthesize: guided patch synthesis, for the method "patch"; `moviola.propagation.synthesis.synthesize` when
            not given.
        own: paints a frame by itself, uint8 (H, W, 3) in and out; used where neither key shows what a frame shows, as
            in fast motion. None where that is not to be had, as of diffusion.
        folder: for the file of what does not fit into memory; None for that of temporary files.

    Yields:
        n painted frames, uint8 (H, W, 3).

    Raises:
        ConfigError: no frame, no painted key, or shapes that differ; raised at the call.
    """
    config = config or PropagationConfig()
    _check(frames, painted_a, painted_b)
    if painted_a is not None and (painted_b is None or len(frames) == 1):
        return _one_sided(frames, painted_a, config, flow, synthesize, own)
    if painted_a is None or painted_b is None:
        assert painted_b is not None
        return _reversed(_one_sided(frames[::-1], painted_b, config, flow, synthesize, own), folder)
    return _two_sided(frames, painted_a, painted_b, config, flow, synthesize, own, folder)


def _reversed(frames: Iterator[np.ndarray], folder: Path | None) -> Iterator[np.ndarray]:
    with Spill(folder) as spill:
        for frame in frames:
            spill.push((frame,))
        while len(spill):
            yield spill.pop()[0]


def _one_sided(
    frames: Sequence[np.ndarray] | np.ndarray,
    painted: np.ndarray,
    config: PropagationConfig,
    flow: FlowFunction | None,
    synthesize: Synthesize | None,
    own: Paint | None,
) -> Iterator[np.ndarray]:
    """Paint frames from the first one alone."""
    if config.method == "linear":
        yield from (painted for _ in frames)
        return
    past = _Past(config, own)
    for frame, carried in zip(frames, _carry(frames, painted, config, flow, synthesize), strict=True):
        yield past.finish(carried, frame, carried.step)


def _two_sided(
    frames: Sequence[np.ndarray] | np.ndarray,
    painted_a: np.ndarray,
    painted_b: np.ndarray,
    config: PropagationConfig,
    flow: FlowFunction | None,
    synthesize: Synthesize | None,
    own: Paint | None,
    folder: Path | None,
) -> Iterator[np.ndarray]:
    """Paint frames from the first and the last one."""
    count = len(frames)
    if config.method == "linear":
        for i in range(count):
            yield cross_fade(painted_a, painted_b, choose.key_weights(i, count)[1])
        return
    yield painted_a
    if count > 2:
        flow = flow or estimator()
        with Spill(folder) as spill:
            for two in _carry(
                frames[:0:-1], painted_b, config, flow, synthesize
            ):  # the last frame to the second
                spill.push((two.paint, two.error, two.plain, two.detail, np.array([two.light])))
            forwards = _carry(frames[:-1], painted_a, config, flow, synthesize)
            past = _Past(config, own)
            past.finish(next(forwards), frames[0], None)
            for i, one in enumerate(forwards, start=1):
                paint, error, plain, detail, light = spill.pop()
                two = Offer(paint, error, plain, detail, float(light[0]))
                yield past.finish(join(one, two, i, count, config), frames[i], one.step)
    yield painted_b


def _carry(
    frames: Sequence[np.ndarray] | np.ndarray,
    painted: np.ndarray,
    config: PropagationConfig,
    flow: FlowFunction | None,
    synthesize: Synthesize | None,
) -> Iterator[Carried]:
    if config.method == "patch" and synthesize is None:
        from moviola.propagation.synthesis import synthesize as ours

        synthesize = ours
    if config.method != "patch":
        synthesize = None
    return carry(
        frames, painted, config.carry, flow=flow or estimator(), synthesize=synthesize, seed=config.seed
    )


def join(one: Offer, two: Offer, index: int, interval: int, config: PropagationConfig) -> Offer:
    """Blend what was carried to one frame from the two keys.

    Args:
        one: from the first key.
        two: from the second key.
        index: the frame, counted from the first key.
        interval: number of frames from key to key, both counted.
        config: settings.
    """
    e1, e2 = (spread(offer.error, config.spread) for offer in (one, two))
    colours = detail = choose.share(e1, e2, index, interval, config.power, config.floor)
    if config.choice == "hard":
        detail = choose.smooth(choose.choose(e1, e2, index, interval))
    paint = blend(one.paint, two.paint, detail, colours, keep=config.keep, pull=config.pull)
    part = colours[..., None]
    return Offer(
        paint.astype(np.float32),
        two.error + colours * (one.error - two.error),
        np.rint(two.plain + part * (one.plain.astype(np.float32) - two.plain)).astype(np.uint8),
        two.detail + colours * (one.detail - two.detail),
        min(one.light, two.light),
    )


class _Past:
    """What frames have in common with the one before: the paint, brought along the motion.

    Args:
        config: settings.
        own: see `propagate`.
    """

    def __init__(self, config: PropagationConfig, own: Paint | None) -> None:
        self.config, self.own = config, own
        self.frame: np.ndarray | None = None
        self.paint: np.ndarray | None = None

    def finish(self, offer: Offer, frame: np.ndarray, step: np.ndarray | None) -> np.ndarray:
        """Steady the paint, give detail back, and take the frame's own paint where and as far as no key has it.

        Args:
            offer: what the keys say.
            frame: plain, uint8 (H, W, 3).
            step: flow to the frame that was finished before, float32 (H, W, 2), px; not read for the first.

        Returns:
            uint8 (H, W, 3).
        """
        config, mine = self.config, None if self.own is None else Own(frame, self.own)
        error = self._error(frame, step)
        paint, detail = offer.paint, offer.detail
        if mine is not None:
            fast = 0.0 if step is None else config.fast * hurry(step)
            missed = missing(frame, offer.plain, _THIN + fast)
            paint, detail = fill(paint, detail, mine, missed, config.lost)
        if error is not None and self.paint is not None and step is not None:
            share = config.steady * np.clip(2 - error / (2 * config.carry.weak), 0, 1)[..., None]
            paint = paint + share * detail_of(warp(self.paint, step, "lanczos").clip(0, 255) - paint)
        self.frame, self.paint = frame, paint
        paint = give_back(paint, detail)
        if mine is not None:
            paint = follow_light(paint, mine, offer.light)
        return np.rint(paint).clip(0, 255).astype(np.uint8)

    def _error(self, frame: np.ndarray, step: np.ndarray | None) -> np.ndarray | None:
        """Return the guide error of the frame before, brought here; None for the first."""
        if self.frame is None or step is None:
            return None
        return guide_error(frame, warp(self.frame, step), self.config.carry.window)


def detail_of(gap: np.ndarray) -> np.ndarray:
    """Return a difference of two frames (H, W, 3) without its mean over 1/12 of the shorter side: tone does not lag."""
    side = 2 * max(1, min(gap.shape[:2]) // 24) + 1
    return gap - opencv().blur(gap, (side, side), borderType=opencv().BORDER_REFLECT)


def spread(error: np.ndarray, side: int) -> np.ndarray:
    """Return the mean of an error map (H, W) over a square of `side` px around each pixel; as it is for 1."""
    cv2 = opencv()
    return cv2.blur(error, (side, side), borderType=cv2.BORDER_REFLECT) if side > 1 else error


def cross_fade(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Return the average of two frames uint8 (H, W, 3) with `share` (0 to 1) of the first."""
    mixed = share * first.astype(np.float32) + (1 - share) * second.astype(np.float32)
    return np.rint(mixed).astype(np.uint8)


def _check(
    frames: Sequence[np.ndarray] | np.ndarray, painted_a: np.ndarray | None, painted_b: np.ndarray | None
) -> None:
    if not len(frames):
        raise ConfigError("an interval has at least one frame")
    if painted_a is None and painted_b is None:
        raise ConfigError("propagation needs a painted key frame at the start or at the end of the interval")
    shape = frames[0].shape
    for what, painted in (("first", painted_a), ("last", painted_b)):
        if painted is not None and (painted.shape != shape or painted.dtype != np.uint8):
            raise ConfigError(
                f"the painted {what} key frame is {painted.dtype} {painted.shape}; its frame is uint8 {shape}"
            )


@dataclass(frozen=True, eq=False)
class Interval:
    """All that one interval needs, so that it can be painted in another process; everything in it can be pickled.

    Attributes:
        frames: see `propagate`.
        painted_a: see `propagate`.
        painted_b: see `propagate`.
        config: settings.
        flow: name of the flow method.
        raft: file with RAFT-small's weights, for the flow "raft".
        device: where "raft" shall run.
        own: see `propagate`.
    """

    frames: np.ndarray
    painted_a: np.ndarray | None
    painted_b: np.ndarray | None
    config: PropagationConfig
    flow: str = "dis"
    raft: Path | None = None
    device: str = "cpu"
    own: Paint | None = None


def paint_interval(interval: Interval) -> np.ndarray:
    """Paint one interval: a function of its argument alone, uint8 (n, H, W, 3); raises as `propagate` does."""
    estimate: Callable[[np.ndarray, np.ndarray], np.ndarray] = estimator(
        interval.flow, interval.raft, interval.device
    )
    painted = propagate(
        interval.frames,
        interval.painted_a,
        interval.painted_b,
        interval.config,
        flow=estimate,
        own=interval.own,
    )
    return np.stack(list(painted))
