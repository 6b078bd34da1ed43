"""PatchMatch on the CPU, compiled by Numba: see `moviola.propagation.patchmatch` for what is computed.

The target is cut into strips of STRIP rows. Within a strip good matches are handed on from pixel to pixel in scan
order (Barnes et al. 2009, section 3.2); across strips they are read from a copy made before the pass. Random numbers
are a hash of (seed, pixel, draw). So no strip waits for another, and the result does not depend on how many threads
run them. The kernels release Python's lock and are run by a pool of ordinary threads: Numba's own parallel mode would
take seconds more to compile, and its default scheduler ends the process when two threads use it at once.

All kernels are in this one file and call nothing compiled elsewhere, which is what makes keeping the compiled code on
disk safe (Numba checks this file's time and size, and the processor).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from moviola.propagation.patchmatch import CHANNELS, Problem

STRIP = 16
LARGEST = np.float32(3e38)
# sums may be reordered, which is what makes them vector code; infinities and NaN keep their meaning
OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": {"reassoc", "contract", "nsz"}}


def _compiled(function: Callable) -> Callable:
    """Compile a kernel at its first call; the code is kept on disk where Numba finds a folder it can write."""
    try:
        return njit(cache=True, **OPTIONS)(function)
    except RuntimeError:
        return njit(**OPTIONS)(function)


class Match(NamedTuple):
    """What kernels compare: `Problem`'s features as flat arrays, their rows' lengths in pixels, where."""

    source: np.ndarray
    target: np.ndarray
    widths: tuple[int, int]
    patch: int
    centre: np.ndarray
    pull: np.ndarray
    active: np.ndarray


@_compiled
def _difference(
    source: np.ndarray, target: np.ndarray, s: int, t: int, strides: tuple[int, int], patch: int, limit: float
) -> np.float32:
    """Sum of squared differences of two patches that begin at elements `s` and `t`; stops once above `limit`.

    Measured: unsigned indices (no test for negative ones), arrays as arguments of their own and leaving by `return`
    each keep this vector code that runs twice as fast.
    """
    count, one, two = np.uint64(patch * CHANNELS), np.uint64(s), np.uint64(t)
    total = np.float32(0)
    for _ in range(patch):
        line = np.float32(0)
        for k in range(count):
            gap = source[one + k] - target[two + k]
            line += gap * gap
        total += line
        if total >= limit:
            return total
        one += np.uint64(strides[0])
        two += np.uint64(strides[1])
    return total


@_compiled
def _cost(
    source: np.ndarray,
    target: np.ndarray,
    widths: tuple[int, int],
    patch: int,
    centre: np.ndarray,
    pull: np.ndarray,
    y: int,
    x: int,
    sy: int,
    sx: int,
    limit: float,
) -> float:
    """Cost of the source patch at (sx, sy) for the target pixel (x, y), without crowding; stops above `limit`."""
    dx, dy = sx - centre[y, x, 0], sy - centre[y, x, 1]
    far = pull[y, x] * (dx * dx + dy * dy)
    if far >= limit:
        return far
    s, t = (sy * widths[0] + sx) * CHANNELS, (y * widths[1] + x) * CHANNELS
    strides = (widths[0] * CHANNELS, widths[1] * CHANNELS)
    return far + _difference(source, target, s, t, strides, patch, limit - far)


@_compiled
def _measure(match: Match, field: np.ndarray, cost: np.ndarray, top: int, bottom: int) -> None:
    """Write the cost of every active pixel's match, for rows top .. bottom."""
    source, target, widths, patch, centre, pull, active = match
    for y in range(top, bottom):
        for x in range(field.shape[1]):
            if not active[y, x]:
                continue
            sx, sy = np.int64(field[y, x, 0]), np.int64(field[y, x, 1])
            cost[y, x] = _cost(source, target, widths, patch, centre, pull, y, x, sy, sx, LARGEST)


