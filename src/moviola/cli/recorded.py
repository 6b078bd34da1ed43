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
CONFIGS = frozenset({"config"})
"""Options that name a config: what it holds in the end is kept, not the file."""
INTO_CONFIG = frozenset(
    {
        "config", "set", "prompt", "painter", "strength", "model", "control", "lora", "scheduler", "steps",
        "method", "interval", "count", "anchor", "propagation", "flow", "crop", "seed",
        "mask", "invert-mask", "mask-feather",
    }
)  # fmt: skip
"""Options of a verb with a config for which that stands."""
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
        inputs = frozenset(names[p.name] for p in parameters if _is_path(hints[p.name]))
        inputs -= OUTPUTS | CONFIGS | LEFT_OUT

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
    return Run(verb, __version__, values, Roles(inputs, MODELS, WORDS, OUTPUTS, CONFIGS))


def load_recorded(verb: str) -> Any:
    """Return the click command of a verb that keeps records.

    Raises:
        InputError: this version has no such verb.
    """
    from moviola.cli.main import list_verbs, load_verb
    from moviola.core.errors import InputError

    first, *rest = verb.split() or [""]
    command: Any = load_verb(first) if first in list_verbs() else None
    for word in rest:
        command = command.get_command(None, word) if hasattr(command, "get_command") else None
    if getattr(getattr(command, "callback", None), RECORDED_ATTRIBUTE, None) != verb:
        raise InputError(
            f"this version has no verb {verb!r} that makes files again; the file is of another one"
        )
    return command


def command_words(command: Any, settings: Mapping[str, Any], *, usual: bool = True) -> list[str]:
    """Return the words behind a verb that give it these settings.

    Args:
        command: the verb. settings: option to value, as in a record. usual: say also what is the default.

    Raises:
        InputError: it has no such option.
    """
    from moviola.core.errors import InputError

    params = {_param_name(param): param for param in command.params}
    unknown = [name for name in settings if name not in params]
    if unknown:
        raise InputError(
            f"this version's {command.name} has no option {unknown[0]!r}; the file is of another one"
        )
    options, arguments = list[str](), list[str]()
    for name, param in params.items():
        values = settings.get(name, [])
        values = values if isinstance(values, list) else [values]
        if not usual and values == [param.default]:
            continue
        if param.param_type_name == "argument":
            arguments += map(str, values)
        else:
            options += [f"--{name}" if value is True else f"--{name}={value}" for value in values]
    ends = ["--"] if usual or any(word.startswith("-") for word in arguments) else []
    return [*options, *ends, *arguments]


def _param_name(param: Any) -> str:
    """Return what a record calls an option or an argument of a click command."""
    if param.param_type_name == "argument":
        return param.name
    return next((word[2:] for word in param.opts if word.startswith("--")), param.name)


def option_name(name: str, annotation: Any) -> str:
    """Return what an option is called on the command line, without its dashes; the name of an argument."""
    for extra in get_args(annotation)[1:]:
        if isinstance(extra, typer.models.OptionInfo):
            words = [
                extra.default,
                *(extra.param_decls or ()),
            ]  # in Annotated the first name is the "default"
            named = [word[2:] for word in words if isinstance(word, str) and word.startswith("--")]
            return named[0] if named else name.replace("_", "-")
    return name


def _is_path(annotation: Any) -> bool:
    """Return whether an option is a path, or may be one."""
    kind = get_args(annotation)[0] if get_args(annotation) else annotation
    return kind is Path or Path in get_args(kind)
