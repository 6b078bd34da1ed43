"""The options that all tasks of a space of videos share, written once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from moviola.cli.common import Device, Json, Output, Quiet, Seed, read_size
from moviola.core.errors import ConfigError

if TYPE_CHECKING:
    from moviola.pipelines.edit.latent.fit import FitConfig

DEFAULT_MODEL = "inrv-smileys"

Model = Annotated[
    str,
    typer.Option("--model", metavar="MODEL", help="A space of videos: a name, or a folder of moviola train."),
]
Size = Annotated[
    str | None,
    typer.Option("--size", metavar="WxH", help="Draw at this size, px; the model's own by default."),
]
Fps = Annotated[
    float | None, typer.Option("--fps", metavar="F", help="Frames a second; more show more instants between.")
]
Steps = Annotated[
    int, typer.Option("--steps", metavar="N", help="Steps of the fit; 0 for the best start as it is.")
]
Starts = Annotated[
    int, typer.Option("--starts", metavar="N", help="Codes that are fitted at once; the best is kept.")
]
Loop = Annotated[bool, typer.Option("--loop", help="Repeat a clip that is too short for the model.")]


@dataclass(frozen=True)
class TaskOptions:
    """What a person asked for, of any task; each field is an option of the command line."""

    output: Output
    model: Model = DEFAULT_MODEL
    size: Size = None
    fps: Fps = None
    steps: Steps = 200
    starts: Starts = 4
    free: Annotated[
        str | None,
        typer.Option(
            "--free", metavar="heads", help="Then fit the first layers behind the code, too, in a copy."
        ),
    ] = None
    plain: Annotated[
        bool,
        typer.Option("--plain", help="The model's own picture; else what was observed is kept as it is."),
    ] = False
    truth: Annotated[
        Path | None,
        typer.Option("--truth", metavar="FILE", help="The whole clip, to judge what was invented."),
    ] = None
    film: Annotated[
        str | None,
        typer.Option("--film", metavar="FILE", help="Input, observed, result and truth side by side, too."),
    ] = None
    loop: Loop = False
    seed: Seed = 0
    device: Device = "auto"
    json: Json = False
    quiet: Quiet = False

    def fit_config(self) -> FitConfig:
        """Return the settings of the fit.

        Raises:
            ConfigError: a number out of range, or an unknown part to free.
        """
        from moviola.pipelines.edit.latent.fit import FitConfig

        if self.free not in (None, "heads"):
            raise ConfigError(f"--free is {self.free!r}; it is heads")
        least = {"--steps": (self.steps, 0), "--starts": (self.starts, 1)}
        for name, (value, lowest) in least.items():
            if value < lowest:
                raise ConfigError(f"{name} is {value}; it must be at least {lowest}")
        free = max(1, self.steps // 2) if self.free else 0
        return FitConfig(steps=self.steps, starts=self.starts, free_steps=free, seed=self.seed)


def shares_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command function the options of `TaskOptions` after its own, and one such object as `options`.

    Args:
        function: its keyword argument `options` is what this makes.
    """
    own = [p for p in inspect.signature(function).parameters.values() if p.name != "options"]
    hints = {
        k: v
        for k, v in get_type_hints(function, include_extras=True).items()
        if k not in ("options", "return")
    }
    shared = get_type_hints(TaskOptions, include_extras=True)
    names = [field.name for field in fields(TaskOptions)]

    @functools.wraps(function)
    def command(**values: Any) -> None:
        options = TaskOptions(**{name: values.pop(name) for name in names})
        function(**values, options=options)

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[p.name]) for p in own]
    defaults = {name: TaskOptions.__dataclass_fields__[name].default for name in names}
    parameters += [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if name == "output" else defaults[name],
            annotation=shared[name],
        )
        for name in names
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    del command.__wrapped__  # typer would read the annotations of the function within
    return command


def read_space_size(text: str | None, option: str = "--size") -> tuple[int, int] | None:
    """Return H and W of "640x360" where a space of videos can be drawn so; None for None.

    Raises:
        ConfigError: something else, or a side below 1 or above 16384.
    """
    from moviola.pipelines.edit.latent.render import check_size

    size = read_size(text, option, least=0)
    if size is not None:
        check_size(*size)
    return size
