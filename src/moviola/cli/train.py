"""`moviola train`: run a recipe."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moviola.cli.common import Device, Json, Quiet, emit, example, say
from moviola.core.devices import pick_device
from moviola.recipes.catalog import CATALOG

if TYPE_CHECKING:
    from moviola.recipes.train import Trained


@example(
    "moviola train nextframe_debug -o trained",
    "moviola train nextframe_sprites --data sprites -o trained --set trainer.steps=4000 --resume",
)
def command(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help=f"What is trained, how and on what: {', '.join(CATALOG)}.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The model folder to fill.")
    ] = Path("trained"),
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="The data, or NAME:PATH (moviola data list); the *_debug recipes need none.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, as trainer.steps=100."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest checkpoint in DIR.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, help="Same as --set trainer.seed=N.")
    ] = None,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a network by a recipe; stop with ctrl-C and go on with --resume.

    A text-to-video model has two parts: textgan_* recipes train the first frame (DIR/first), nextframe_* recipes
    the next frame (DIR/next). Train both into one DIR, then: moviola generate "..." --model DIR.
    regis_* recipes train a refiner, which is the whole of DIR: moviola refine VIDEO -o OUT --model DIR.

    On many devices: torchrun --nproc-per-node 2 -m moviola train RECIPE -o DIR
    """
    started = time.perf_counter()
    from moviola.recipes.catalog import find
    from moviola.recipes.train import next_command, train

    settings = [*(settings or []), *([f"trainer.seed={seed}"] if seed is not None else [])]
    run = find(recipe)(data).with_overrides(settings)
    result = train(run, output, resume=resume, device=str(pick_device(device)), quiet=quiet or json)
    if result.main:
        _tell(result, next_command(run, output), round(time.perf_counter() - started, 3), json, quiet)


def _tell(result: Trained, use: str, seconds: float, json: bool, quiet: bool) -> None:
    """Print what was trained, where it is and what comes next, for programs or for people."""
    log = result.output / "runs" / result.part / "log.jsonl"
    if json:
        shape = {key: getattr(result, key) for key in ("output", "part", "weights", "steps", "resumed_from")}
        emit({**shape, "log": log, "seconds": seconds, "next": use})
    again = f" (went on from step {result.resumed_from})" if result.resumed_from else ""
    say(
        f"trained {result.weights}: {result.steps} steps{again} in {seconds:.1f} s; log in {log}",
        quiet=quiet or json,
    )
    if use:
        say(f"next    {use}", quiet=quiet or json)
