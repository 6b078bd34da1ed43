"""`moviola edit map`: a page that shows where the clips of a latent space lie."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from moviola.cli.common import Device, Json, Quiet, emit, example, say
from moviola.core.errors import ConfigError, FormatError

_Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="A space of videos: a name, or a folder of moviola train.")
]
_Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The page, .html.")]
_Limit = Annotated[int, typer.Option("--limit", metavar="N", help="Show at most N clips, spread over all.")]


@example("moviola edit map inrv-smileys -o map.html")
def command(
    model: _Model,
    output: _Output,
    limit: _Limit = 400,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write one page with a thumbnail of each clip where its code lies; a click shows the clip."""
    started = time.perf_counter()
    from moviola.core.atomic import write_atomic
    from moviola.core.devices import pick_device
    from moviola.data.folders import file_place
    from moviola.models.catalog import load_space
    from moviola.pipelines.edit.latent.space_map import build_map, map_space

    if output.suffix.lower() not in (".html", ".htm"):
        raise FormatError(f"a map is a page; {output} does not end in .html")
    file_place(output)
    if limit < 2:
        raise ConfigError(f"--limit is {limit}; it must be at least 2")
    network = load_space(model, str(pick_device(device)))
    space = map_space(network.codes, limit)
    page = build_map(network, space, f"The space of {Path(model).name}")
    write_atomic(output, page.encode("utf-8"))
    seconds = round(time.perf_counter() - started, 3)
    if json:
        emit({"output": str(output), "clips": len(space.rows), "variance": space.shares, "seconds": seconds})
    size = f"{len(space.rows)} clips, {len(page) / 1e6:.1f} MB, {seconds:.1f} s"
    say(f"map  {output} ({size})", quiet=quiet or json)
