"""`moviola edit motion`: the motion of a drawn video, changed by bands of speed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Device, Json, Output, Quiet, Seed, Sheet, Upscale, emit, example, say
from moviola.cli.recorded import recorded
from moviola.cli.written import check_output, read_span, write_pieces
from moviola.core.devices import pick_device
from moviola.core.errors import ConfigError

if TYPE_CHECKING:
    from moviola.core.video import Video
    from moviola.models.freqmotion import Bands, FreqMotionGenerator
    from moviola.pipelines.edit.clock import Clock
    from moviola.pipelines.edit.codes import SavedCodes
    from moviola.pipelines.edit.motion import MotionEdit

_Names = list[str] | None

_Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="freqmotion-toy, or a folder that moviola train freqmotion_... filled."
    ),
]
_Frames = Annotated[int | None, typer.Option("--frames", metavar="T", help="Number of frames, any.")]
_Fps = Annotated[
    float | None, typer.Option("--fps", metavar="F", help="Frames a second; more show more instants between.")
]
_Time = Annotated[
    str | None, typer.Option("--time", metavar="A:B", help="From second A to B; any, also before 0.")
]
_Loop = Annotated[bool, typer.Option("--loop", help="Let the last frame lead into the first.")]
_Remove = Annotated[
    _Names, typer.Option("--remove", metavar="BAND", help="Take a band away: what moves at its speed stops.")
]
_Keep = Annotated[_Names, typer.Option("--keep", metavar="BAND", help="Take all other bands away.")]
_Gain = Annotated[
    _Names, typer.Option("--gain", metavar="BAND=X", help="Scale a band by X; 1 changes nothing.")
]
_Alter = Annotated[
    _Names, typer.Option("--alter", metavar="BAND=SEED", help="Give a band the motion of another seed.")
]
_Edges = Annotated[
    str | None,
    typer.Option("--edges", metavar="LIST", help="Where bands part, radians a time unit: 1.35,2.7."),
]
_Count = Annotated[
    int | None, typer.Option("--bands", metavar="N", help="N bands of equally many frequencies each.")
]
_EdgesFrom = Annotated[
    Path | None,
    typer.Option("--edges-from", metavar="VIDEO", help="N bands of equal power in a video's motion."),
]
_Softness = Annotated[
    float, typer.Option("--softness", metavar="X", help="Width of the edges, octaves; 0 for hard edges.")
]
_Content = Annotated[int | None, typer.Option("--content", metavar="SEED", help="Show what this seed shows.")]
_Motion = Annotated[int | None, typer.Option("--motion", metavar="SEED", help="Move as this seed moves.")]
_Toward = Annotated[int | None, typer.Option("--toward", metavar="SEED", help="Move more like this seed.")]
_Amount = Annotated[
    float | None, typer.Option("--amount", metavar="X", help="How far --toward goes, 0 to 1; 0.5.")
]
_Interpolation = Annotated[
    str | None, typer.Option("--interpolation", metavar="NAME", help="Of --toward: slerp or lerp.")
]
_Truncation = Annotated[
    float, typer.Option("--truncation", metavar="X", help="1: content as drawn; 0: the mean content.")
]
_Grid = Annotated[
    int | None, typer.Option("--grid", metavar="N", help="N x N videos: low-band codes by high-band codes.")
]
_Match = Annotated[
    Path | None,
    typer.Option("--match", metavar="VIDEO", help="Set the gains so that speeds are as in a video."),
]
_Codes = Annotated[
    Path | None,
    typer.Option("--codes", metavar="FILE", help="Edit the video that moviola edit project --save found."),
]


@example(
    "moviola edit motion freqmotion-toy --seed 78 --frames 64 --remove high --upscale 4 -o slow.mp4",
    "moviola edit motion freqmotion-toy --seed 3 --frames 64 --alter low=7 -o altered.mp4",
    "moviola edit motion freqmotion-toy --seed 3 --time 0:4 --fps 30 --loop -o loop.gif",
    "moviola edit motion freqmotion-toy --codes clip.safetensors --remove high -o slow.mp4",
)
@recorded("edit motion")
def command(
    model: _Model,
    output: Output,
    frames: _Frames = None,
    fps: _Fps = None,
    time_span: _Time = None,
    loop: _Loop = False,
    remove: _Remove = None,
    keep: _Keep = None,
    gain: _Gain = None,
    alter: _Alter = None,
    edges: _Edges = None,
    bands: _Count = None,
    edges_from: _EdgesFrom = None,
    softness: _Softness = 0.0,
    content: _Content = None,
    motion: _Motion = None,
    toward: _Toward = None,
    amount: _Amount = None,
    interpolation: _Interpolation = None,
    truncation: _Truncation = 1.0,
    grid: _Grid = None,
    match: _Match = None,
    codes: _Codes = None,
    upscale: Upscale = 1,
    sheet: Sheet = None,
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw a video and change its motion by bands of speed; without a change, draw it as it is.

    Bands are called low and high, or low, mid and high, or band0, band1 ... from slow to fast.
    """
    started = time.perf_counter()
    from moviola.models.catalog import load_banded

    check_output(output, sheet, upscale)
    network = load_banded(model, str(pick_device(device)))
    saved = None if codes is None else _saved(network, codes, seed, grid)
    parts = _bands(network, edges, bands, edges_from, softness)
    edit = replace(
        _edit(parts, remove or [], keep or [], gain or [], alter or []),
        content=content,
        motion=motion,
        truncation=truncation,
        own=saved and saved.codes,
        **_way(toward, amount, interpolation, "slerp" if saved is None else "lerp"),
    )
    clock = _clock(network, saved, frames, fps, time_span, loop)
    if match is not None:
        edit = _matched(network, clock, match, edit, seed)
    pieces = _pieces(network, clock, edit, seed, grid)
    head = write_pieces(pieces, output, clock.fps, len(clock), upscale, quiet or json, sheet)
    report = _report(output, clock, head, edit, round(time.perf_counter() - started, 3))
    if json:
        emit(report)
    _tell(report, match is not None, quiet or json)


