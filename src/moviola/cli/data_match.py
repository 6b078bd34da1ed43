"""`moviola data match`: the flaws of one generator, as a mixture of corruptions to train a refiner on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Device, Json, Quiet, Seed, emit, example, say

if TYPE_CHECKING:
    from moviola.pipelines.match import Match


@example(
    "moviola data match REAL FAKE -o mixture.json",
    "moviola data match REAL FAKE -o mixture.json --only noise,soft,codec --clips 64",
)
def match_command(
    real: Annotated[Path, typer.Argument(metavar="REAL", help="Real videos.")],
    fake: Annotated[Path, typer.Argument(metavar="FAKE", help="Videos of the generator to be refined.")],
    out: Annotated[Path, typer.Option("-o", "--output", metavar="JSON", help="Where the mixture goes.")],
    only: Annotated[
        str,
        typer.Option(
            "--only", metavar="NAMES", help="Corruptions to choose from: a,b,c. Default: all faults."
        ),
    ] = "",
    clips: Annotated[
        int, typer.Option("--clips", metavar="N", min=4, help="Clips of FAKE and of each half of REAL.")
    ] = 32,
    frames: Annotated[int, typer.Option("--frames", metavar="T", min=4, help="Frames of a clip.")] = 16,
    size: Annotated[
        int, typer.Option("--size", metavar="S", min=16, help="Height and width of a clip, pixels.")
    ] = 64,
    features: Annotated[
        str,
        typer.Option("--features", metavar="NAME", help="What distances are in: statistics, fvmd-lk or i3d."),
    ] = "statistics",
    device: Device = "auto",
    seed: Seed = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit corruptions to a generator: real clips so corrupted are as far from real ones as its clips are.

    About a minute on a processor. The file is what a refiner is trained with.
    """
    from moviola.core.atomic import write_atomic
    from moviola.core.devices import pick_device
    from moviola.core.progress import progress
    from moviola.data.corrupt import FAULTS
    from moviola.data.folders import file_place
    from moviola.data.sources import open_source
    from moviola.pipelines.match import match

    file_place(out)
    names = tuple(part.strip() for part in only.split(",") if part.strip()) or FAULTS
    with progress("fitting", len(names) + 1, quiet=quiet or json) as tick:
        found = match(
            open_source(real),
            open_source(fake),
            names,
            frames=frames,
            size=size,
            clips=clips,
            features=features,
            seed=seed,
            device=str(pick_device(device)),
            tick=tick,
        )
    write_atomic(out, found.mixture.to_json().encode())
    for line in _report(found, out):
        say(line, quiet=quiet, as_json=json)
    if json:
        emit({"output": out, **_figures(found)})


def _figures(found: Match) -> dict[str, Any]:
    return {**vars(found), "fits": [vars(fit) for fit in found.fits]}


def _report(found: Match, out: Path) -> list[str]:
    lines = [
        f"{out}: {sum(fit.weight > 0 for fit in found.fits)} corruptions",
        f"  distance of FAKE {found.target:.2f}, of other real clips {found.floor:.2f}, "
        f"of real clips so corrupted {found.reached:.2f}",
        f"  explains {100 * found.explained:.0f} % of how FAKE differs; 1 to {found.mixture.most} at once",
    ]
    for fit in found.fits:
        if fit.weight > 0:
            low, high = found.mixture.range_of(fit.name)
            lines.append(f"    {fit.name:<13} {100 * fit.weight:3.0f} %  strength {low:.2f} to {high:.2f}")
    return lines + [f"  {note}" for note in found.notes]
