"""frames.json of a frame folder: the rate, and where they are not plain, the times of the frames and their pixels."""

from __future__ import annotations

import json
from fractions import Fraction

from moviola.core.errors import ConfigError, InputError
from moviola.core.rates import as_aspect, as_rate
from moviola.core.times import Clock, as_times, mean_rate

RATE_FILE = "frames.json"
"""In a frame folder: {"fps": "24000/1001"}, and perhaps "times": seconds a frame, "pixel_aspect": "64/45"."""


def parse_rate_file(text: str | bytes, count: int) -> tuple[Clock, Fraction]:
    """Return when each of `count` frames is shown, and the pixel aspect.

    Raises:
        ValueError: the text says nothing of that kind; with the reason.
    """
    try:
        values = json.loads(text)
        fps, times = as_rate(values["fps"]), None
        if values.get("times") is not None:
            times = as_times(values["times"], count)
            fps = mean_rate(times, fps)
        return Clock(count, fps, times), as_aspect(values.get("pixel_aspect", 1))
    except (TypeError, KeyError, AttributeError, ConfigError, json.JSONDecodeError, UnicodeDecodeError):
        raise ValueError('must hold {"fps": a number above 0, or "24000/1001"}') from None
    except InputError as error:
        raise ValueError(f"does not fit its folder: {error}") from None


def format_rate_file(fps: Fraction, stamps: list[Fraction] | None, pixel_aspect: Fraction) -> str:
    """Return the text of the file."""
    values: dict[str, object] = {"fps": str(fps)}
    if stamps is not None:
        values["times"] = [str(stamp) for stamp in stamps]
    if pixel_aspect != 1:
        values["pixel_aspect"] = str(pixel_aspect)
    return json.dumps(values) + "\n"
