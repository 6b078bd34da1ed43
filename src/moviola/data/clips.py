"""Temporal sampling: which frames of a clip a training sample or a metric looks at.

Every function returns frame indices and reads nothing, so one policy serves files, strips, zips and caches.
"""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, Literal, get_args

from moviola.core.errors import ConfigError, InputError, check_name
from moviola.core.rates import Rate, as_rate
from moviola.core.times import Clock, Times, shown_at

if TYPE_CHECKING:
    import numpy as np
    import torch

Policy = Literal["random", "first", "center", "uniform"]
Short = Literal["error", "loop", "hold"]
POLICIES: tuple[str, ...] = get_args(Policy)
SHORTS: tuple[str, ...] = get_args(Short)


def frame_step(
    stride: int = 1,
    fps: Rate | None = None,
    target_fps: Rate | None = None,
) -> Fraction:
    """Return how many source frames lie between two sampled ones, as an exact fraction.

    Args:
        stride: take every `stride`-th frame; at least 1.
        fps: frames per second of the clip; needed only with `target_fps`.
        target_fps: frames per second wanted; the step becomes `stride * fps / target_fps`, and is below 1
            (frames are repeated) when the clip is slower than wanted.

    Returns:
        The step, above 0.

    Raises:
        ConfigError: a stride below 1, a rate that is not above 0, or `target_fps` without `fps`.
    """
    if stride < 1:
        raise ConfigError(f"stride must be at least 1, not {stride}")
    if target_fps is None:
        return Fraction(stride)
    if fps is None:
        raise ConfigError("target_fps needs the rate of the clip; give fps too")
    rate = fps if isinstance(fps, Fraction) and fps > 0 else as_rate(fps)  # a mean may be any fraction
    return stride * rate / as_rate(target_fps)


def span(length: int, step: Fraction) -> int:
    """Return how many consecutive source frames `length` frames at `step` reach over (1 or more)."""
    return _offset(length - 1, step) + 1


def sample_indices(
    n_frames: int,
    length: int,
    policy: Policy = "random",
    stride: int = 1,
    fps: Rate | None = None,
    target_fps: Rate | None = None,
    generator: torch.Generator | None = None,
    short: Short = "error",
    times: Times | None = None,
) -> np.ndarray:
    """Choose `length` frame indices of a clip of `n_frames` frames.

    Args:
        n_frames: frames in the clip; at least 1.
        length: frames wanted; at least 1.
        policy: where they lie. `random`: a window at a random start; `first`: the window at frame 0;
            `center`: the window in the middle; `uniform`: spread evenly from the first frame to the last.
        stride: take every `stride`-th frame (window policies only).
        fps: rate of the clip in Hz; needed with `target_fps`.
        target_fps: rate wanted in Hz (window policies only): the nearest frame at each moment.
        generator: source of the random start (`random` only); None draws from torch's global generator.
        times: when each frame is shown, s, where the clip's rate varies (`fps` is the mean then). With `target_fps`
            they choose the frame shown at each moment; a frame that begins less than half the shortest time between
            frames later counts as shown, as the nearest one does at a constant rate.
        short: what to do when the clip holds fewer frames than needed. `error`; `loop`: begin again at
            frame 0; `hold`: repeat the last frame.

    Returns:
        int64 array (length,), values in [0, n_frames), never decreasing unless the clip was looped.

    Raises:
        InputError: the clip is too short and `short` is `error`; the message names both lengths.
        ConfigError: an argument outside its range.
        UnknownNameError: no such policy.
    """
    import numpy as np

    _check(n_frames, length, policy, short)
    step = frame_step(stride, fps, target_fps)
    if policy == "uniform":
        if step != 1:
            raise ConfigError(
                "policy 'uniform' spreads over the whole clip; it takes no stride or target_fps"
            )
        if n_frames >= length:
            return _spread(n_frames, length)
    if times is not None and fps is not None and target_fps is not None:
        clock = Clock(n_frames, fps if isinstance(fps, Fraction) else as_rate(fps), times)
        return _by_time(clock, length, stride / as_rate(target_fps), policy, generator, short)
    reach = span(length, step)
    offsets = np.array([_offset(k, step) for k in range(length)], dtype=np.int64)
    if reach > n_frames:
        return _too_short(offsets, n_frames, length, reach, short)
    return offsets + _start(n_frames - reach, policy, generator)


def reaches(clock: Clock, length: int, seconds: Fraction) -> bool:
    """Return whether a clip of variable rate is long enough for `length` frames that are `seconds` apart."""
    return (length - 1) * seconds < clock.length - _half_shortest_frame(clock)


def _half_shortest_frame(clock: Clock) -> Fraction:
    """Half the shortest time that a frame is shown, s."""
    return min(clock.at(i + 1) - clock.at(i) for i in range(clock.count)) / 2


def _by_time(
    clock: Clock, length: int, seconds: Fraction, policy: str, generator: torch.Generator | None, short: str
) -> np.ndarray:
    """Choose frames by their times: what `sample_indices` does by number, for a clip of variable rate."""
    import numpy as np

    tolerance, reach, stamps = _half_shortest_frame(clock), (length - 1) * seconds, clock.stamps
    instants = [k * seconds for k in range(length)]
    if not reaches(clock, length, seconds):
        if short == "error":
            raise InputError(
                f"the clip lasts {float(clock.length):.3g} s, {length} frames at this rate reach over "
                f"{float(reach):.3g} s; ask for fewer or pad with short='loop' or short='hold'"
            )
        wrapped = [instant % clock.length for instant in instants] if short == "loop" else instants
        return np.array(shown_at(stamps, wrapped, tolerance), dtype=np.int64)
    last = bisect_left(stamps, clock.length - tolerance - reach) - 1
    start = shown_at(stamps, [stamps[last] / 2])[0] if policy == "center" else _start(last, policy, generator)
    return np.array(shown_at(stamps, [stamps[start] + at for at in instants], tolerance), dtype=np.int64)


def _check(n_frames: int, length: int, policy: str, short: str) -> None:
    if n_frames < 1:
        raise InputError(f"a clip of {n_frames} frames has nothing to sample")
    if length < 1:
        raise ConfigError(f"length must be at least 1 frame, not {length}")
    check_name("sampling policy", policy, POLICIES)
    check_name("policy for short clips", short, SHORTS)


def _offset(k: int, step: Fraction) -> int:
    """The source frame nearest to k steps, halves upwards (exact: no float rounding over long clips)."""
    return floor(k * step + Fraction(1, 2))


def _spread(n_frames: int, length: int) -> np.ndarray:
    import numpy as np

    if length == 1:
        return np.array([(n_frames - 1) // 2], dtype=np.int64)
    step = Fraction(n_frames - 1, length - 1)
    return np.array([_offset(k, step) for k in range(length)], dtype=np.int64)


def _start(room: int, policy: str, generator: torch.Generator | None) -> int:
    if policy == "first" or room == 0:
        return 0
    if policy == "center":
        return room // 2
    import torch

    return int(torch.randint(room + 1, (), generator=generator))


def _too_short(offsets: np.ndarray, n_frames: int, length: int, reach: int, short: str) -> np.ndarray:
    import numpy as np

    if short == "loop":
        return offsets % n_frames
    if short == "hold":
        return np.minimum(offsets, n_frames - 1)
    requested = f"{length} frames" if reach == length else f"{length} frames at this step reach over {reach}"
    raise InputError(
        f"the clip holds {n_frames} frames, {requested}; ask for fewer or pad with short='loop' or short='hold'"
    )