@_compiled
def _offer(
    match: Match,
    field: np.ndarray,
    cost: np.ndarray,
    crowd: np.ndarray,
    offered: np.ndarray,
    top: int,
    bottom: int,
) -> None:
    """Take the offered match wherever it is better, for rows top .. bottom."""
    source, target, widths, patch, centre, pull, active = match
    for y in range(top, bottom):
        for x in range(field.shape[1]):
            if not active[y, x]:
                continue
            sx, sy = np.int64(offered[y, x, 0]), np.int64(offered[y, x, 1])
            best, extra = cost[y, x] + crowd[field[y, x, 1], field[y, x, 0]], crowd[sy, sx]
            new = _cost(source, target, widths, patch, centre, pull, y, x, sy, sx, best - extra)
            if new + extra < best:
                field[y, x, 0], field[y, x, 1], cost[y, x] = sx, sy, new


@_compiled
def _hash(seed: int, y: int, x: int, draw: int) -> np.uint64:
    """64 random bits (the mixing function of SplitMix64, Steele et al. 2014)."""
    z = np.uint64(seed) + (np.uint64(y) << np.uint64(40)) + (np.uint64(x) << np.uint64(16)) + np.uint64(draw)
    z *= np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@_compiled
def _handed_on(
    field: np.ndarray, frozen: np.ndarray, y: int, x: int, ny: int, nx: int, sy: np.int64, sx: np.int64
) -> tuple[np.int64, np.int64]:
    """What the neighbour (nx, ny) says of (x, y): its match, moved along; (sy, sx) if there is no neighbour."""
    if nx < 0 or nx >= field.shape[1] or ny < 0 or ny >= field.shape[0]:
        return sy, sx
    known = frozen if y // STRIP != ny // STRIP else field
    return np.int64(known[ny, nx, 1]) + y - ny, np.int64(known[ny, nx, 0]) + x - nx


@_compiled
def _random_near(sy: np.int64, sx: np.int64, reach: np.int64, bits: np.uint64) -> tuple[np.int64, np.int64]:
    """A place up to `reach` px away from (sx, sy), both ways."""
    span = np.uint64(2 * reach + 1)
    low, high = bits & np.uint64(0xFFFFFFFF), bits >> np.uint64(32)
    right, down = np.int64((low * span) >> np.uint64(32)), np.int64((high * span) >> np.uint64(32))
    return sy - reach + down, sx - reach + right


@_compiled
def _improve(
    match: Match,
    field: np.ndarray,
    cost: np.ndarray,
    crowd: np.ndarray,
    frozen: np.ndarray,
    before: int,
    radius: int,
    seed: int,
    top: int,
    bottom: int,
) -> None:
    """One pass over rows top .. bottom, in scan order (`before` -1) or against it (1).

    Each pixel tries what the neighbour before it in its row and in its column say, then random places around its best
    match, up to `radius` px away, half as far each time.
    """
    source, target, widths, patch, centre, pull, active = match
    height, width = np.int64(crowd.shape[0]), np.int64(crowd.shape[1])
    for i in range(bottom - top):
        y = top + i if before < 0 else bottom - 1 - i
        for j in range(field.shape[1]):
            x = j if before < 0 else field.shape[1] - 1 - j
            if not active[y, x]:
                continue
            sx, sy = np.int64(field[y, x, 0]), np.int64(field[y, x, 1])
            own, best = cost[y, x], cost[y, x] + crowd[sy, sx]
            draw, reach = 0, 2 * np.int64(radius)
            while draw < 2 or reach > 0:
                if draw < 2:
                    ny, nx = (y, x + before) if draw == 0 else (y + before, x)
                    cy, cx = _handed_on(field, frozen, y, x, ny, nx, sy, sx)
                else:
                    cy, cx = _random_near(sy, sx, reach, _hash(seed, y, x, draw))
                draw += 1
                if draw >= 2:
                    reach //= 2
                cy, cx = min(max(cy, np.int64(0)), height - 1), min(max(cx, np.int64(0)), width - 1)
                if cy == sy and cx == sx:
                    continue
                extra = crowd[cy, cx]
                new = _cost(source, target, widths, patch, centre, pull, y, x, cy, cx, best - extra)
                if new + extra < best:
                    sy, sx, own, best = cy, cx, new, new + extra
            field[y, x, 0], field[y, x, 1], cost[y, x] = sx, sy, own


