"""How a verb comes to keep the provenance of what it writes: one mark on its function, and `--no-recipe`.

::

    @example("moviola mend film.mp4 -o mended.mp4")
    @recorded("mend")
    def command(input: _Input, output: _Output = None, ...) -> None:

What an option means is read off its type and its name: a `Path` is an input unless it is one of `OUTPUTS`, and the
names below hold for all verbs.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer

if TYPE_CHECKING:
    from moviola.pipelines.provenance import Run

OUTPUTS = frozenset({"output", "out", "sheet", "film", "trace", "save", "report"})
"""Options that name what is written."""
MODELS = frozenset({"model", "refiner"})
"""Options that name a model."""
WORDS = frozenset({"between", "corruption", "lora", "control", "set"})
"""Options of text in which a file may be named."""
LEFT_OUT = frozenset({"json", "quiet", "work", "resume", "workers", "dry-run"})
"""Options that change nothing in what is written."""
RECORDED_ATTRIBUTE = "__moviola_recorded__"

NoRecipe = Annotated[
    bool,
    typer.Option("--no-recipe", help="Do not write into the file how it was made (moviola redo, data info)."),
]


def recorded(verb: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let each file that a command function writes hold how it was made, unless `--no-recipe` is given.

    Args:
        verb: its words on the command line, such as "edit motion".
    """

    def mark(function: Callable[..., None]) -> Callable[..., None]:
        parameters = list(inspect.signature(function).parameters.values())
        hints = get_type_hints(function, include_extras=True)
        names = {p.name: option_name(p.name, hints[p.name]) for p in parameters}
        inputs = frozenset(names[p.name] for p in parameters if _is_path(hints[p.name])) - OUTPUTS - LEFT_OUT

        @functools.wraps(function)
        def command(**values: Any) -> None:
            from moviola.core.provenance import recording

            if values.pop("no_recipe"):
                function(**values)
                return
            options = {names[key]: value for key, value in values.items() if names[key] not in LEFT_OUT}
            with recording(_run(verb, options, inputs)):
                function(**values)

        extra = inspect.Parameter("no_recipe", inspect.Parameter.KEYWORD_ONLY, default=False)
        named = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[p.name]) for p in parameters]
        command.__signature__ = inspect.Signature([*named, extra.replace(annotation=NoRecipe)])  # type: ignore[attr-defined]
        command.__annotations__ = {**{p.name: p.annotation for p in named}, "no_recipe": NoRecipe}
        del command.__wrapped__  # typer would read the annotations of the function within
        setattr(command, RECORDED_ATTRIBUTE, verb)
        return command

    return mark


def _run(verb: str, options: Mapping[str, Any], inputs: frozenset[str]) -> Run:
    from moviola import __version__
    from moviola.pipelines.provenance import Roles, Run

    values = {key: str(value) if isinstance(value, Path) else value for key, value in options.items()}
    return Run(verb, __version__, values, Roles(inputs, MODELS, WORDS, OUTPUTS))


def option_name(name: str, annotation: Any) -> str:
    """Return what an option is called on the command line, without its dashes; the name of an argument."""
    for extra in get_args(annotation)[1:]:
        for word in getattr(extra, "param_decls", None) or ():
            if word.startswith("--"):
                return word[2:]
    is_option = any(isinstance(extra, typer.models.OptionInfo) for extra in get_args(annotation)[1:])
    return name.replace("_", "-") if is_option else name


def _is_path(annotation: Any) -> bool:
    """Return whether an option is a path, or may be one."""
    kind = get_args(annotation)[0] if get_args(annotation) else annotation
    return kind is Path or Path in get_args(kind)
