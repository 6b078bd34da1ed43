"""From a curve of changes to key frames: Algorithm 1, a budget of exactly K, even distances, or a list by hand.

Frame 0 is always a key, and so is the first frame of every shot. `change[t]` is the change from frame t-1 to frame t.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import SupportsIndex

import numpy as np

from moviola.core.errors import ConfigError, InputError

SLACK = 1e-9
"""Relative room for rounding, so that a constant curve gives constant gaps."""
Keys = list[int]


def algorithm_1(
    change: Sequence[float] | np.ndarray,
    interval: float,
    *,
    alpha: float = 1.2,
    beta: float = 1.0,
    min_gap: int = 1,
    force_last: bool = False,
    cuts: Iterable[int] = (),
) -> Keys:
    """Choose a key frame whenever enough has changed since the last one, or it is long ago.

    Frame i becomes a key when the change summed since the last key exceeds t, or when i - last >= alpha * interval.
    Source: "Photorealistic Video Generation", section 3.2.2, algorithm 1; equation 1: t = beta * interval * mean(dF).
    The mean is over the steps between frames; the steps over cuts, which are no motion, stay out of it.

    Args:
        change: (T,), at least 0; [0] is not looked at.
        interval: frames between keys where the change is as it is on average, at least 1; 1 makes every frame a key,
            whatever alpha and beta are.
        alpha: the longest gap in units of the interval, at least 1; slightly above 1 makes up for early keys.
        beta: factor of the threshold, above 0; more gives fewer keys in motion.
        min_gap: fewest frames from key to key, 1 to the longest gap; cuts and a forced last key may come sooner.
        force_last: make the last frame a key too.
        cuts: first frames of new shots; each is a key.

    Returns:
        ascending frame numbers, 0 first.

    Raises:
        ConfigError: a setting out of range. InputError: a curve that is empty, negative or not finite.
    """
    curve = check_curve(change)
    _check(interval >= 1, f"the interval is {interval}; it must be at least 1 frame")
    _check(alpha >= 1, f"alpha is {alpha}; it must be at least 1")
    _check(beta > 0 and math.isfinite(beta), f"beta is {beta}; it must be above 0")
    widest = (
        alpha * interval if interval > 1 else 1.0
    )  # between frames that follow each other there is nothing
    _check(1 <= min_gap <= widest, f"min_gap is {min_gap}; it must be 1 to {widest:g}")
    starts = _starts(cuts, len(curve))
    steps = np.delete(curve, [0, *starts])
    threshold = beta * interval * (float(steps.mean()) if len(steps) else 0.0)
    longest = math.ceil(min(len(curve), widest * (1 - SLACK)))
    walk = _Walk(tuple(curve), starts, threshold, min_gap, longest, force_last)
    return walk.keys()


def with_budget(
    change: Sequence[float] | np.ndarray,
    count: int,
    *,
    min_gap: int = 1,
    max_gap: int | None = None,
    force_last: bool = False,
    cuts: Iterable[int] = (),
    power: float = 0.5,
) -> Keys:
    """Choose exactly `count` key frames by the rule of `algorithm_1`, its threshold found by bisection.

    Where no threshold gives the number, because many steps are alike, some gaps follow the next lower threshold and the
    others the next higher one, spread over the video.

    Changes are summed to a power below 1: twice the motion does not make the frames between twice as hard to predict,
    so keys in proportion to the motion leave the calm parts too few (docs/keyframes.md has the measurement; it is as
    in quantisation, where levels are best spread by a root of the density: Panter and Dite 1951).

    Args:
        change, min_gap, force_last, cuts: as for `algorithm_1`.
        count: how many keys, 1 to T.
        max_gap: most frames from key to key, at least `min_gap`; None for three times the mean gap, or more where
            cuts leave no choice.
        power: of each change before it is summed, above 0; 1 sums as `algorithm_1` does.

    Returns:
        exactly `count` ascending frame numbers, 0 first.

    Raises:
        ConfigError: a count that these settings cannot give. InputError: as `algorithm_1`.
    """
    _check(0 < power < math.inf, f"power is {power}; it must be above 0")
    curve = check_curve(change) ** power
    n = len(curve)
    check_count(count, n)
    _check(min_gap >= 1, f"min_gap is {min_gap}; it must be at least 1")
    _check(max_gap is None or max_gap >= min_gap, f"max_gap is {max_gap}; it must be at least {min_gap}")
    longest = max(min_gap, default_max_gap(n, count)) if max_gap is None else max_gap
    walk = _Walk(tuple(curve), _starts(cuts, n), math.inf, min_gap, longest, force_last)
    while max_gap is None and walk.longest < n and walk.count(math.inf) > count:
        walk = replace(walk, longest=2 * walk.longest)
    fewest, most = walk.count(math.inf), walk.count(-1.0)
    _check(
        fewest <= count <= most,
        f"{count} keys are asked for; cuts, gaps and the last frame allow {fewest} to {most} of {n} frames",
    )
    return _exactly(walk, count)


def uniform(
    n: int, interval: int | None = None, *, count: int | None = None, force_last: bool = False
) -> Keys:
    """Choose key frames at even distances.

    Args:
        n: frames of the video, at least 1.
        interval: frames from key to key, at least 1; or
        count: how many keys, 1 to `n`; spread as evenly as whole frames allow.
        force_last: make the last frame a key too; `count` then spans the first to the last frame.

    Returns:
        ascending frame numbers, 0 first.

    Raises:
        ConfigError: a number out of range, or not exactly one of interval and count.
    """
    _check(n >= 1, f"a video has at least 1 frame, not {n}")
    _check((interval is None) != (count is None), "give either an interval or a count of key frames")
    if count is not None:
        check_count(count, n)
        _check(count > 1 or n == 1 or not force_last, "the first and the last frame are 2 keys, count is 1")
        parts = max(count - 1, 1) if force_last else count
        return [i * (n - 1 if force_last else n) // parts for i in range(count)]
    assert interval is not None
    _check(interval >= 1, f"the interval is {interval}; it must be at least 1 frame")
    keys = list(range(0, n, interval))
    return keys if not force_last or keys[-1] == n - 1 else [*keys, n - 1]


def explicit(indices: Iterable[SupportsIndex], n: int) -> Keys:
    """Return key frames named by hand, ascending and once each, with frame 0.

    Args:
        indices: frame numbers; negative ones count from the end.
        n: frames of the video.

    Raises:
        ConfigError: no number, or a frame that is not in the video.
    """
    requested = [index.__index__() for index in indices]
    _check(bool(requested), "no key frame is named; give at least one, such as 0,10,20")
    for index in requested:
        _check(-n <= index < n, f"key frame {index} is not in the video; it has {n} frames, 0 to {n - 1}")
    return sorted({0, *(index % n for index in requested)})


def check_curve(change: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return a curve of changes as float64 (T,), T at least 1.

    Raises:
        InputError: it is empty, of another shape, or holds what is negative or not finite.
    """
    curve = np.asarray(change, np.float64)
    if curve.ndim != 1 or len(curve) < 1:
        raise InputError(f"a curve of changes has one number a frame, got shape {curve.shape}")
    is_wrong = ~np.isfinite(curve) | (curve < 0)
    if is_wrong.any():
        at = int(is_wrong.argmax())
        raise InputError(f"a change is a number of at least 0; at frame {at} it is {curve[at]}")
    return curve


