"""Guided patch synthesis: repaint a frame after the example of one painted key frame.

From coarse to fine, turn by turn: find for every patch of the frame the most alike patch of the key (guides and paint
so far), then let all patches that overlap a pixel vote on its paint.

Source: Jamriska et al. 2019, "Stylizing Video by Example", section 3.2; Fiser et al. 2016, "StyLit", section 4; the
weights of the guides are those of Rerender-A-Video (Yang et al. 2023). `moviola.propagation.patchmatch` finds patches.
Ours: starting from flow, the exact positional guide, and reading the key's paint between pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field, field_validator

from moviola.core.config import Config
from moviola.core.errors import ConfigError
from moviola.core.seeds import derive, numpy_generator
from moviola.propagation.flow import opencv
from moviola.propagation.guides import Guides, box_mean, field_from_positions, grid, halve, picture
from moviola.propagation.matching import Backend, matcher
from moviola.propagation.patchmatch import CHANNELS, PAINT, Matcher, Problem, features, frame_around

LEVELS_OF_POSITION = 255.0  # the positional guide runs over as many levels as a picture does


class SynthesisConfig(Config):
    """Settings of guided patch synthesis. Weights count per guide, whatever its channels; levels are 0 .. 255.

    Attributes:
        patch: side of a patch in pixels, odd.
        levels: most levels of the pyramid, each half the size of the one below; fewer where the frame is small.
        votes: turns of searching and voting on each level.
        searches: passes of the search in each turn.
        radius: random search around the best match, px of the level (on the coarsest it is the whole picture).
        style: weight of the paint so far, which holds neighbouring patches together.
        colour, edge, temporal, position: weights of the guides; the positional guide is measured so that the frame's
            longer side is 255 levels.
        uniformity: cost, in levels squared, of paint that is used as often as all paint is in the mean; it keeps
            one patch of the key from being used everywhere.
        sharpness: how much more a patch that fits well says in a vote than one that does not; 0 is a plain mean.
        subpixel: read the key's paint between pixels where the match agrees with `position`.
        backend: "numba" (CPU), "torch", or "auto".
        device: for "torch".
    """

    patch: int = Field(default=5, ge=1, le=33)
    levels: int = Field(default=6, ge=1)
    votes: int = Field(default=3, ge=1)
    searches: int = Field(default=3, ge=1)
    radius: int = Field(default=8, ge=0)
    style: float = Field(default=1.0, ge=0)
    colour: float = Field(default=6.0, ge=0)
    edge: float = Field(default=0.5, ge=0)
    temporal: float = Field(default=0.5, ge=0)
    position: float = Field(default=2.0, ge=0)
    uniformity: float = Field(default=0.0, ge=0)
    sharpness: float = Field(default=2.0, ge=0, le=16)
    subpixel: bool = True
    backend: Backend = "auto"
    device: str = "cpu"

    @field_validator("patch")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("a patch has a middle pixel, so its side is odd")
        return value


@dataclass(frozen=True, eq=False)
class Synthesis:
    """A painted frame and where its paint comes from.

    Attributes:
        frame: uint8 (H, W, 3).
        field: nearest-neighbour field, int32 (H, W, 2): the (x, y) in the key frame of each pixel's patch.
        error: how badly each pixel's patch fits, float32 (H, W), >= 0: weighted mean squared difference of guides
            and paint over the patch, in levels squared. Comparable between keys of one size under one config.
    """

    frame: np.ndarray
    field: np.ndarray
    error: np.ndarray


@dataclass(frozen=True, eq=False)
class _Level:
    """Everything at one size: features unweighted, `position` and `trust` as in `Guides`, lengths in px of it.

    `active` is where matches are sought, bool (H, W), None everywhere.
    """

    source: np.ndarray
    target: np.ndarray
    temporal: np.ndarray | None
    position: np.ndarray | None
    trust: np.ndarray
    starts: list[np.ndarray]
    active: np.ndarray | None


def synthesize(
    source: Guides,
    style: np.ndarray,
    target: Guides,
    config: SynthesisConfig | None = None,
    *,
    start: np.ndarray | Sequence[np.ndarray] | None = None,
    where: np.ndarray | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> Synthesis:
    """Paint the target frame with patches of a painted key frame.

    Args:
        source: guides of the key frame (`moviola.propagation.guides.source_guides`), h x w pixels.
        style: the painted key frame, uint8 (h, w, 3).
        target: guides of the frame to paint (`target_guides`), H x W pixels.
        config: settings; None is the defaults.
        start: field or fields to begin with, (H, W, 2), places in the key frame, px: of each the better match is
            taken, pixel by pixel, on every level. `target.position` is always among them.
        where: pixels whose paint is wanted, bool (H, W): matches are sought there and a little around, which is the
            faster the fewer they are. Elsewhere the first start field stays, the paint follows from it, and the error
            says nothing. None is everywhere.
        seed: of the random search. The same seed gives the same bytes, with any number of threads.
        threads: of the Numba search; None is one a core. Give 1 where frames are already spread over processes.

    Returns:
        the painted frame, the field and the error.

    Raises:
        ConfigError: arrays that do not fit each other, or `where` without a start.
        UnknownNameError, InputError: see `patchmatch.matcher`.
    """
    config = config or SynthesisConfig()
    _check(source, style, target)
    starts = _starts(start, source, target)
    if where is not None and (where.shape != target.size or not starts):
        raise ConfigError(
            f"where is {where.shape}; it must be {target.size}, with a start field or a position"
        )
    levels = _pyramid(source, style, target, starts, where, config)
    field = _first_field(levels[-1], config, seed, threads)
    for depth in reversed(range(len(levels))):
        level = levels[depth]
        if depth < len(levels) - 1:
            field = _finer(field, level)
        search, problem, paint = _solve(level, field, config, derive(seed, depth), threads)
        field = search.field
    error = _error(levels[0], problem, search.cost, paint, config)
    paint = _between(levels[0], search, paint, config)
    return Synthesis((paint + 0.5).clip(0, 255).astype(np.uint8), field, error)


def _check(source: Guides, style: np.ndarray, target: Guides) -> None:
    picture("the painted key frame", style)
    if style.shape[:2] != source.size:
        raise ConfigError(
            f"the painted key frame is {style.shape[1]}x{style.shape[0]} and the key frame "
            f"{source.size[1]}x{source.size[0]}; they must have one size"
        )
    if (source.edge is None) != (target.edge is None):
        raise ConfigError("give the edge guide for the key frame and for the target, or for neither")


def _starts(
    start: np.ndarray | Sequence[np.ndarray] | None, source: Guides, target: Guides
) -> list[np.ndarray]:
    fields = [start] if isinstance(start, np.ndarray) else list(start or [])
    for field in fields:
        if field.shape != (*target.size, 2):
            raise ConfigError(f"a start field has shape {(*target.size, 2)}, not {tuple(field.shape)}")
    if target.position is not None:
        fields.append(target.position)
    return [field_from_positions(field, *source.size) for field in fields]


def _pyramid(
    source: Guides,
    style: np.ndarray,
    target: Guides,
    starts: list[np.ndarray],
    where: np.ndarray | None,
    config: SynthesisConfig,
) -> list[_Level]:
    """All levels, the finest first; the coarsest is at least four patches high and wide, or there is only one."""
    trust = np.ones(target.size, np.float32) if target.trust is None else target.trust.astype(np.float32)
    position = target.position
    if position is not None:
        trust = np.where(np.isfinite(position).all(-1), trust, 0).astype(np.float32)
        position = np.nan_to_num(position.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    levels = [
        _Level(
            features(style, source.colour, source.edge),
            features(None, target.colour, target.edge),
            None if target.temporal is None else target.temporal.astype(np.float32),
            position,
            trust,
            starts,
            None if where is None else _widened(where, 2 * config.patch),
        )
    ]
    while len(levels) < config.levels and min(*source.size, *target.size) >> len(levels) >= 4 * config.patch:
        levels.append(_coarser(levels[-1], config))
    return levels


def _widened(mask: np.ndarray, reach: int) -> np.ndarray:
    """Return where a mask (H, W) is set within `reach` px, rows and columns each."""
    side = 2 * reach + 1
    return opencv().dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def _coarser(level: _Level, config: SynthesisConfig) -> _Level:
    trust, position = halve(level.trust), level.position
    if position is not None:
        share = np.maximum(trust, 1e-6)[..., None]
        trusted = halve(position * level.trust[..., None]) / share
        position = (np.where(trust[..., None] > 0, trusted, halve(position)) - 0.5) / 2
    return _Level(
        halve(level.source),
        halve(level.target),
        None if level.temporal is None else halve(level.temporal),
        position,
        trust,
        [field[::2, ::2] // 2 for field in level.starts],
        None if level.active is None else _widened(halve(level.active.astype(np.float32)) > 0, config.patch),
    )


def _finer(field: np.ndarray, level: _Level) -> np.ndarray:
    """Bring the field of the next coarser level to `level`."""
    height, width = level.target.shape[:2]
    large = 2 * field.repeat(2, axis=0).repeat(2, axis=1)[:height, :width] + grid(height, width) % 2
    last = np.array([level.source.shape[1] - 1, level.source.shape[0] - 1])
    finer = np.minimum(large, last).astype(np.int32)
    return finer if level.active is None else np.where(level.active[..., None], finer, level.starts[0])


def _first_field(level: _Level, config: SynthesisConfig, seed: int, threads: int | None) -> np.ndarray:
    """Match by the guides alone on the coarsest level, from the first start field or from random places."""
    height, width = level.source.shape[:2]
    if level.starts:
        field = level.starts[0]
    else:
        draws = numpy_generator(seed, "first field").random((*level.target.shape[:2], 2))
        field = np.floor(draws * [width, height]).astype(np.int32)
    search = matcher(_problem(level, config, painted=False), field, config.backend, config.device, threads)
    for start in level.starts[1:]:
        search.offer(start)
    for number in range(2 * config.searches):
        search.improve(max(height, width), derive(seed, "first", number), number)
    return search.field


def _problem(level: _Level, config: SynthesisConfig, painted: bool) -> Problem:
    """The matching problem of a level, with or without the paint."""
    temporal = config.temporal if level.temporal is not None else 0.0
    scale = np.sqrt((config.style + temporal) / 3) if painted else 0.0
    factors = np.zeros(CHANNELS)
    factors[PAINT], factors[3:6], factors[6] = scale, np.sqrt(config.colour / 3), np.sqrt(config.edge)
    memory = None
    if level.temporal is not None and temporal:
        share = temporal * level.trust
        memory = (level.temporal, (share / np.maximum(config.style + share, 1e-9))[..., None])
    centre, pull = _positional(level, config)
    return Problem(
        source=frame_around(level.source, factors, config.patch),
        target=frame_around(level.target, factors, config.patch),
        style=np.ascontiguousarray(level.source[..., PAINT]),
        centre=centre,
        pull=pull,
        patch=config.patch,
        scale=float(scale),
        memory=memory,
        uniformity=config.uniformity * config.patch**2,
        active=level.active,
    )


def _positional(level: _Level, config: SynthesisConfig) -> tuple[np.ndarray, np.ndarray]:
    """The positional guide as `Problem.centre` and `Problem.pull`."""
    height, width = level.target.shape[:2]
    if level.position is None or not config.position:
        return np.zeros((height, width, 2), np.float32), np.zeros((height, width), np.float32)
    places = grid(height, width)
    share = box_mean(level.trust, config.patch)
    shift = box_mean((level.position - places) * level.trust[..., None], config.patch)
    centre = places + shift / np.maximum(share, 1e-6)[..., None]
    return centre.astype(np.float32), (_per_pixel(level, config) * config.patch**2 * share).astype(np.float32)


def _per_pixel(level: _Level, config: SynthesisConfig) -> float:
    """Cost of being one pixel of this level away from where the positional guide points."""
    longest = max(level.source.shape[:2])
    return config.position / 2 * (LEVELS_OF_POSITION / longest) ** 2


def _solve(
    level: _Level, field: np.ndarray, config: SynthesisConfig, seed: int, threads: int | None
) -> tuple[Matcher, Problem, np.ndarray]:
    """Search and vote in turn on one level; return the matcher, its problem and the last vote."""
    problem = _problem(level, config, painted=True)
    search = matcher(problem, field, config.backend, config.device, threads)
    paint = search.vote(np.ones(field.shape[:2], np.float32), problem.style)
    search.repaint(paint)
    for start in level.starts:
        search.offer(start)
    for turn in range(config.votes):
        for number in range(config.searches):
            search.improve(config.radius, derive(seed, turn, number), number)
        paint = search.vote(_voices(search.cost, level, config), problem.style, paint)
        search.repaint(paint)
    return search, problem, paint


def _voices(cost: np.ndarray, level: _Level, config: SynthesisConfig) -> np.ndarray:
    """How much each patch says in the vote: less the worse it fits, beside the mean of its picture."""
    if not config.sharpness:
        return np.ones_like(cost)
    sought = cost if level.active is None else cost[level.active]
    mean = float(sought.mean(dtype=np.float64)) + 1e-6 if sought.size else 1.0
    return np.maximum((1 + cost / mean) ** -config.sharpness, 1e-6).astype(np.float32)


def _between(level: _Level, search: Matcher, paint: np.ndarray, config: SynthesisConfig) -> np.ndarray:
    """Read the key between its pixels where the match is the position's and that fits the target's colour better."""
    import torch

    from moviola.nn.warp import sample

    if not config.subpixel or level.position is None:
        return paint
    places = torch.from_numpy(level.position).permute(2, 0, 1)[None]
    images = torch.from_numpy(np.ascontiguousarray(level.source[..., :6])).permute(2, 0, 1)[None]
    exact = sample(images, places, kernel="bicubic")[0].permute(1, 2, 0).numpy()
    colour = level.target[..., 3:6]
    voted = search.vote(_voices(search.cost, level, config), np.ascontiguousarray(level.source[..., 3:6]))
    gain = ((voted - colour) ** 2).sum(-1) - ((exact[..., 3:] - colour) ** 2).sum(-1)
    better = (box_mean(gain, config.patch) >= 0) & (np.abs(level.position - search.field).max(-1) < 1)
    return np.where(better[..., None], exact[..., :3], paint)


def _error(
    level: _Level, problem: Problem, cost: np.ndarray, paint: np.ndarray, config: SynthesisConfig
) -> np.ndarray:
    """Costs with the constants that the search leaves out, over the patch's pixels and the sum of the weights."""
    mean, weights = cost.astype(np.float64) / config.patch**2, config.style + config.colour + config.edge
    if level.position is not None:
        flow = level.position - grid(*cost.shape)
        squared = box_mean((flow**2).sum(-1) * level.trust, config.patch)
        shift = problem.centre - grid(*cost.shape)
        share = box_mean(level.trust, config.patch)
        spread = np.maximum(squared - share * (shift.astype(np.float64) ** 2).sum(-1), 0)
        mean, weights = mean + _per_pixel(level, config) * spread, weights + config.position
    if level.temporal is not None:
        both = config.style * config.temporal * level.trust
        weight = both / np.maximum(config.style + config.temporal * level.trust, 1e-9) / 3
        gap = ((level.temporal - paint) ** 2).sum(-1)
        mean, weights = mean + box_mean(weight * gap, config.patch), weights + config.temporal
    return (mean / max(weights, 1e-9)).astype(np.float32)