@_compiled
def _vote(
    style: np.ndarray,
    field: np.ndarray,
    weight: np.ndarray,
    patch: int,
    active: np.ndarray,
    out: np.ndarray,
    top: int,
    bottom: int,
) -> None:
    """Average the paint that all patches over a pixel put there, where `active`, for rows top .. bottom."""
    height, width = field.shape[:2]
    source_height, source_width = style.shape[:2]
    reach = patch // 2
    for y in range(top, bottom):
        for x in range(width):
            if not active[y, x]:
                continue
            red = green = blue = total = np.float32(0)
            for ty in range(max(0, y - reach), min(height, y + reach + 1)):
                for tx in range(max(0, x - reach), min(width, x + reach + 1)):
                    sx, sy = field[ty, tx, 0] + x - tx, field[ty, tx, 1] + y - ty
                    if sx < 0 or sy < 0 or sx >= source_width or sy >= source_height:
                        continue
                    w = weight[ty, tx]
                    red += w * style[sy, sx, 0]
                    green += w * style[sy, sx, 1]
                    blue += w * style[sy, sx, 2]
                    total += w
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = red / total, green / total, blue / total


class NumbaMatcher:
    """A field being improved, on the CPU. See `moviola.propagation.patchmatch.Matcher`."""

    def __init__(self, problem: Problem, field: np.ndarray, threads: int = 1) -> None:
        self._problem, self._threads = problem, threads
        self._field = np.array(field, np.int32, order="C")  # a copy: it is written to
        self._cost = np.zeros(field.shape[:2], np.float32)
        self._all = np.ones(field.shape[:2], np.bool_)
        self._active = self._all if problem.active is None else np.ascontiguousarray(problem.active, np.bool_)
        self._match = Match(
            problem.source.reshape(-1),
            problem.target.reshape(-1),
            (problem.source.shape[1], problem.target.shape[1]),
            problem.patch,
            problem.centre,
            problem.pull,
            self._active,
        )
        self._run(_measure, self._match, self._field, self._cost)

    @property
    def field(self) -> np.ndarray:
        """The field, int32 (H, W, 2)."""
        return self._field

    @property
    def cost(self) -> np.ndarray:
        """The cost of every match without crowding, float32 (H, W)."""
        return self._cost

    def repaint(self, picture: np.ndarray) -> None:
        """Compare with the paint `picture`, float32 (H, W, 3), from now on."""
        self._problem.set_paint(picture)
        self._run(_measure, self._match, self._field, self._cost)

    def offer(self, field: np.ndarray) -> None:
        """Take matches of `field`, int32 (H, W, 2), wherever they are better."""
        crowd, offered = self._problem.crowd(self._field), np.array(field, np.int32, order="C")
        self._run(_offer, self._match, self._field, self._cost, crowd, offered)

    def improve(self, radius: int, seed: int, number: int) -> None:
        """Make pass `number` (even: in scan order; odd: against it), searching up to `radius` px around."""
        crowd, frozen, before = self._problem.crowd(self._field), self._field.copy(), 2 * (number % 2) - 1
        self._run(
            _improve,
            self._match,
            self._field,
            self._cost,
            crowd,
            frozen,
            before,
            radius,
            np.uint64(seed),
        )

    def vote(self, weight: np.ndarray, style: np.ndarray, before: np.ndarray | None = None) -> np.ndarray:
        """Return what the patches make of `style` (h, w, 3), float32 (H, W, 3); see `Matcher`."""
        if before is None:
            out, active = np.empty((*self._field.shape[:2], 3), np.float32), self._all
        else:
            out, active = before.astype(np.float32), self._active
        self._run(_vote, style, self._field, weight, self._problem.patch, active, out)
        return out

    def _run(self, kernel: Callable[..., None], *arguments: object) -> None:
        """Run a kernel over all strips, on our threads."""
        height: int = len(self._cost)
        tops = range(0, height, STRIP)
        if self._threads <= 1 or len(tops) == 1:
            for top in tops:
                kernel(*arguments, top, min(top + STRIP, height))
            return
        with ThreadPoolExecutor(self._threads) as pool:
            for done in [pool.submit(kernel, *arguments, top, min(top + STRIP, height)) for top in tops]:
                done.result()
