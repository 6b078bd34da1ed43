"""A picture of a speed spectrum."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from moviola.data.pictures import write_png
from moviola.models.freqmotion import Bands, FreqMotionGenerator
from moviola.pipelines.edit.spectrum import Spectrum, hertz_to_omega

_WIDTH, _HEIGHT, _MARGIN = 900, 360, 60
_SHADES = ("#eef3fa", "#dfe9f5", "#d0dff0", "#c1d5eb")


def write_spectrum(
    spectrum: Spectrum, path: Path, model: FreqMotionGenerator | None = None, bands: Bands | None = None
) -> Path:
    """Draw power over frequency as a PNG, with a model's bands as shades and its unit below.

    Args:
        spectrum: what to draw.
        path: where to write.
        model, bands: whose unit and bands to show; None for neither.

    Raises:
        OutputError: it cannot be written.
    """
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default()
    left, right, top, floor = _MARGIN, _WIDTH - 40, 34, _HEIGHT - 56
    last, most = float(spectrum.frequencies[-1]), float(spectrum.power[1:].max()) or 1.0

    def across(hertz: float) -> float:
        return left + (right - left) * min(hertz / last, 1.0)

    unit = 1.0 if model is None else hertz_to_omega(model)
    if bands is not None:
        limits = [0.0, *(edge / unit for edge in bands.edges), last]
        for k, (low, high) in enumerate(itertools.pairwise(limits)):
            if low < last:
                pen.rectangle((across(low), top, across(high), floor), fill=_SHADES[k % len(_SHADES)])
                pen.text((across(low) + 4, top + 2), bands.names[k], fill="#506080", font=font)
    for frequency, power in zip(spectrum.frequencies[1:].tolist(), spectrum.power[1:].tolist(), strict=True):
        half = max(1.0, (right - left) / len(spectrum.power) * 0.3)
        height = (floor - top) * power / most
        pen.rectangle(
            (across(frequency) - half, floor - height, across(frequency) + half, floor), fill="#2060a0"
        )
    pen.line([(left, floor), (right, floor)], fill="#202020")
    for part in range(6):
        hertz = last * part / 5
        pen.text((across(hertz), floor + 6), f"{hertz:.2f}", fill="#202020", font=font, anchor="ma")
        if model is not None:
            pen.text(
                (across(hertz), floor + 22), f"{hertz * unit:.2f}", fill="#806020", font=font, anchor="ma"
            )
    below = (
        "cycles a second"
        if model is None
        else "cycles a second (black), radians a time unit of the model (brown)"
    )
    pen.text((left, floor + 38), below, fill="#606060", font=font)
    title = f"power of motion, px^2 (highest {most:.3g}), {spectrum.points} tracked points"
    pen.text((left, 10), title, fill="#202020", font=font)
    write_png(path, np.asarray(image))
    return path
