"""The best key frames for a budget: dynamic programming over the error that propagation is predicted to make.

Small copies of the frames are warped by flow from every frame within reach onto every other. From that follows, for any
two keys a < b, the squared error of the frames between them when paint is carried from both: blended by distance where
both are seen, taken from the one that is seen where the other is not. Dynamic programming over these costs finds the
`count` keys of the least sum; no other selection with the same number and longest gap has less.

The errors of all pairs come from matrix products. With r_k the difference between frame k, warped onto frame i, and
frame i, v_k where frame k is seen and u_k = 1 - v_k, the error at i between keys a and b with weight w = (i-a)/(b-a) is

    sum over pixels of  (v_a v_b + u_a u_b) ((1-w) r_a + w r_b)^2  +  v_a u_b r_a^2  +  u_a v_b r_b^2,

where each term is a sum of products of something of a and something of b.

Source: ours; the source document's Algorithm 1 has no measure of what its keys are good for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moviola.core.errors import ConfigError
from moviola.core.ranges import to_network
from moviola.nn.filters import luma
from moviola.nn.flow_methods import NamedFlow, flow_method
from moviola.nn.warp import inside, occlusion, pixel_grid, sample, warp
from moviola.selection.change import checked, reduce
from moviola.selection.select import Keys, check_count
from moviola.selection.shots import shots
from moviola.selection.weights import Weight, small_weight, weighted, weighted_mean

SIZE = 96
"""Shorter side of the small copies, px."""


@dataclass(frozen=True, eq=False)
class Costs:
    """Predicted errors of all gaps of a video, mean squared per pixel, brightness 0 to 255, summed over frames.

    Attributes:
        between: float64 (T, G + 1); [a, g] the frames strictly between keys a and a + g, infinite past the video.
        tail: float64 (T, G + 1); [a, g] the g - 1 frames after key a when no key follows them.
        change: float64 (T,), mean length of the flow from each frame to the one before, px of the full frame.
    """

    between: np.ndarray
    tail: np.ndarray
    change: np.ndarray

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.between)

    @property
    def max_gap(self) -> int:
        """Return the longest gap that is known, frames."""
        return self.between.shape[1] - 1

    def gap(self, a: int, b: int, starts: frozenset[int] | set[int]) -> float:
        """Return the cost between key a and the next, b; where b is T or starts a shot, that of a tail."""
        if not 0 < b - a <= self.max_gap:
            return float("inf")
        return float((self.tail if b == len(self) or b in starts else self.between)[a, b - a])


def optimal(
    costs: Costs, count: int, *, force_last: bool = False, cuts: Iterable[int] = (), min_gap: int = 1
) -> Keys:
    """Choose the `count` key frames with the least predicted error.

    Args:
        costs: of the video, from `predict`.
        count: how many keys, 1 to T.
        force_last: the last frame shall be a key.
        cuts: first frames of new shots; each is a key, and nothing is carried over a cut.
        min_gap: fewest frames from key to key within a shot; a forced last key may come sooner.

    Returns:
        exactly `count` ascending frame numbers, 0 first.

    Raises:
        ConfigError: a count that cuts and gaps do not allow.
    """
    n = len(costs)
    check_count(count, n)
    steps = _steps(costs, set(cuts), force_last, min_gap)
    # best[b]: least cost with b the newest of the keys so far; b = n stands for the end
    least_costs = np.full(n + 1, np.inf)
    least_costs[0] = 0.0
    origins = []
    for _ in range(count):
        least_costs, origin = _extend(least_costs, steps)
        origins.append(origin)
    if not np.isfinite(least_costs[n]):
        raise ConfigError(
            f"no {count} of {n} frames can be keys with gaps of {min_gap} to {costs.max_gap} frames and "
            f"{len(set(cuts))} cuts; ask for more keys or a longer max_gap"
        )
    return _trace(origins, n)


def _steps(costs: Costs, starts: set[int], force_last: bool, min_gap: int) -> np.ndarray:
    """Return the costs by where a gap ends, (T + 1, G + 1): [b, g] from key b - g to b, infinite if not allowed."""
    n, reach = len(costs), costs.max_gap
    steps = np.full((n + 1, reach + 1), np.inf)
    shot = np.zeros(n + 1, np.int64)
    for number, (first, stop) in enumerate(shots(n, starts)):
        shot[first:stop] = number
    shot[n] = shot[n - 1] + 1
    for g in range(1, reach + 1):
        a = np.arange(max(n + 1 - g, 0))
        b = a + g
        same, following = shot[a] == shot[b], shot[a] + 1 == shot[b]
        ends = following & np.isin(b, [*starts, n])
        short = (g < min_gap) & same & ~(force_last & (b == n - 1))
        steps[b, g] = np.select([short, same, ends], [np.inf, costs.between[a, g], costs.tail[a, g]], np.inf)
    if force_last:
        steps[n, 2:] = np.inf
    return steps


def _extend(costs: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least costs with one more gap, (T + 1,), and how long that gap is."""
    n, reach = len(costs) - 1, steps.shape[1] - 1
    padded = np.concatenate([np.full(reach, np.inf), costs[:n], [np.inf]])
    # row b, column g: best[b - g]
    previous_costs = np.lib.stride_tricks.sliding_window_view(padded, reach + 1)[:, ::-1]
    total = previous_costs + steps
    gap = total.argmin(axis=1)
    return total[np.arange(n + 1), gap], gap.astype(np.int32)


