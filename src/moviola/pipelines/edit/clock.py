"""Which instants a video of a model with a continuous clock shows: rates, spans, loops."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from moviola.core.errors import ConfigError
from moviola.core.rates import Rate, as_rate
from moviola.models.freqmotion import FreqMotionGenerator
from moviola.models.protocols import Generator


@dataclass(frozen=True, eq=False)
class Clock:
    """The instants of a video.

    Attributes:
        times: float64 (T,), time units of the model.
        fps: frames a second of the video.
        period: time units after which it begins again, for a loop; None for a video that goes on.
    """

    times: Tensor
    fps: Fraction
    period: float | None = None

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.times)


def make_clock(
    model: FreqMotionGenerator,
    *,
    frames: int | None = None,
    fps: Rate | None = None,
    span: tuple[float, float] | None = None,
    loop: bool = False,
) -> Clock:
    """Return the clock of a video.

    Second 0 is the first frame of the window that the model was trained at, t = -1; a second holds `model.fps` clock
    steps, at whatever rate it is drawn.

    Args:
        model: whose clock.
        frames: T, at least 1; None for what the span needs, or for the model's own number.
        fps: frames a second; None for the model's rate, or for the rate at which `frames` fill the span.
        span: first second, and second to stop before; any real numbers, also negative.
        loop: make the frames fill a whole period.

    Raises:
        ConfigError: no frames, a span that ends before it begins, numbers that are not finite, or all three of frames,
            fps and span.
    """
    if frames is not None and frames < 1:
        raise ConfigError(f"frames is {frames}; it must be at least 1")
    begin, rate = 0.0, model.fps if fps is None else as_rate(fps)
    if span is not None:
        begin, end = span
        if not (math.isfinite(begin) and math.isfinite(end)) or end <= begin:
            raise ConfigError(
                f"a span of time begins before it ends, in seconds, such as 0:4, not {begin:g}:{end:g}"
            )
        if frames is not None and fps is not None:
            raise ConfigError("frames, fps and time contradict each other; give two of them")
        if frames is None:
            frames = max(1, round((end - begin) * float(rate)))
        else:
            rate = as_rate(Fraction(frames / (end - begin)).limit_denominator(1001))
    count = model.config.frames if frames is None else frames
    per_second = float(model.fps) * model.config.clock_step
    step = per_second / float(rate)
    times = -1 + begin * per_second + torch.arange(count, dtype=torch.float64) * step
    return Clock(times, rate, count * step if loop else None)


class ClockedGenerator:
    """A generator whose videos show the instants of a clock (`moviola.models.protocols.Generator`).

    Args:
        model: the generator with a continuous clock.
        clock: the instants; its length is the number of frames, which cannot be changed then.
    """

    is_conditional = False

    def __init__(self, model: FreqMotionGenerator, clock: Clock) -> None:
        self.model, self.clock = model, clock
        self.num_frames, self.fps = len(clock), clock.fps
        self.height, self.width = model.height, model.width
        self._omega = None if clock.period is None else whole_periods(model, clock.period)

    def stream(self, seed: int, index: int, frames: int, prompt: str | None = None) -> Iterator[Tensor]:
        """Draw one video; see `moviola.models.protocols.Generator.stream`."""
        if prompt is not None or frames != len(self.clock):
            raise ConfigError(f"this clock has {len(self.clock)} frames, and the model takes no prompt")
        return self.model.stream_at(self.clock.times, self.model.draw(seed, [index]), self._omega)


def on_clock(
    generator: Generator,
    *,
    frames: int | None = None,
    fps: Rate | None = None,
    span: tuple[float, float] | None = None,
    loop: bool = False,
) -> Generator:
    """Return a generator whose videos show what `make_clock` says, where it has a continuous clock.

    Any other generator is returned as it is.

    Raises:
        ConfigError: see `make_clock`; or a span or a loop of a generator that draws frame after frame.
    """
    if isinstance(generator, FreqMotionGenerator):
        return ClockedGenerator(
            generator, make_clock(generator, frames=frames, fps=fps, span=span, loop=loop)
        )
    if span is not None or loop:
        raise ConfigError(
            "the model draws one frame after another; a span of time and loops need a continuous clock"
        )
    return generator


def whole_periods(model: FreqMotionGenerator, period: float) -> list[Tensor]:
    """Return the frequencies of each bank, each moved to the nearest that fits `period` a whole number of times.

    Then every feature, and so every frame, repeats after `period` exactly: sin(omega (t + period) + phi) is
    sin(omega t + phi) where omega period is a multiple of 2 pi.

    Args:
        model: whose frequencies.
        period: time units, above 0.

    Raises:
        ConfigError: the model has features that grow with time, which nothing makes repeat.
    """
    if model.config.trend:
        raise ConfigError("this model's motion has a part that grows with time, so it cannot loop")
    base = 2 * math.pi / period
    return [(bank.sinusoids.omega.detach() / base).round() * base for bank in model.banks]  # type: ignore[union-attr,operator]
