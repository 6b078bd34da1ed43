"""`moviola redo`: make a file again by what it says of how it was made."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import redirect_stdout
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moviola.cli.common import Json, Output, Quiet, emit, example, say
from moviola.cli.recorded import INTO_CONFIG, LEFT_OUT, OUTPUTS, command_words, load_recorded
from moviola.core.errors import ConfigError, InputError, OutputError
from moviola.core.names import json_text
from moviola.core.notes import note

if TYPE_CHECKING:
    from moviola.core.provenance import Provenance
    from moviola.pipelines.redo import Plan

_SUFFIX = re.compile(r"/|\.\w+")
_File = Annotated[
    Path, typer.Argument(metavar="FILE", help="What moviola made: a video, a picture or a folder of frames.")
]
_Inputs = Annotated[
    list[Path] | None,
    typer.Option(
        "--inputs", metavar="DIR", help="Where inputs lie that are not where they were; any number of times."
    ),
]
_Force = Annotated[
    bool, typer.Option("--force", help="Make it with what is here, though something differs from then.")
]
_Device = Annotated[
    str | None, typer.Option("--device", metavar="NAME", help="Run on another device than it was made on.")
]


@example(
    "moviola redo walk.mp4 -o again.mp4",
    "moviola redo painted.mp4 -o again.mp4 --inputs clips",
    "moviola redo walk.mp4 -o newer.mp4 --force",
)
def command(
    file: _File,
    output: Output,
    inputs: _Inputs = None,
    force: _Force = False,
    device: _Device = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a file again by the record of how it was made that stands in it.

    By the same version, with the same model and inputs, on the same machine, it is the same file byte for byte. Where
    something differs that is said, and nothing is made; --force makes it all the same. moviola data info FILE shows the
    record.
    """
    from moviola import __version__
    from moviola.pipelines.redo import plan_redo

    started = time.perf_counter()
    provenance = _read(file)
    target = _check_output(file, output)
    plan = plan_redo(file, provenance, __version__, folders=inputs or (), device=device)
    _check_differences(file, plan, force)
    for difference in plan.differences:
        say(f"note: {difference}", quiet=quiet, as_json=json)
    change = _make(plan, file, target, quiet or json)
    report = _report(target, plan, change, output)
    report["seconds"] = round(time.perf_counter() - started, 3)
    if json:
        emit(report)
    _tell(file, report, quiet or json)


def _read(file: Path) -> Provenance:
    from moviola.pipelines.descent import read_provenance

    if not file.exists():
        raise InputError(f"no such file or folder: {file}")
    provenance = read_provenance(file)
    if provenance is None:
        advice = (
            "name one of the files in it" if file.is_dir() else "what a verb writes without --no-recipe does"
        )
        raise InputError(f"{file} does not say how it was made; {advice}")
    part = PurePosixPath(provenance.part)
    is_inside = not part.is_absolute() and ".." not in part.parts
    is_known = provenance.outputs.keys() <= OUTPUTS and provenance.output in provenance.outputs
    is_plain = all(_SUFFIX.fullmatch(suffix) for suffix in provenance.outputs.values())
    if not (is_inside and is_known and is_plain) or (OUTPUTS | LEFT_OUT) & provenance.settings.keys():
        raise InputError(f"{file} says of how it was made what no verb would say; its record is damaged")
    return provenance


def _check_output(file: Path, output: str) -> Path:
    """Return where to write, which has the form of the file."""
    target = Path(output)
    if file.is_dir():
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise OutputError(f"{target} exists and is not an empty folder; name a new one")
    elif output.endswith("/") or target.suffix.lower() != file.suffix.lower():
        raise ConfigError(f"{file.name} is made again as {file.suffix}; {output} is something else")
    elif target.is_dir():
        raise OutputError(f"cannot write {target}: it is a folder; name a file")
    if not Path(os.path.realpath(target)).parent.is_dir():
        raise OutputError(f"no folder {target.parent} to write {target.name} into; make it first")
    return target


