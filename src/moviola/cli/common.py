"""What every verb shares: its option types, and how it talks to people and to programs.

A verb is a function `command(...)` in `cli/<verb>.py`, or a group `app = group("help")` with sub-commands::

    @example('moviola generate "a person walks to the left" -o walk.mp4')
    def command(prompt: str, json: Json = False, seed: Seed = 0, quiet: Quiet = False) -> None:
        \"\"\"Make a video from a text.\"\"\"
        ...
        say(f"wrote {path}", quiet=quiet, as_json=json)
        if json:
            emit({"output": path, "frames": len(video)})

The docstring up to a heading such as `Args:` is the help text; `example` adds the lines under "Example:".
Results go to stdout; errors are raised (`moviola.core.errors`), and `main.run` prints them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from moviola.core.errors import ConfigError
from moviola.core.names import json_text

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")]
Device = Annotated[str, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1 ... or mps.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Same seed, same result.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Output = Annotated[
    str,
    typer.Option("--output", "-o", metavar="FILE", help="Where to write; FOLDER/ for a folder of frames."),
]
Upscale = Annotated[int, typer.Option("--upscale", metavar="N", help="Enlarge N times, nearest neighbour.")]
Sheet = Annotated[Path | None, typer.Option("--sheet", metavar="PNG", help="Also write a contact sheet.")]

EXAMPLES_ATTRIBUTE = "__moviola_examples__"
LISTS_ATTRIBUTE = "__moviola_lists__"
F = TypeVar("F", bound=Callable[..., Any])


def example(*lines: str) -> Callable[[F], F]:
    """Give a command function the command lines shown under "Example:" in its help.

    Args:
        lines: whole command lines that work as they stand, each beginning with "moviola".
    """

    def mark(function: F) -> F:
        setattr(function, EXAMPLES_ATTRIBUTE, lines)
        return function

    return mark


def takes_lists(*options: str) -> Callable[[F], F]:
    """Let options of a command function take several values at once: `--between A B` is `--between A --between B`.

    Args:
        options: their names, each with its dashes.
    """

    def mark(function: F) -> F:
        setattr(function, LISTS_ATTRIBUTE, options)
        return function

    return mark


def spread_lists(words: list[str], options: tuple[str, ...]) -> list[str]:
    """Return command-line words with each value of such an option behind an option of its own.

    Its values go on until a word that begins with a dash and is no number.
    """
    out: list[str] = []
    option = ""
    for word in words:
        is_value = not word.startswith("-") or word[1:].isdigit()
        if is_value and option and out[-1] != option:
            out.append(option)
        out.append(word)
        if not is_value:
            option = word if word in options else ""
    return out


def group(help: str) -> typer.Typer:
    """Return an empty verb group (`moviola data ...`); add sub-commands with `@app.command("name")`.

    Args:
        help: one line about the group.
    """
    return typer.Typer(help=help, add_completion=False, rich_markup_mode=None)


def say(text: str, *, quiet: bool = False, as_json: bool = False) -> None:
    """Print `text` for a person on stdout, unless `quiet` or `as_json` (stdout then belongs to `emit`)."""
    if not quiet and not as_json:
        print(text)


def emit(result: Any) -> None:
    """Print `result` as one JSON object on one line of stdout.

    Args:
        result: what `to_plain` takes: mappings, lists, dataclasses, pydantic models, numpy values, paths ...
    """
    print(json_text(to_plain(result), allow_nan=False))


def to_plain(value: Any) -> Any:
    """Return `value` as what JSON knows: dict, list, str, int, float, bool, None.

    Fractions become floats, NaN and infinities become None (JSON has neither), anything unknown its `str()`.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | Fraction):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    for method in ("model_dump", "tolist"):  # pydantic models; numpy arrays, numpy scalars and tensors
        if callable(getattr(value, method, None)):
            return to_plain(getattr(value, method)())
    if isinstance(value, Iterable) and not isinstance(value, bytes | Path):
        return [to_plain(item) for item in value]
    return str(value)


def read_size(text: str | None, option: str = "--size", least: int = 1) -> tuple[int, int] | None:
    """Return H and W of "640x360", px; None for None.

    Raises:
        ConfigError: not two whole numbers of at least `least`.
    """
    if text is None:
        return None
    width, sign, height = text.lower().partition("x")
    sides = (height, width)
    if not (sign and all(side.isdecimal() and int(side) >= least for side in sides)):
        raise ConfigError(f"{option} is {text}; it must be WIDTHxHEIGHT, such as 256x256")
    return int(height), int(width)
