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


def is_picture(path: Path) -> bool:
    """Return whether a file with a record is one picture, which no data set is."""
    from moviola.data.codec import IMAGE_SUFFIXES, probe

    return path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES and probe(path).frames == 1


def tell_picture(path: Path, record: Provenance, json: bool, quiet: bool) -> None:
    """Print the size of a picture and how it was made."""
    from moviola.data.codec import probe

    info = probe(path)
    if json:
        emit(
            {
                "path": path,
                "width": info.width,
                "height": info.height,
                "provenance": provenance_values(record),
            }
        )
    for line in [f"{path}: a picture of {info.width}x{info.height}", *provenance_lines(record)]:
        say(line, quiet=quiet, as_json=json)


def provenance_values(record: Provenance | None) -> dict[str, Any] | None:
    """Return the JSON form of a record."""
    return None if record is None else loads(record.to_json())


def provenance_lines(record: Provenance | None) -> list[str]:
    """Return a record as lines for a person."""
    if record is None:
        return []
    lines = [f"  made by   moviola {record.version} {record.verb}"]
    lines += [f"  seed      {record.seed}"] if record.seed is not None else []
    lines += [f"  model     {_ingredient(one)}" for one in record.models]
    lines += [f"  from      {_ingredient(one)}" for one in record.inputs]
    lines.append(f"  command   {_command(record)}")
    return ["".join(c if c.isprintable() else repr(c)[1:-1] for c in line) for line in lines]


def _ingredient(one: Ingredient) -> str:
    return f"{one.name} ({one.sha256[:_SHOWN] or 'no checksum'})"


def _command(record: Provenance) -> str:
    """Return the command line, without what is the default; the settings where this version has another verb."""
    from moviola.cli.recorded import command_words, load_recorded

    outputs = {name: f"{name.upper()}{suffix}" for name, suffix in record.outputs.items()}
    try:
        words = command_words(load_recorded(record.verb), {**record.settings, **outputs}, usual=False)
    except InputError:
        words = [f"{key}={value}" for key, value in record.settings.items()]
    return shlex.join(["moviola", *record.verb.split(), *words])