def _trace(origins: Sequence[np.ndarray], n: int) -> Keys:
    keys, at = [], n
    for gap in reversed(origins):
        at -= int(gap[at])
        keys.append(at)
    return keys[::-1]


def predicted_error(costs: Costs, keys: Sequence[int], cuts: Iterable[int] = ()) -> float:
    """Return the mean squared error that propagation from `keys` is predicted to make, over all T frames.

    Args:
        costs: of the video.
        keys: ascending, 0 first; none of their gaps longer than `costs.max_gap`, or the result is infinite.
        cuts: as for `optimal`.
    """
    starts = set(cuts)
    pairs = zip(keys, [*keys[1:], len(costs)], strict=True)
    return sum(costs.gap(a, b, starts) for a, b in pairs) / len(costs)


def predict(
    frames: Iterable[np.ndarray],
    max_gap: int,
    *,
    size: int = SIZE,
    flow: NamedFlow | None = None,
    weights: Iterable[np.ndarray] | None = None,
) -> Costs:
    """Predict the error of every gap up to `max_gap` by warping small copies of the frames.

    Memory holds 2 `max_gap` + 1 small frames with their flows, and two numbers a frame and gap.

    Args:
        frames: uint8 (H, W, 3) of one size, taken as they come.
        max_gap: longest gap, frames, at least 1.
        size: shorter side of the small copies, px.
        flow: how flow is found; DIS when None.
        weights: how much each pixel counts, as many, float32 (H, W), 0 to 1; None where all count alike.

    Returns:
        the costs.

    Raises:
        InputError: no such frames, no frame at all, or frames too small for the flow. ConfigError: a gap below 1.
    """
    if max_gap < 1:
        raise ConfigError(f"max_gap is {max_gap}; it must be at least 1 frame")
    flow = flow or flow_method("dis")
    gathered: list[tuple[np.ndarray, np.ndarray]] = []
    change: list[float] = []
    for window, middle in _windows(_linked(weighted(checked(frames), weights), size, flow), max_gap):
        gathered.append(_frame_errors(window, middle, max_gap))
        change.append(window[middle].change)
    return _assemble(gathered, change, max_gap)


@dataclass(frozen=True, eq=False)
class _Small:
    """A small frame and how it hangs together with its neighbours.

    Attributes:
        picture: brightness, float32 (1, 1, h, w), 0 to 255.
        back: (1, 3, h, w): flow to the frame before in px, and 1 where that is seen there; None for the first frame.
        on: the same to the frame after; None for the last.
        change: mean length of `back`, px of the full frame.
        root: square root of how much each pixel counts, (h, w); None where all count alike.
    """

    picture: Tensor
    back: Tensor | None
    on: Tensor | None
    change: float
    root: Tensor | None


def _linked(frames: Iterable[tuple[np.ndarray, Weight]], size: int, flow: NamedFlow) -> Iterator[_Small]:
    """Shrink frames and their weights, and find the flow between neighbours, both ways."""
    previous: tuple[Tensor, Tensor | None, float, Tensor | None] | None = None
    for frame, weight in frames:
        colours = to_network(torch.from_numpy(reduce(frame, size)))[None]
        small = small_weight(weight, *colours.shape[-2:])
        root = None if small is None else torch.from_numpy(small).sqrt()
        back, on, change = None, None, 0.0
        if previous is not None:
            forward, backward = (
                flow.estimate(previous[0], colours).float(),
                flow.estimate(colours, previous[0]).float(),
            )
            on = torch.cat([forward, (~occlusion(forward, backward, boundaries=False)).float()], 1)
            back = torch.cat([backward, (~occlusion(backward, forward, boundaries=False)).float()], 1)
            lengths = backward.norm(dim=1)
            mean = (
                float(lengths.mean()) if small is None else weighted_mean(lengths[0].numpy(force=True), small)
            )
            change = mean * frame.shape[0] / backward.shape[2]
            yield _Small(_picture(previous[0]), previous[1], on, *previous[2:])
        previous = (colours, back, change, root)
    if previous is not None:
        yield _Small(_picture(previous[0]), previous[1], None, *previous[2:])


