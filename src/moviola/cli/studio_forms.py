"""The forms of the studio, from the options of the verbs and the settings of their pipelines."""

from __future__ import annotations

import importlib
import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any

from typer.models import OptionInfo, ParameterInfo

from moviola.core.errors import ConfigError, MoviolaError
from moviola.studio.forms import Field, Form, Kind

if TYPE_CHECKING:
    from pydantic import BaseModel

_LEFT_OUT = frozenset(
    [
        "output", "json", "quiet", "sheet", "trace", "report", "film", "work", "resume", "keys", "config", "set",
        "listing", "device", "ray", "dry_run", "baseline", "checkpoints", "no_cache", "save",
    ]
)  # fmt: skip
"""Options that the studio sets itself, or that have no meaning in it."""
_PROSE = frozenset(["prompt", "then", "negative", "text", "between", "candidate", "label"])
_CHOICES = re.compile(r"[a-z][a-z-]*(?:\|[a-z][a-z-]*)+")
_PAINTERS = ("watercolor", "oil", "cartoon", "ink", "sketch", "diffusion")
_MODELS = {"generate": "text-to-video", "refine": "regis", "edit motion": "freqmotion", "edit map": "inrv"}
_KNOWN: dict[str, dict[str, tuple[str, ...]]] = {
    "refine": {"size": ("tile", "resize", "whole")},
    "restyle": {
        "painter": _PAINTERS, "propagation": ("patch", "warp", "linear"), "flow": ("dis", "lk", "raft"),
        "method": ("flow", "uniform", "histogram", "orb", "deep", "latent", "optimal"),
    },
    "sample": {"format": ("mp4", "webm", "mkv", "gif", "webp", "npz", "png-folders")},
}  # fmt: skip
_MAIN: dict[str, str] = {
    "generate": "prompt model frames seed refine upscale",
    "sample": "model num prompt frames seed",
    "refine": "input model iterations seed",
    "restyle": "input prompt painter strength interval mend seed",
    "mend": "input flicker guide seams drift stills",
    "edit motion": "model frames gain alter seed upscale",
    "edit interpolate": "between model seconds size",
    "edit inpaint": "input mask size",
    "edit predict": "input frames size",
    "edit upsample": "input size",
    "edit map": "model",
    "evaluate": "real fake metrics settings",
}
"""The verbs of the studio, each with the fields that are shown at once."""
_SUFFIXES = {"sample": "", "edit map": ".html", "evaluate": ""}
_OUTPUTS = {"evaluate": "--report"}
_PRESETS: dict[str, tuple[tuple[str, Mapping[str, Any]], ...]] = {
    "generate": (
        ("a person walks", {
            "prompt": "a person with green hair, a white shirt, red trousers and brown boots walks to the left",
            "model": "sprites", "frames": 16, "upscale": 4,
        }),
        ("a person waves", {"prompt": "a person waves both hands", "model": "actions", "frames": 40, "upscale": 4}),
        ("two digits", {
            "prompt": "the digit 7 is moving left and right and the digit 9 is moving up and down",
            "model": "digits", "frames": 48, "upscale": 4,
        }),
    ),
    "sample": (
        ("people", {"model": "sprites", "num": 8}), ("faces", {"model": "inrv-smileys", "num": 8}),
        ("dots", {"model": "freqmotion-toy", "num": 8}),
    ),
    "refine": (
        ("two passes", {"model": "regis-u", "iterations": "2"}),
        ("until it settles", {"model": "regis-u", "iterations": "auto"}),
    ),
    "restyle": tuple((name, {"painter": name}) for name in _PAINTERS[:-1]),
    "mend": (
        ("whatever is found", {}), ("flicker", {"flicker": True}), ("drift", {"drift": True}),
        ("repeated frames", {"stills": True}),
    ),
    "edit motion": (
        ("the fast stops", {"model": "freqmotion-toy", "frames": 64, "gain": "high=0", "upscale": 8}),
        ("the fast alone", {"model": "freqmotion-toy", "frames": 64, "keep": "high", "upscale": 8}),
    ),
    "evaluate": (
        ("motion and flicker", {"metrics": ["motion", "flicker"]}),
        ("the usual ones", {"metrics": ["fvd", "kvd", "fvmd-lk", "motion", "flicker"]}),
        ("pair by pair", {"metrics": ["ssim", "psnr"]}),
    ),
    "edit interpolate": (
        ("three faces", {"between": ["crying face", "grinning face", "robot"], "size": "256x256"}),
    ),
}  # fmt: skip


def make_forms() -> list[Form]:
    """Return the forms of the verbs that the studio runs."""
    return [make_form(verb) for verb in _MAIN]


def make_form(verb: str) -> Form:
    """Return the form of a verb, "generate" or "edit motion"."""
    from moviola.cli.main import TASKS, VERBS

    name, _, task = verb.partition(" ")
    module, attribute, title = TASKS[name][task] if task else VERBS[name]
    function = getattr(importlib.import_module(f"moviola.cli.{module}"), attribute)
    fields = _fields(verb, function)
    has_settings = verb == "restyle"
    return Form(
        verb, title, tuple(fields), _SUFFIXES.get(verb, ".mp4"), _OUTPUTS.get(verb, "--output"), _PRESETS.get(verb, ()),
        partial(check, verb), partial(_restyle_settings, {one.name for one in fields}) if has_settings else lambda: (),
    )  # fmt: skip


