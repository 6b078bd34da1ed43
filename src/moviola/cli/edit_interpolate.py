"""`moviola edit interpolate`: a walk through the latent space from video to video."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Device, Json, Output, Quiet, Seed, Sheet, emit, example, say, takes_lists
from moviola.cli.latent_options import (
    DEFAULT_MODEL,
    Fps,
    Loop,
    Model,
    Size,
    Starts,
    Steps,
    TaskOptions,
    read_space_size,
)
from moviola.cli.recorded import recorded
from moviola.cli.written import check_output, write_pieces
from moviola.core.errors import ConfigError, InputError, UnknownNameError

if TYPE_CHECKING:
    from torch import Tensor

    from moviola.models.inrv import InrvModel
    from moviola.pipelines.edit.latent.fit import FitConfig

_Between = Annotated[
    list[str],
    typer.Option(
        "--between", metavar="A B ...", help="Clips by number or caption, or files, which are inverted."
    ),
]
_Kind = Annotated[str, typer.Option("--interpolation", metavar="NAME", help="Between codes: slerp or lerp.")]
_Grid = Annotated[
    int | None,
    typer.Option("--grid", metavar="N", help="N videos of even steps side by side, in place of a walk."),
]
_Seconds = Annotated[
    float | None,
    typer.Option("--seconds", metavar="S", help="Length of the walk; a clip's length for each step."),
]
_Play = Annotated[
    str, typer.Option("--play", metavar="NAME", help="Time in the walk: loop, bounce (to and fro), or auto.")
]


@example(
    'moviola edit interpolate --between "crying face" "grinning face" -o walk.mp4',
    "moviola edit interpolate --between 0 12 mine.mp4 --size 256x256 --fps 30 -o walk.mp4",
    "moviola edit interpolate --between 3 7 --grid 5 -o steps.mp4",
)
@takes_lists("--between")
@recorded("edit interpolate")
def command(
    between: _Between,
    output: Output,
    model: Model = DEFAULT_MODEL,
    interpolation: _Kind = "slerp",
    grid: _Grid = None,
    seconds: _Seconds = None,
    play: _Play = "auto",
    size: Size = None,
    fps: Fps = None,
    steps: Steps = 200,
    starts: Starts = 4,
    loop: Loop = False,
    sheet: Sheet = None,
    seed: Seed = 0,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw a film that walks from video to video through the latent space while time plays."""
    started = time.perf_counter()
    check_output(output, sheet)
    pixels = read_space_size(size)
    if len(between) < 2:
        raise ConfigError(f"--between names 2 clips or more, not only {between[0]!r}")
    if grid is not None and (seconds is not None or play != "auto"):
        raise ConfigError("--grid shows clips as they play; leave --seconds and --play away")
    from moviola.core.devices import pick_device
    from moviola.models.catalog import load_space
    from moviola.pipelines.edit.latent.walk import walk, walk_grid

    config = TaskOptions(output, steps=steps, starts=starts, seed=seed).fit_config()
    network = load_space(model, str(pick_device(device)))
    codes = read_codes(network, between, config, loop, quiet or json)
    way: dict[str, Any] = {"kind": interpolation, "fps": fps, "size": pixels}
    if grid is None:
        count, rate, pieces = walk(network, codes, seconds=seconds, play=play, **way)  # type: ignore[arg-type]
    else:
        count, rate, pieces = walk_grid(network, codes, grid, **way)
    head = write_pieces(pieces, output, rate, count, 1, quiet or json, sheet)
    report: dict[str, Any] = {
        "output": output, "frames": count, "fps": float(rate), "width": head.width, "height": head.height,
        "seconds": round(time.perf_counter() - started, 3), "between": between, "interpolation": interpolation,
    }  # fmt: skip
    if json:
        emit(report)
    shape = f"{count} frames of {head.width}x{head.height}"
    say(f"walk   {' -> '.join(between)}", quiet=quiet or json)
    say(f"video  {output} ({shape}, {report['seconds']:.1f} s)", quiet=quiet or json)


def read_codes(model: InrvModel, names: list[str], config: FitConfig, loop: bool, quiet: bool) -> Tensor:
    """Return the codes of clips, (N, code): of the codebook by number or caption, or of files, fitted.

    Raises:
        ConfigError: a number out of range. UnknownNameError: a name of no clip and no file.
        InputError: a file that is no video, or too short.
    """
    import torch

    rows = [_code(model, name) for name in names]  # all names are looked at before anything is fitted
    return torch.stack(
        [_fitted(model, n, config, loop, quiet) if c is None else c for n, c in zip(names, rows, strict=True)]
    )


def _code(model: InrvModel, name: str) -> Tensor | None:
    """Return the code of a clip of the codebook; None for a file."""
    try:
        return model.code_of(name)
    except UnknownNameError as error:
        if Path(name).exists():
            return None
        if (Path(name).suffix and "/" in name) or len(Path(name).suffix) in (4, 5):
            raise InputError(f"no file {name}, and no clip of that caption; {_hint(error)}") from None
        raise


def _hint(error: UnknownNameError) -> str:
    return str(error).partition("; ")[2] or str(error)


def _fitted(model: InrvModel, name: str, config: FitConfig, loop: bool, quiet: bool) -> Tensor:
    from moviola.core.progress import progress
    from moviola.data import codec
    from moviola.pipelines.edit.latent.tasks import Task, run_task

    with progress(f"fitting {name}", config.steps, quiet) as tick:
        result = run_task(
            model, codec.read(name), Task("invert"), config=config, name=name, loop=loop, tick=tick
        )
    return result.fit.code[0]