def _picture(colours: Tensor) -> Tensor:
    return (luma(colours) + 1) * 127.5


def _windows(items: Iterable[_Small], reach: int) -> Iterator[tuple[list[_Small], int]]:
    """Give, for each item, those within `reach` of it and its place among them."""
    window: list[_Small] = []
    middle = 0
    for item in items:
        window.append(item)
        if len(window) - middle > reach:
            yield window, middle
            if middle == reach:
                window.pop(0)
            else:
                middle += 1
    while middle < len(window):
        yield window, middle
        if middle == reach:
            window.pop(0)
        else:
            middle += 1


def _frame_errors(window: Sequence[_Small], middle: int, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the errors at one frame.

    Args:
        window: neighbours.
        middle: the frame's place.
        reach: as `predict`'s max_gap.

    Returns:
        [p, q] with the keys p + 1 frames before and q + 1 frames after, (P, Q); [p] with the key before alone, (P,).
    """
    backward = _carried(window, range(middle, max(middle - reach, -1), -1), back=True)
    forward = _carried(window, range(middle, min(middle + reach, len(window))), back=False)
    (ra, va), (rb, vb) = backward, forward
    single_error = (ra**2).mean(1).double().numpy()
    if not len(ra) or not len(rb):
        return np.zeros((len(ra), len(rb))), single_error
    ua, ub = 1 - va, 1 - vb
    p, q = np.arange(1, len(ra) + 1)[:, None], np.arange(1, len(rb) + 1)[None]
    w = torch.from_numpy(p / (p + q)).float()
    va_ra, ua_ra, vb_rb, ub_rb = va * ra, ua * ra, vb * rb, ub * rb
    va_ra2, ua_ra2, vb_rb2, ub_rb2 = va_ra * ra, ua_ra * ra, vb_rb * rb, ub_rb * rb
    error = (
        (1 - w) ** 2 * (va_ra2 @ vb.T + ua_ra2 @ ub.T)
        + w**2 * (va @ vb_rb2.T + ua @ ub_rb2.T)
        + 2 * w * (1 - w) * (va_ra @ vb_rb.T + ua_ra @ ub_rb.T)
        + va_ra2 @ ub.T
        + ua @ vb_rb2.T
    )
    return (error / ra.shape[1]).double().numpy(), single_error


def _carried(window: Sequence[_Small], path: range, back: bool) -> tuple[Tensor, Tensor]:
    """Warp the frames along a path onto its first one, flows joined end to end.

    Returns:
        differences from the first one (N, h w) and where it is seen in them, 0 or 1 (N, h w), nearest first.
    """
    target, root = window[path[0]].picture, window[path[0]].root
    height, width = target.shape[-2:]
    grid = pixel_grid(height, width, target)
    places, in_view = grid, torch.ones_like(target)
    residuals, visible = [], []
    for index in path:
        link = window[index].back if back else window[index].on
        if link is None:
            break
        step = sample(link, places)
        in_view = in_view * (step[:, 2:] > 0.5) * inside(places + step[:, :2], height, width)
        places = places + step[:, :2]
        picture, _ = warp(window[index - 1 if back else index + 1].picture, places - grid)
        gap = picture - target if root is None else root * (picture - target)  # squared, it is weighted
        residuals.append(gap.flatten())
        visible.append(in_view.flatten())
    if not residuals:
        empty = torch.zeros(0, height * width)
        return empty, empty
    return torch.stack(residuals), torch.stack(visible).float()


def _assemble(errors: Sequence[tuple[np.ndarray, np.ndarray]], change: Sequence[float], reach: int) -> Costs:
    """Sum the errors of frames over gaps."""
    n = len(errors)
    reach = min(reach, n)
    between, tail = np.full((n, reach + 1), np.inf), np.full((n, reach + 1), np.inf)
    for g in range(1, reach + 1):
        between[: n - g, g] = 0.0
        tail[: n - g + 1, g] = 0.0
    for i, (pairs, single_error) in enumerate(errors):
        for p, error in enumerate(single_error[: reach - 1]):  # key a = i - p - 1
            a = i - p - 1
            tail[a, p + 2 :] += error
            row = pairs[p, : reach - p - 1]
            between[a, p + 2 : p + 2 + len(row)] += row
    return Costs(between, tail, np.array(change, np.float64))
