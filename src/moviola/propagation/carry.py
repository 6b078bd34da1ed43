"""Bringing the paint of one key frame to the frames that follow it (or, in reverse order, come before it)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from pydantic import Field

from moviola.core.config import Config
from moviola.propagation.flow import FlowFunction, compose, opencv, warp
from moviola.propagation.guides import (
    Guides,
    field_from_positions,
    move_field,
    positions,
    source_guides,
    target_guides,
)
from moviola.propagation.synthesis import Synthesis, SynthesisConfig


class Synthesize(Protocol):
    """The signature of `moviola.propagation.synthesis.synthesize`, as far as it is used here."""

    def __call__(
        self,
        source: Guides,
        style: np.ndarray,
        target: Guides,
        config: SynthesisConfig,
        *,
        start: Any,
        where: np.ndarray,
        seed: int,
    ) -> Synthesis:
        """Paint the target after the example of the source and its style."""
        ...


class CarryConfig(Config):
    """How one key frame's paint is brought to another frame.

    Attributes:
        window: side of the square over which the guide error is averaged, px.
        refine: estimate what flow is left after warping and add it; costs two more estimates a frame.
        hold: another flow takes the chained one's place at a pixel only where its guide error is lower by this part;
            without it pixels hop between flows from frame to frame, which flickers.
        noise: and by this much more, levels squared.
        reach: frames up to which flow straight from the frame to its key is tried beside the chained one; 0 never.
        weak: guide error, levels squared, above which the flow is taken to have failed at a pixel.
        better: paint from patch synthesis is taken at a failed pixel when its guide error is below this part of the
            flow's.
        least: part of the frame that must have failed before patch synthesis is run.
        synthesis: settings of guided patch synthesis.
    """

    window: int = Field(default=5, ge=1)
    refine: bool = True
    hold: float = Field(default=0.3, ge=0, le=1)
    noise: float = Field(default=4.0, ge=0)
    reach: int = Field(default=40, ge=0)
    weak: float = Field(default=100.0, ge=0)
    better: float = Field(default=0.5, ge=0, le=1)
    least: float = Field(default=0.0005, ge=0, le=1)
    synthesis: SynthesisConfig = SynthesisConfig()


@dataclass(frozen=True, eq=False)
class Carried:
    """What one key frame says about a frame.

    Attributes:
        paint: float32 (H, W, 3), 0 to 255; not rounded, for rounding twice is noise that a still scene shows.
        error: guide error, float32 (H, W), levels squared: how unlike the plain frame the plain key is there.
        flow: from the frame to the key, float32 (H, W, 2), px.
        synthesised: bool (H, W), where patch synthesis painted.
    """

    paint: np.ndarray
    error: np.ndarray
    flow: np.ndarray
    synthesised: np.ndarray


def carry(
    frames: Sequence[np.ndarray] | np.ndarray,
    painted: np.ndarray,
    config: CarryConfig | None = None,
    *,
    flow: FlowFunction,
    synthesize: Synthesize | None = None,
    seed: int = 0,
) -> Iterator[Carried]:
    """Bring the paint of the first frame to every frame, one after the other; memory is that of a frame.

    For each frame several flows to the key are tried: the one chained from frame to frame, the one estimated directly,
    and both with what flow is left after warping added. Each pixel keeps the chained one unless another brings the
    plain key frame clearly nearer to the plain frame around it (the guide error); the chain goes on from that. Where
    even that fails (what was hidden in the key frame appears), paint comes from guided patch synthesis, begun from the
    flow and from the previous frame's field.

    Args:
        frames: plain frames, the key first, n times uint8 (H, W, 3).
        painted: the key, painted, uint8 (H, W, 3).
        config: settings.
        flow: estimates flow: `moviola.propagation.flow.estimator`.
        synthesize: guided patch synthesis; None leaves the flow's paint everywhere.
        seed: of patch synthesis; each frame has its own, made from it.

    Yields:
        n times `Carried`; the first is the key itself.
    """
    config = config or CarryConfig()
    key = frames[0]
    height, width = key.shape[:2]
    nothing = np.zeros((height, width), np.float32)
    last = Carried(painted.astype(np.float32), nothing, np.zeros((height, width, 2), np.float32), nothing > 0)
    patches = _Patches(key, painted, config, synthesize, seed) if synthesize else None
    yield last
    for i in range(1, len(frames)):
        step = flow(frames[i], frames[i - 1])
        best = best_flow(frames[i], key, last.flow, step, i <= config.reach, config, flow)
        last = _paint(frames[i], key, painted, best, config)
        if patches is not None:
            last = patches.mend(frames[i], last, step, i)
        yield last


def best_flow(
    frame: np.ndarray,
    key: np.ndarray,
    before: np.ndarray,
    step: np.ndarray,
    direct: bool,
    config: CarryConfig,
    flow: FlowFunction,
) -> np.ndarray:
    """Return the flow from a frame to its key, the chained one or a clearly better one a pixel, float32 (H, W, 2), px.

    Args:
        frame: uint8 (H, W, 3).
        key: uint8 (H, W, 3).
        before: flow from the previous frame to the key, float32 (H, W, 2), px.
        step: flow from the frame to the previous one, float32 (H, W, 2), px.
        direct: try the flow estimated between the two as well.
        config: settings.
        flow: estimates flow.
    """
    chained = compose(step, before)
    tried = [chained]
    if direct:
        tried.append(flow(frame, key))
    if config.refine:
        tried += [compose(flow(frame, warp(key, found)), found) for found in tried]
    best, least = tried[0], guide_error(frame, warp(key, tried[0]), config.window)
    for found in tried[1:]:
        error = guide_error(frame, warp(key, found), config.window)
        better = error < (1 - config.hold) * least - config.noise
        best = np.where(better[..., None], found, best)
        least = np.where(better, error, least)
    return best


def guide_error(frame: np.ndarray, other: np.ndarray, window: int) -> np.ndarray:
    """Return the mean squared difference of two frames over channels and a window, float32 (H, W), levels squared.

    Args:
        frame: uint8 (H, W, 3).
        other: uint8 (H, W, 3).
        window: side of the square around each pixel, px.
    """
    cv2 = opencv()
    gap = cv2.absdiff(frame, other).astype(np.float32)
    return cv2.blur(np.einsum("yxc,yxc->yx", gap, gap) / 3, (window, window), borderType=cv2.BORDER_REFLECT)


def _paint(
    frame: np.ndarray, key: np.ndarray, painted: np.ndarray, flow: np.ndarray, config: CarryConfig
) -> Carried:
    """Warp the paint along a flow to the key."""
    error = guide_error(frame, warp(key, flow), config.window)
    paint = warp(painted.astype(np.float32), flow, "bicubic").clip(0, 255)
    return Carried(paint, error, flow, np.zeros(error.shape, bool))


class _Patches:
    """Patch synthesis from one key, frame after frame."""

    def __init__(
        self, key: np.ndarray, painted: np.ndarray, config: CarryConfig, synthesize: Synthesize, seed: int
    ) -> None:
        self.key, self.style, self.config = key, painted, config
        self.synthesize, self.seed = synthesize, seed
        self.source = source_guides(key)
        self.field: np.ndarray | None = None
        self.before = painted.astype(np.float32)

    def mend(self, frame: np.ndarray, carried: Carried, step: np.ndarray, index: int) -> Carried:
        """Return `carried` with paint from patch synthesis where flow failed.

        Args:
            frame: plain, uint8 (H, W, 3).
            carried: what flow gives.
            step: flow from this frame to the previous one, float32 (H, W, 2), px.
            index: of the frame, for the seed.
        """
        failed = carried.error > self.config.weak
        if failed.mean() <= self.config.least:
            self.before, self.field = carried.paint, None
            return carried
        height, width = self.key.shape[:2]
        starts = [field_from_positions(positions(carried.flow), height, width)]
        if self.field is not None:
            starts.append(move_field(self.field, step))
        before = np.rint(warp(self.before, step)).astype(np.uint8)
        target = target_guides(frame, flow=carried.flow, visible=~failed, temporal=before)
        found = self.synthesize(
            self.source,
            self.style,
            target,
            self.config.synthesis,
            start=starts,
            where=failed,
            seed=self.seed + index,
        )
        self.field = found.field
        mended = self._merge(frame, carried, found, failed)
        self.before = mended.paint
        return mended

    def _merge(self, frame: np.ndarray, carried: Carried, found: Synthesis, failed: np.ndarray) -> Carried:
        """Take the synthesised paint where flow failed and the synthesis fits much better, with soft borders."""
        cv2 = opencv()
        fit = self.key[found.field[..., 1], found.field[..., 0]]
        error = guide_error(frame, fit, self.config.window)
        taken = failed & (error < self.config.better * carried.error)
        soft = cv2.GaussianBlur(taken.astype(np.float32), (0, 0), 1.0)[..., None]
        paint = carried.paint + soft * (found.frame - carried.paint)
        error = np.where(taken, error, carried.error)
        return Carried(paint, error, carried.flow, taken)