def check(verb: str, words: list[str]) -> None:
    """Read words as the command line would, and run nothing.

    Raises:
        ConfigError: it would refuse them; the line says which.
    """
    from moviola.cli.main import load_verb

    name, *tasks = verb.split()
    command = load_verb(name)
    for task in tasks:
        command = command.get_command(None, task)
    try:
        command.make_context(verb, list(words))
    except MoviolaError:
        raise
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        raise ConfigError(error.format_message().strip().rstrip(".")) from None  # type: ignore[attr-defined]


def _fields(verb: str, function: Callable[..., Any]) -> list[Field]:
    """Return the fields of a command function, those that are shown at once first."""
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    fields = [
        _field(verb, name, hints[name], parameter.default)
        for name, parameter in parameters.items()
        if name not in _LEFT_OUT and typing.get_origin(hints[name]) is Annotated
    ]
    main = _MAIN[verb].split()
    return sorted(fields, key=lambda one: main.index(one.name) if one.main else len(main))


def _field(verb: str, name: str, annotation: Any, default: Any) -> Field:
    kind, info, *_ = typing.get_args(annotation)
    bare, many = _bare(kind)
    metavar = (info.metavar or "").strip("[]")
    choices = tuple(metavar.split("|")) if _CHOICES.fullmatch(metavar) else ()
    models = _models(verb, name)
    known = choices or _KNOWN.get(verb, {}).get(name, ()) or tuple(models)
    usual = None if default is inspect.Parameter.empty or default == "" else default
    what: Kind = "flag" if bare is bool else "choice" if choices else _kind(bare)
    return Field(
        name, _option(info, name), what, info.help or "", str(usual) if isinstance(usual, Path) else usual,
        default is inspect.Parameter.empty, many, name in _MAIN[verb].split(), known, name in _PROSE,
        models,
    )  # fmt: skip


def _bare(kind: Any) -> tuple[Any, bool]:
    """Return a type without "| None" and list[...], and whether it was a list."""
    if typing.get_origin(kind) in (typing.Union, UnionType):
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
    is_list = typing.get_origin(kind) is list
    return (typing.get_args(kind)[0], True) if is_list else (kind, False)


def _kind(bare: Any) -> Kind:
    return "whole" if bare is int else "number" if bare is float else "file" if bare is Path else "text"


def _option(info: ParameterInfo, name: str) -> str:
    if not isinstance(info, OptionInfo):
        return ""
    long = [word for word in info.param_decls or () if word.startswith("--")]
    return long[0] if long else f"--{name.replace('_', '-')}"


def _models(verb: str, name: str) -> dict[str, str]:
    """Return the models at hand that a verb can be given, each with what it shows and what one can say to it."""
    if name not in ("model", "refiner"):
        return {}
    from moviola.models.catalog import list_models

    family = "regis" if name == "refiner" else _MODELS.get(verb, "inrv" if verb.startswith("edit ") else "")
    return {
        card.name: f"{card.summary}\n{card.says}".strip()
        for card in list_models()
        if card.family.startswith(family) and (family or not card.family.startswith("regis"))
    }


def _restyle_settings(known: set[str]) -> Sequence[Field]:
    """Return every other setting of restyling, by its dotted name, as `--set` takes it."""
    from moviola.pipelines.restyle import RestyleConfig

    leaves = settings_of(RestyleConfig)
    return [field for field in leaves if field.name not in known]


def settings_of(config: type[BaseModel], above: str = "") -> list[Field]:
    """Return the settings of a config class as fields of kind "setting", with what its docstring says of each.

    Args:
        config: the class; settings that are configs themselves are walked through.
        above: the dotted name of the setting that it is, with a dot at its end.
    """
    about = attribute_help(config)
    fields: list[Field] = []
    for name, info in config.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and hasattr(inner, "model_fields"):
            fields += settings_of(inner, f"{above}{name}.")
            continue
        default = info.get_default(call_default_factory=True)
        shown = None if default is None or default == {} else str(default)
        fields.append(Field(f"{above}{name}", "--set", "setting", about.get(name, ""), shown))
    return fields


def attribute_help(config: type) -> dict[str, str]:
    """Return what the "Attributes:" of a class's docstring say, by name, those of the classes above it too."""
    helps: dict[str, str] = {}
    for one in reversed(config.__mro__):
        part = (
            inspect.cleandoc(one.__dict__.get("__doc__") or "").partition("Attributes:\n")[2].split("\n\n")[0]
        )
        entries = re.split(r"(?:^ {4}|(?<=[.;]) )(?=\w[\w, ]*: )", part, flags=re.MULTILINE)
        for entry in entries:
            names, colon, text = entry.partition(": ")
            if colon:
                line = " ".join(text.split())
                helps |= {name.strip(): line for name in names.split(",")}
    return helps
