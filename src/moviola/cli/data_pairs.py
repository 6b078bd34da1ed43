"""`moviola data pairs`: generated clips beside the real ones that they should have been."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moviola.cli.common import Device, Json, Quiet, Seed, emit, example, say
from moviola.cli.recorded import recorded


@example("moviola data pairs sprites PARTS pairs -n 200 --held-out")
@recorded("data pairs")
def pairs_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A text-to-video model: name or folder.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="The real clips it was trained on; - where they are drawn.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder: OUT/real and OUT/generated.")],
    count: Annotated[int, typer.Option("-n", "--count", metavar="N", help="Pairs.", min=1)] = 100,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            metavar="NAME",
            help="Kind of the data: sprites, actions, digits, icons or videos; by default the model's name.",
        ),
    ] = "",
    frames: Annotated[int, typer.Option("--frames", metavar="T", help="Frames of a clip.", min=2)] = 16,
    held_out: Annotated[bool, typer.Option("--held-out", help="Clips never trained on.")] = False,
    given: Annotated[bool, typer.Option("--given", help="Start from the real first frame.")] = False,
    anywhere: Annotated[bool, typer.Option("--anywhere", help="Begin anywhere in longer clips.")] = False,
    device: Device = "auto",
    seed: Seed = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Generate from the captions of real clips, and keep both.

    Refiners are trained on such pairs, and judged on held-out ones.
    """
    from moviola.core.devices import pick_device
    from moviola.core.progress import progress
    from moviola.models.catalog import load_text_to_video
    from moviola.pipelines.pairs import make_pairs, write_pairs
    from moviola.recipes.base import DataConfig

    loaded = load_text_to_video(model, str(pick_device(device)))
    path = None if str(data) == "-" else str(data)
    clips = DataConfig.make({"kind": kind or model, "path": path}).open(held=held_out)
    made = make_pairs(loaded, clips, count, frames=frames, seed=seed, given=given, anywhere=anywhere)
    with progress("pairs", count, quiet or json) as tick:
        folder = write_pairs(made, out, tick)
    say(f"{count} pairs in {folder}", quiet=quiet, as_json=json)
    if json:
        emit({"output": folder, "pairs": count, "frames": frames})
