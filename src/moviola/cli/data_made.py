"""How a file was made, as `moviola data info` tells it."""

from __future__ import annotations

import shlex
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moviola.cli.common import emit, say
from moviola.core.errors import InputError

if TYPE_CHECKING:
    from moviola.core.provenance import Ingredient, Provenance

_SHOWN = 12  # digits of a checksum


def read_made(path: Path) -> Provenance | None:
    """Return how a single file or folder of frames was made; None for a data set, and for what does not say."""
    from moviola.pipelines.descent import read_provenance

    return read_provenance(path)


def is_picture(path: Path) -> bool:
    """Return whether a file with a record is one picture, which no data set is."""
    from moviola.data.codec import IMAGE_SUFFIXES, probe

    return path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES and probe(path).frames == 1


def tell_picture(path: Path, made: Provenance, json: bool, quiet: bool) -> None:
    """Print the size of a picture and how it was made."""
    from moviola.data.codec import probe

    info = probe(path)
    if json:
        emit({"path": path, "width": info.width, "height": info.height, "provenance": made_values(made)})
    for line in [f"{path}: a picture of {info.width}x{info.height}", *made_lines(made)]:
        say(line, quiet=quiet, as_json=json)


def made_values(made: Provenance | None) -> dict[str, Any] | None:
    """Return the JSON form of a record."""
    return None if made is None else loads(made.to_json())


def made_lines(made: Provenance | None) -> list[str]:
    """Return a record as lines for a person."""
    if made is None:
        return []
    lines = [f"  made by   moviola {made.version} {made.verb}"]
    lines += [f"  seed      {made.seed}"] if made.seed is not None else []
    lines += [f"  model     {_ingredient(one)}" for one in made.models]
    lines += [f"  from      {_ingredient(one)}" for one in made.inputs]
    return [*lines, f"  command   {_command(made)}"]


def _ingredient(one: Ingredient) -> str:
    return f"{one.name} ({one.sha256[:_SHOWN] or 'no checksum'})"


def _command(made: Provenance) -> str:
    """Return the command line, without what is the default; the settings where this version has another verb."""
    from moviola.cli.recorded import command_words, load_recorded

    outputs = {name: f"{name.upper()}{suffix}" for name, suffix in made.outputs.items()}
    try:
        words = command_words(load_recorded(made.verb), {**made.settings, **outputs}, usual=False)
    except InputError:
        words = [f"{key}={value}" for key, value in made.settings.items()]
    return shlex.join(["moviola", *made.verb.split(), *words])