def _saved(model: FreqMotionGenerator, path: Path, seed: int, grid: int | None) -> SavedCodes:
    """Return the codes of a projection."""
    from moviola.pipelines.edit.codes import load_codes

    if seed and grid is None:
        raise ConfigError("--seed draws a video and --codes gives one; leave one of them out")
    return load_codes(path, model)


def _clock(
    model: FreqMotionGenerator,
    saved: SavedCodes | None,
    frames: int | None,
    fps: float | None,
    span: str | None,
    loop: bool,
) -> Clock:
    """Return the instants to draw: where nothing says otherwise, those that a projected clip had."""
    from moviola.pipelines.edit.clock import make_clock

    rate: Fraction | float | None = fps
    if saved is not None and (span is None or frames is None):
        rate = saved.fps if fps is None else fps
        frames = saved.frames if span is None and frames is None else frames
    return make_clock(model, frames=frames, fps=rate, span=read_span(span), loop=loop)


def _way(toward: int | None, amount: float | None, interpolation: str | None, usual: str) -> dict[str, Any]:
    """Return the fields of an edit for a motion to go toward."""
    if toward is None and (amount is not None or interpolation is not None):
        raise ConfigError(
            "--amount and --interpolation say how to go toward another motion; give --toward SEED"
        )
    if interpolation not in (None, "slerp", "lerp"):
        raise ConfigError(f"--interpolation is {interpolation!r}; it is slerp or lerp")
    kind = interpolation or usual
    return {"toward": toward, "amount": 0.5 if amount is None else amount, "interpolation": kind}


