"""`moviola edit spectrum`: how fast things move in a video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Json, Quiet, emit, example, say

if TYPE_CHECKING:
    from moviola.models.freqmotion import Bands, FreqMotionGenerator
    from moviola.pipelines.edit.spectrum import Spectrum

_Input = Annotated[Path, typer.Argument(metavar="VIDEO", help="Any video, real or drawn.")]
_Model = Annotated[
    str | None,
    typer.Option("--model", metavar="DIR", help="Also in this model's units and bands."),
]
_Plot = Annotated[Path | None, typer.Option("--plot", metavar="PNG", help="Draw the spectrum.")]
_BAR = 40


@example(
    "moviola edit spectrum clip.mp4",
    "moviola edit spectrum clip.mp4 --model trained --plot spectrum.png",
)
def command(
    input: _Input, model: _Model = None, plot: _Plot = None, json: Json = False, quiet: Quiet = False
) -> None:
    """Follow points through a video and print at which frequencies they go to and fro.

    Frequencies are in cycles a second; power is in square pixels: a point that swings by a px has a^2 / 2.
    """
    from moviola.data import codec
    from moviola.data.pictures import check_png
    from moviola.models.catalog import load_banded
    from moviola.pipelines.edit.motion import default_bands
    from moviola.pipelines.edit.spectrum import read_spectrum
    from moviola.pipelines.edit.spectrum_plot import write_spectrum

    if plot is not None:
        check_png(plot, "a plot")
    network = None if model is None else load_banded(model)
    spectrum = read_spectrum(codec.read(input))
    bands = None if network is None else default_bands(network)
    if plot is not None:
        write_spectrum(spectrum, plot, network, bands)
    if json:
        emit(_report(spectrum, network, bands, plot))
    else:
        _tell(spectrum, network, bands, plot, quiet)


def _report(
    spectrum: Spectrum, model: FreqMotionGenerator | None, bands: Bands | None, plot: Path | None
) -> dict[str, Any]:
    report: dict[str, Any] = {
        "frequencies": spectrum.frequencies,
        "power": spectrum.power,
        "points": spectrum.points,
    }
    if model is not None and bands is not None:
        power = spectrum.bands(bands.edges, model)
        report["omega"] = spectrum.omega(model)
        report["bands"] = dict(zip(bands.names, power.tolist(), strict=True))
    return report if plot is None else {**report, "plot": str(plot)}


def _tell(
    spectrum: Spectrum, model: FreqMotionGenerator | None, bands: Bands | None, plot: Path | None, quiet: bool
) -> None:
    """Print the spectrum as bars, for people."""
    most = max(float(spectrum.power[1:].max()), 1e-12)
    omega = None if model is None else spectrum.omega(model)
    say(f"points {spectrum.points}", quiet=quiet)
    for k in range(1, len(spectrum.power)):
        share = float(spectrum.power[k]) / most
        if share >= 0.005:
            units = "" if omega is None else f"  {float(omega[k]):6.2f}"
            bar = "#" * max(1, round(share * _BAR))
            say(
                f"{float(spectrum.frequencies[k]):7.3f} Hz{units}  {bar} {float(spectrum.power[k]):.3g}",
                quiet=quiet,
            )
    if model is not None and bands is not None:
        power = spectrum.bands(bands.edges, model)
        shares = power / power.sum().clamp(min=1e-12)
        words = ", ".join(f"{n} {100 * float(s):.0f}%" for n, s in zip(bands.names, shares, strict=True))
        say(f"bands  {words}", quiet=quiet)
    if plot is not None:
        say(f"plot   {plot}", quiet=quiet)
