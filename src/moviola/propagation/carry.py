"""Bringing the paint of one key frame to the frames that follow it (or, in reverse order, come before it)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from pydantic import Field

from moviola.core.config import Config
from moviola.propagation.detail import energy
from moviola.propagation.exposure import change, lit, match
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
        reach: frames up to which flow straight from the frame to its key is tried beside the chained one; 0 never. It
            finds more in fast motion, costs as much again, and what is found in one frame and not in the next flickers.
        weak: guide error, levels squared, above which the flow is taken to have failed at a pixel.
        better: paint from patch synthesis is taken at a failed pixel when its guide error is below this part of the
            flow's.
        least: part of the frame that must have failed before patch synthesis is run.
        synthesis: settings of guided patch synthesis.
    """

    window: int = Field(default=5, ge=1)
    refine: bool = True
    hold: float = Field(default=0.5, ge=0, le=1)
    noise: float = Field(default=25.0, ge=0)
    reach: int = Field(default=0, ge=0)
    weak: float = Field(default=100.0, ge=0)
    better: float = Field(default=0.5, ge=0, le=1)
    least: float = Field(default=0.0005, ge=0, le=1)
    synthesis: SynthesisConfig = SynthesisConfig()


@dataclass(frozen=True, eq=False)
class Offer:
    """What is known of a frame's paint from a key frame.

    Attributes:
        paint: float32 (H, W, 3), 0 to 255; not rounded, for rounding twice is noise that a still scene shows.
        error: guide error, float32 (H, W), levels squared: how unlike the plain frame the plain key is there.
        plain: the plain key, brought here as the paint was and in the frame's light, uint8 (H, W, 3).
        detail: how sharp the key's paint is where it comes from, float32 (H, W): `moviola.propagation.detail.energy`.
        light: how far the light has changed since the key, levels: `moviola.propagation.exposure.change`.
    """

    paint: np.ndarray
    error: np.ndarray
    plain: np.ndarray
    detail: np.ndarray
    light: float


@dataclass(frozen=True, eq=False)
class Carried(Offer):
    """What one key frame says about a frame, and where it comes from.

    Attributes:
        flow: from the frame to the key, float32 (H, W, 2), px.
        step: from the frame to the one before it, float32 (H, W, 2), px.
        synthesised: bool (H, W), where patch synthesis painted.
    """

    flow: np.ndarray
    step: np.ndarray
    synthesised: np.ndarray


@dataclass(frozen=True, eq=False)
class _Key:
    """A key frame: plain, uint8 (H, W, 3), painted, float32 (H, W, 3), and the energy of its paint."""

    plain: np.ndarray
    painted: np.ndarray
    detail: np.ndarray
    light: float = 0.0

    def seen_in(self, frame: np.ndarray, flow: np.ndarray) -> _Key:
        """Return the key in the light of a frame, to which `flow` (H, W, 2) leads."""
        curve = match(frame, warp(self.plain, flow))
        return replace(self, plain=lit(self.plain, curve), light=change(self.plain, curve))


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

    For each frame several flows to the key are tried: the one chained from frame to frame, the one estimated directly
    (`CarryConfig.reach`), and both with what flow is left after warping added. Each pixel keeps the chained one unless
    another brings the plain key frame clearly nearer to the plain frame around it (the guide error); the chain goes on
    from that. Where even that fails (what was hidden in the key frame appears), paint comes from guided patch
    synthesis, begun from the flow and from the previous frame's field. All of this compares the frame with the key in
    the frame's light (`moviola.propagation.exposure`).

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
    paint = painted.astype(np.float32)
    given = _Key(frames[0], paint, energy(paint))
    nothing = np.zeros(paint.shape[:2], np.float32)
    still = np.zeros((*nothing.shape, 2), np.float32)
    last = Carried(paint, nothing, given.plain, given.detail, 0.0, still, still, nothing > 0)
    patches = _Patches(painted, config, synthesize, seed) if synthesize else None
    yield last
    for i in range(1, len(frames)):
        step = flow(frames[i], frames[i - 1])
        key = given.seen_in(frames[i], compose(step, last.flow))
        best = best_flow(frames[i], key.plain, last.flow, step, i <= config.reach, config, flow)
        last = _paint(frames[i], key, best, step, config)
        if patches is not None:
            last = patches.mend(frames[i], key, last, step, i)
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


def _paint(frame: np.ndarray, key: _Key, flow: np.ndarray, step: np.ndarray, config: CarryConfig) -> Carried:
    """Warp the paint along a flow to the key."""
    plain = warp(key.plain, flow)
    error = guide_error(frame, plain, config.window)
    paint = warp(key.painted, flow, "lanczos").clip(0, 255)
    detail = warp(key.detail, flow)
    return Carried(paint, error, plain, detail, key.light, flow, step, np.zeros(error.shape, bool))


class _Patches:
    """Patch synthesis from one key, frame after frame."""

    def __init__(self, painted: np.ndarray, config: CarryConfig, synthesize: Synthesize, seed: int) -> None:
        self.style, self.config = painted, config
        self.synthesize, self.seed = synthesize, seed
        self.source: Guides | None = None
        self.field: np.ndarray | None = None
        self.before = painted.astype(np.float32)

    def mend(self, frame: np.ndarray, key: _Key, carried: Carried, step: np.ndarray, index: int) -> Carried:
        """Return `carried` with paint from patch synthesis where flow failed.

        Args:
            frame: plain, uint8 (H, W, 3).
            key: in the frame's light.
            carried: what flow gives.
            step: flow from this frame to the previous one, float32 (H, W, 2), px.
            index: of the frame, for the seed.
        """
        failed = carried.error > self.config.weak
        if failed.mean() <= self.config.least:
            self.before, self.field = carried.paint, None
            return carried
        height, width = key.plain.shape[:2]
        starts = [field_from_positions(positions(carried.flow), height, width)]
        if self.field is not None:
            starts.append(move_field(self.field, step))
        before = np.rint(warp(self.before, step)).astype(np.uint8)
        target = target_guides(frame, flow=carried.flow, visible=~failed, temporal=before)
        if self.source is None or self.source.colour is not key.plain:
            self.source = source_guides(key.plain)
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
        mended = self._merge(frame, key, carried, found, failed)
        self.before = mended.paint
        return mended

    def _merge(
        self, frame: np.ndarray, key: _Key, carried: Carried, found: Synthesis, failed: np.ndarray
    ) -> Carried:
        """Take the synthesised paint where flow failed and the synthesis fits much better, with soft borders."""
        cv2 = opencv()
        places = (found.field[..., 1], found.field[..., 0])
        fit = key.plain[places]
        error = guide_error(frame, fit, self.config.window)
        taken = failed & (error < self.config.better * carried.error)
        soft = cv2.GaussianBlur(taken.astype(np.float32), (0, 0), 1.0)[..., None]
        return replace(
            carried,
            paint=carried.paint + soft * (found.frame - carried.paint),
            error=np.where(taken, error, carried.error),
            synthesised=taken,
            plain=np.where(taken[..., None], fit, carried.plain),
            detail=np.where(taken, key.detail[places], carried.detail),
        )
