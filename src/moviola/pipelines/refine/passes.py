"""Passes over a stream of frames, and chains of them, in memory that does not grow.

A pass: corrupt the window (where asked), the network, put known pixels back (where asked), fade windows and tiles
together, round to bytes. Windows lie within one shot. The bytes are what the next pass starts from, so two passes are
one pass twice, bit for bit.
Source: REGIS, "iterative refinement": each pass re-masks the output of the one before and mends it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import ConfigError, WeightsError
from moviola.core.progress import Tick
from moviola.core.ranges import from_network, to_network
from moviola.core.seeds import numpy_generator
from moviola.models.protocols import Condition
from moviola.pipelines.refine.memory import check_memory
from moviola.pipelines.refine.settings import Plan
from moviola.pipelines.refine.shots import Shots, cut_shots
from moviola.pipelines.refine.tiles import Layout, grow, make_layout, map_tiles, shrink, shrink_mask
from moviola.pipelines.refine.windows import Window, join

PIECE = 16
"""Frames in the pieces that videos are read and kept in."""


def notes_on(plan: Plan, frames: int, height: int, width: int) -> list[str]:
    """Say what has to be done to a video because of its length and size (px), a sentence each."""
    if plan.settings.iterations == 0:
        return ["0 passes were asked for: the output is a copy of the input"]
    notes = [make_layout(height, width, plan.sizes, plan.settings.size).note]
    if frames < plan.sizes.frames:
        notes.append(
            f"the video's {frames} frames are fewer than a window of {plan.sizes.frames}; "
            "it was continued backwards and cut back"
        )
    return [note for note in notes if note]


def chain(
    pieces: Iterable[np.ndarray], plan: Plan, tick: Tick | None = None, iterations: int | None = None
) -> Iterator[np.ndarray]:
    """Return the frames after all passes; each pass pulls from the one before as much as it needs.

    Args:
        pieces: uint8 (T, H, W, 3) that follow each other.
        plan: what to do. tick: called with the number of frames that a pass has finished.
        iterations: passes; None for those of the plan.
    """
    count = plan.settings.iterations if iterations is None else iterations
    if not isinstance(count, int):
        raise ConfigError("iterations is auto, which cannot be made piece by piece; give a whole number")
    frames, shots = iter(pieces), Shots()
    for number in range(count):
        frames = one_pass(frames, plan, number, tick, shots)
    return frames


def one_pass(
    pieces: Iterable[np.ndarray],
    plan: Plan,
    number: int,
    tick: Tick | None = None,
    shots: Shots | None = None,
) -> Iterator[np.ndarray]:
    """Make one pass.

    Args:
        pieces: uint8 (T, H, W, 3) that follow each other.
        plan: what to do.
        number: of the pass, from 0; it decides the corruption alone.
        tick: called with the number of finished frames.
        shots: where the video is cut, the same for all its passes from number 0 on; None to look for cuts in this one.

    Yields:
        uint8 (T, H, W, 3), as many frames altogether.

    Raises:
        WeightsError: the network gives another shape, or values that are not finite.
    """
    divided = Shots().divide(pieces) if shots is None else shots.divide(pieces, first=number == 0)
    for values in join(_refined_windows(divided, plan, number), plan.overlap):
        frames = np.ascontiguousarray(from_network(values).numpy())
        yield frames
        if tick is not None:
            tick(len(frames))


def _refined_windows(
    pieces: Iterable[tuple[int, np.ndarray]], plan: Plan, number: int
) -> Iterator[tuple[Window, Tensor]]:
    windows = cut_shots(pieces, plan.sizes.frames, plan.overlap)
    while (first := next(windows, None)) is not None:
        height, width = first.frames.shape[1:3]
        layout = make_layout(height, width, plan.sizes, plan.settings.size)
        if first.index == 0:
            check_memory(plan, layout, partial(_one, plan))
        # windows of one small tile go to the network together; where a window is many tiles, these fill the batch
        small = layout.single and layout.tile == (plan.sizes.size, plan.sizes.size)
        group = [first, *islice(windows, plan.settings.batch - 1 if small else 0)]
        yield from zip(group, _refined(group, plan, layout, number), strict=True)


def _refined(group: Sequence[Window], plan: Plan, layout: Layout, number: int) -> list[Tensor]:
    """Return what becomes of windows of one size, each float32 (T, 3, H, W) on the CPU."""
    flawed = [_corrupted(window, plan, number) for window in group]
    clips = [shrink(frames, layout) for frames, _ in flawed]
    masks = [shrink_mask(mask, layout) for _, mask in flawed if mask is not None] or None
    made = map_tiles(clips, masks, layout, lambda tiles, covered: _apply(plan, tiles, covered))
    refined = [grow(values, layout) for values in made]
    if not plan.settings.keep_known:
        return refined
    out = []
    for window, values, (_, mask) in zip(group, refined, flawed, strict=True):
        assert mask is not None  # keep_known without a corruption is refused
        known = to_network(torch.from_numpy(np.ascontiguousarray(window.frames)))
        out.append(torch.where(torch.from_numpy(mask)[:, None], values, known))
    return out


def _corrupted(window: Window, plan: Plan, number: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the window's frames as the network gets them, and where they are corrupted."""
    if plan.corrupt is None:
        return window.frames, None
    stage = plan.settings.seed + number
    return plan.corrupt(window.frames, stage, numpy_generator(stage, "refine", window.index))


def _apply(plan: Plan, tiles: Tensor, masks: Tensor | None) -> Tensor:
    """Run the network over clips (N, T, 3, H, W), a batch at a time."""
    out, batch = torch.empty_like(tiles), plan.settings.batch
    with torch.inference_mode():
        for start in range(0, len(tiles), batch):
            part = tiles[start : start + batch].to(plan.device)
            mask = None if masks is None else masks[start : start + batch].to(plan.device)
            made = plan.refiner.refine(part, mask, _repeated(plan.condition, len(part), plan.device))
            _check(made, part, plan)
            out[start : start + batch] = made.float().clamp(-1, 1).cpu()
    return out


def _one(plan: Plan, clip: Tensor) -> Tensor:
    """Run the network over one clip (1, T, 3, H, W) that is on its device."""
    return plan.refiner.refine(clip, None, _repeated(plan.condition, 1, plan.device))


def _check(made: Tensor, given: Tensor, plan: Plan) -> None:
    if made.shape != given.shape:
        raise WeightsError(f"{plan.sizes.family} gave {tuple(made.shape)} for a clip {tuple(given.shape)}")
    if not bool(made.isfinite().all()):
        raise WeightsError(f"{plan.sizes.family} gives values that are not finite; its weights are damaged")


def _repeated(condition: Condition | None, count: int, device: torch.device) -> Condition | None:
    if condition is None:
        return None
    label, tokens = condition.label, condition.tokens
    return Condition(
        None if label is None else label.expand(count).to(device),
        None if tokens is None else tokens.expand(count, -1).to(device),
    )
