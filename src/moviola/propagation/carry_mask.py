"""Masks of a few frames carried to all others along the motion, as paint is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from moviola.core.errors import ConfigError
from moviola.propagation import choose
from moviola.propagation.carry import CarryConfig, carry
from moviola.propagation.flow import FlowFunction, warp
from moviola.propagation.propagate import spread
from moviola.propagation.spill import Spill

_SPREAD = 5  # px, side of the square over which errors are averaged before shares are made of them


def carry_mask(
    frames: Sequence[np.ndarray] | np.ndarray,
    first: np.ndarray | None,
    last: np.ndarray | None,
    flow: FlowFunction,
    config: CarryConfig | None = None,
    folder: Path | None = None,
) -> Iterator[np.ndarray]:
    """Carry the masks of the frames at the ends of an interval to those between, or to one side.

    The masks given come back as they are. Each is brought along the flow that `moviola.propagation.carry.carry` finds;
    of two, each pixel is mixed by how well the key frames fit the frame there (`moviola.propagation.choose.share`).
    What was carried from the second one is kept until its frame is due, beyond a bound in a file.

    Args:
        frames: plain frames, the keys at the ends included, n times uint8 (H, W, 3), n at least 1.
        first: mask of the first frame, uint8 (H, W); None where only the last one has a mask.
        last: mask of the last frame; None where only the first one has one.
        flow: estimates flow. config: how keys are brought to frames. folder: for the file.

    Yields:
        n masks, uint8 (H, W).

    Raises:
        ConfigError: no mask at all.
    """
    config = config or CarryConfig()
    if first is None and last is None:
        raise ConfigError("masks are carried from the first or the last frame of an interval")
    forwards = None if first is None else _carried(frames, first, flow, config)
    if last is None or len(frames) == 1:
        assert forwards is not None or last is not None
        yield from (_levels(mask) for mask, _ in forwards or _carried(frames, last, flow, config))  # type: ignore[arg-type]
        return
    with Spill(folder) as spill:
        for mask in _carried(frames[::-1], last, flow, config):
            spill.push(mask)
        if forwards is None:
            while len(spill):
                yield _levels(spill.pop()[0])
            return
        for i, one in enumerate(forwards):
            yield _join(one, spill.pop(), i, len(frames))


def _carried(
    frames: Sequence[np.ndarray] | np.ndarray, mask: np.ndarray, flow: FlowFunction, config: CarryConfig
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give for every frame the mask of the first one, float32 (H, W), 0 to 255, and the guide error, float32 (H, W)."""
    levels = mask.astype(np.float32)
    for carried in carry(frames, np.repeat(mask[..., None], 3, -1), config, flow=flow):
        yield warp(levels, carried.flow), carried.error


def _join(one: tuple[np.ndarray, ...], two: tuple[np.ndarray, ...], index: int, interval: int) -> np.ndarray:
    """Return the mix of a mask that was carried from both ends to a frame, uint8 (H, W)."""
    e1, e2 = (spread(side[1], _SPREAD) for side in (one, two))
    share = choose.share(e1, e2, index, interval)
    return _levels(two[0] + share * (one[0] - two[0]))


def _levels(mask: np.ndarray) -> np.ndarray:
    return np.rint(mask).clip(0, 255).astype(np.uint8)