def _report(output: str, clock: Clock, head: Video, edit: MotionEdit, seconds: float) -> dict[str, Any]:
    names, gains = edit.bands.names, edit.gains or [1.0] * len(edit.bands)
    return {
        "output": output,
        "frames": len(clock),
        "fps": float(clock.fps),
        "width": head.width,
        "height": head.height,
        "seconds": seconds,
        "bands": {"edges": edit.bands.edges, "gains": dict(zip(names, gains, strict=True))},
    }


def _tell(report: dict[str, Any], matched: bool, quiet: bool) -> None:
    """Print what was drawn, for people."""
    bands = report["bands"]
    limits = ", ".join(f"{e:g}" for e in bands["edges"]) or "none"
    say(f"bands  {', '.join(bands['gains'])}; edges {limits} radians a time unit", quiet=quiet)
    if matched:
        say(f"gains  {', '.join(f'{k} {v:.2f}' for k, v in bands['gains'].items())}", quiet=quiet)
    size = f"{report['frames']} frames of {report['width']}x{report['height']}"
    say(f"video  {report['output']} ({size}, {report['seconds']:.1f} s)", quiet=quiet)


def _pieces(
    model: FreqMotionGenerator, clock: Clock, edit: MotionEdit, seed: int, grid: int | None
) -> Iterator[Video]:
    from moviola.pipelines.edit.motion import draw_edited, draw_grid

    if grid is None:
        return draw_edited(model, clock, seed=seed, edit=edit)
    return draw_grid(model, clock, grid, seed=seed, edit=edit)


def _bands(
    model: FreqMotionGenerator, edges: str | None, count: int | None, source: Path | None, softness: float
) -> Bands:
    from moviola.models.freqmotion import Bands
    from moviola.pipelines.edit.motion import default_bands

    if edges is not None and (count is not None or source is not None):
        raise ConfigError("--edges says where the bands part; leave --bands and --edges-from away")
    if edges is not None:
        try:
            return Bands(tuple(float(word) for word in edges.replace(",", " ").split()), softness)
        except ValueError:
            raise ConfigError(f"--edges is {edges!r}; it is a list of numbers such as 1.35,2.7") from None
    if source is not None:
        from moviola.data import codec
        from moviola.pipelines.edit.spectrum import bands_of, read_spectrum

        return bands_of(read_spectrum(codec.read(source)), model, 3 if count is None else count, softness)
    if count is not None:
        return Bands.by_quantiles(model.omega(), count, softness)
    return default_bands(model, softness)


def _edit(bands: Bands, remove: list[str], keep: list[str], gain: list[str], alter: list[str]) -> MotionEdit:
    """Return what the options ask for, band by band."""
    from moviola.pipelines.edit.motion import MotionEdit

    gains = [1.0] * len(bands)
    codes: list[int | None] = [None] * len(bands)
    for name, value in _pairs("--gain", gain, float):
        gains[bands.index(name)] = value
    for name, value in _pairs("--alter", alter, int):
        codes[bands.index(name)] = value
    kept = {bands.index(name) for name in keep} or set(range(len(bands)))
    for band in set(range(len(bands))) - kept | {bands.index(name) for name in remove}:
        gains[band] = 0.0
    return MotionEdit(bands, tuple(gains), tuple(codes))


def _matched(model: FreqMotionGenerator, clock: Clock, path: Path, edit: MotionEdit, seed: int) -> MotionEdit:
    from moviola.data import codec
    from moviola.pipelines.edit.spectrum import match_spectrum, read_spectrum

    return match_spectrum(model, read_spectrum(codec.read(path)), clock, seed=seed, edit=edit)


def _pairs(option: str, words: list[str], kind: type) -> list[tuple[str, Any]]:
    pairs = []
    for word in words:
        name, sign, value = word.partition("=")
        try:
            pairs.append((name, kind(value)))
        except ValueError:
            sign = ""
        if not sign:
            raise ConfigError(f"{option} is {word!r}; it is a band and a number, such as low=7")
    return pairs
