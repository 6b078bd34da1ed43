"""`moviola train`: run a recipe."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from moviola.cli.common import Device, Json, Quiet, emit, example, say
from moviola.core.devices import pick_device


@example(
    "moviola train nextframe_debug -o trained",
    "moviola train nextframe_sprites --data sprites -o trained --set trainer.steps=4000 --resume",
)
def command(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="textgan_* or nextframe_*; a wrong name lists them.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The model folder to fill.")
    ] = Path("trained"),
    data: Annotated[
        Path | None, typer.Option("--data", metavar="PATH", help="The data; the *_debug recipes need none.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, as trainer.steps=100."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest checkpoint in DIR.")
    ] = False,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Same as --set trainer.seed=N.")] = None,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a network by a recipe; stop with ctrl-C and go on with --resume.

    A text-to-video model has two parts: textgan_* recipes train the first frame (DIR/first), nextframe_* recipes
    the next frame (DIR/next). Train both into one DIR, then: moviola generate "..." --model DIR.

    On many devices: torchrun --nproc-per-node 2 -m moviola train RECIPE -o DIR
    """
    started = time.perf_counter()
    from moviola.recipes.catalog import find
    from moviola.recipes.train import train

    settings = [*(settings or []), *([f"trainer.seed={seed}"] if seed is not None else [])]
    run = find(recipe)(data).with_overrides(settings)
    result = train(run, output, resume=resume, device=str(pick_device(device)), quiet=quiet or json)
    if not result.main:
        return
    seconds = round(time.perf_counter() - started, 3)
    log = output / "runs" / result.part / "log.jsonl"
    if json:
        emit(
            {
                "output": str(output),
                "part": result.part,
                "steps": result.steps,
                "resumed_from": result.resumed_from,
                "log": str(log),
                "seconds": seconds,
            }
        )
    again = f" (went on from step {result.resumed_from})" if result.resumed_from else ""
    say(
        f"trained {output / result.part}: {result.steps} steps{again} in {seconds:.1f} s; log in {log}",
        quiet=quiet,
        as_json=json,
    )