def check_count(count: int, n: int) -> None:
    """Refuse a number of keys that is not 1 to `n`; `ConfigError`."""
    _check(
        1 <= count <= n,
        f"{count} key frames are asked for; the video has {n} frames, so 1 to {n} are possible",
    )


def default_max_gap(n: int, count: int) -> int:
    """Return three times the mean gap of `count` keys in `n` frames, rounded up."""
    return -(-3 * n // count)


@dataclass(frozen=True)
class _Walk:
    """Algorithm 1 for any threshold.

    Attributes:
        change: (T,).
        starts: first frames of shots after the first.
        threshold: of the summed change.
        shortest, longest: frames from key to key.
        last: the last frame is a key.
    """

    change: tuple[float, ...]
    starts: frozenset[int]
    threshold: float
    shortest: int
    longest: int
    last: bool

    def keys(self) -> Keys:
        """Return the keys by the one threshold."""
        return self.walk(lambda number: self.threshold)

    def count(self, threshold: float) -> int:
        """Return how many keys a threshold gives; it never rises with the threshold."""
        return len(replace(self, threshold=threshold).keys())

    def walk(self, threshold: Callable[[int], float]) -> Keys:
        """Return the keys where gap number k, from 0, follows `threshold(k)`."""
        n = len(self.change)
        end = n - 1 if self.last else n  # a forced last key is put behind the others
        keys = [0] if end or not self.last else []
        while keys and (key := self._next(keys[-1], threshold(len(keys) - 1), end)) < end:
            keys.append(key)
        return [*keys, n - 1] if self.last else keys

    def _next(self, key: int, threshold: float, end: int) -> int:
        """Return the key after `key`, or `end`."""
        total = 0.0
        for i in range(key + 1, end):
            total += self.change[i]
            gap = i - key
            exceeded = total > threshold * (1 + SLACK) and gap >= self.shortest
            if exceeded or gap >= self.longest or i in self.starts:
                return i
        return end


def _exactly(walk: _Walk, count: int) -> Keys:
    """Return `count` keys.

    A threshold below 0 gives at least, one above the sum at most so many. Of all thresholds that give the number the
    middle one is taken: it leaves about half a gap behind the last key, whose frames have a key on one side only.
    """
    lowest, highest = -1.0, sum(walk.change) + 1.0
    more, fewest_above = _edge(walk, lowest, highest, count)
    least, fewer = _edge(walk, fewest_above, highest, count - 1)
    keys = replace(walk, threshold=(fewest_above + least) / 2).keys()
    if len(keys) == count:
        return keys
    for rule in (_spread, _prefix):
        keys = _mix_thresholds(walk, count, more, fewer, rule)
        if len(keys) == count:
            break
    return keys


def _edge(walk: _Walk, low: float, high: float, count: int) -> tuple[float, float]:
    """Return two neighbouring thresholds: one that gives more than `count` keys (or `low`), and one that does not."""
    if walk.count(low) <= count:
        return low, low
    for _ in range(64):
        middle = (low + high) / 2
        low, high = (middle, high) if walk.count(middle) > count else (low, middle)
    return low, high


def _mix_thresholds(
    walk: _Walk, count: int, low: float, high: float, rule: Callable[[int, int, int], bool]
) -> Keys:
    """Bisect how many of the gaps follow the low threshold by `rule`; return the keys, perhaps not `count` of them.

    With `_prefix` it always meets the count: one more gap at the front that follows the low threshold moves every later
    key forward, and by less than one gap, so the number of keys rises by one at most.
    """
    n = len(walk.change)
    fewest, most = 0, n
    while True:
        share = (fewest + most) // 2
        keys = walk.walk(lambda number, share=share: low if rule(number, share, n) else high)
        if len(keys) == count or fewest >= most:
            return keys
        fewest, most = (share + 1, most) if len(keys) < count else (fewest, share - 1)


def _spread(number: int, share: int, n: int) -> bool:
    return (number + 1) * share // n > number * share // n


def _prefix(number: int, share: int, n: int) -> bool:
    return number < share


def _starts(cuts: Iterable[int], n: int) -> frozenset[int]:
    starts = sorted({int(cut) for cut in cuts})
    for cut in starts:
        _check(0 <= cut < n, f"a cut at frame {cut} is not in the video; it has {n} frames")
    return frozenset(cut for cut in starts if cut)


def _check(right: bool, otherwise: str) -> None:
    if not right:
        raise ConfigError(otherwise)