def _check_differences(file: Path, plan: Plan, force: bool) -> None:
    """Refuse to make what would be another result.

    Raises:
        InputError: there is a difference; the line names each.
    """
    if plan.missing:
        raise InputError(f"{file} cannot be made again: {_joined(plan.missing)}")
    if plan.telling and not force:
        raise InputError(
            f"{file} would not come out the same: {_joined(plan.telling)}; --force makes it with what is here"
        )


def _joined(differences: Any) -> str:
    return "; ".join(str(one) for one in differences)


def _make(plan: Plan, file: Path, target: Path, quiet: bool) -> str | None:
    """Run the verb into a hidden folder and keep the file that is wanted; return how it differs, None if not."""
    from moviola import __version__
    from moviola.core.atomic import workplace
    from moviola.core.contents import contents
    from moviola.core.provenance import recording
    from moviola.pipelines.provenance import place_of
    from moviola.pipelines.redo import FixedRecord, describe_change

    provenance, parent = plan.provenance, Path(os.path.realpath(target)).parent
    with workplace(parent, target.name) as work:
        places = {name: f"{work / name}{suffix}" for name, suffix in provenance.outputs.items()}
        result = place_of(Path(places[provenance.output]), provenance.part)
        record = plan.renewed(parent, __version__) if plan.differences else provenance
        with recording(FixedRecord(record, result)):
            _run(provenance.verb, {**_settings(plan, work), **places}, quiet)
        if not result.exists():
            raise InputError(f"moviola {provenance.verb} made no {result.name} this time")
        change = None if contents(file) == contents(result) else describe_change(file, result)
        _keep(result, target)
    return change


def _settings(plan: Plan, work: Path) -> dict[str, Any]:
    """Return what the verb is given; where it has a config that stands for what goes into it, in a file in `work`."""
    if not plan.config:
        return dict(plan.settings)
    config = work / "config.json"
    config.write_text(json_text(plan.config))
    others = {key: value for key, value in plan.settings.items() if key not in INTO_CONFIG}
    return {**others, "config": str(config)}


def _keep(result: Path, target: Path) -> None:
    """Copy what was made to where it is wanted, with the record beside it."""
    from moviola.core.atomic import new_folder, staged
    from moviola.data.codec.comments import side_file

    if result.is_dir():
        with new_folder(target) as hidden:
            shutil.copytree(result, hidden, dirs_exist_ok=True)
        return
    for source, place in ((result, target), (side_file(result), side_file(target))):
        if source.is_file():
            with staged(place) as hidden:
                shutil.copyfile(source, hidden)


def _run(verb: str, settings: dict[str, Any], quiet: bool) -> None:
    """Run a verb on its settings; what it prints of places that are hidden is not shown."""
    command = load_recorded(verb)
    words = ["--no-recipe", *(["--quiet"] if quiet else []), *command_words(command, settings)]
    with open(os.devnull, "w") as nothing, redirect_stdout(nothing):
        command.invoke(command.make_context(verb, words))


def _report(target: Path, plan: Plan, change: str | None, output: str) -> dict[str, Any]:
    from moviola.data.codec import probe

    info = probe(target)
    return {
        "output": output,
        "frames": info.frames,
        "fps": float(info.fps),
        "width": info.width,
        "height": info.height,
        "seconds": 0.0,
        "verb": plan.provenance.verb,
        "identical": change is None,
        "change": change,
        "differences": [vars(one) for one in plan.differences],
    }


def _tell(file: Path, report: dict[str, Any], quiet: bool) -> None:
    """Print what was made, for people; how it differs from the file is said in any case."""
    size = f"{report['frames']} frames of {report['width']}x{report['height']}"
    say(f"video  {report['output']} ({size}, {report['seconds']:.1f} s)", quiet=quiet)
    if report["identical"]:
        say(f"same   byte for byte as {file}", quiet=quiet)
        return
    reason = "" if report["differences"] else ", though nothing that the record names does"
    note(f"{report['output']} differs from {file}{reason}: {report['change']}")
