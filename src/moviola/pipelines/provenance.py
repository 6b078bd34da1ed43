"""The records of one run of a verb: what it was asked for, what it was made from, each named from where a file stands.

A path is kept relative to the folder of the file, and only where that names neither a person nor the place of all this
on the machine: where the two have nothing in common but the root or what lies above a home, the name alone is kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from moviola.core import hub
from moviola.core.atomic import final_place
from moviola.core.contents import contents
from moviola.core.devices import pick_device
from moviola.core.errors import InputError
from moviola.core.provenance import OUTPUT, Ingredient, Provenance

LIBRARIES = ("torch", "numpy", "av", "pillow")
"""Whose versions decide the bytes of a file."""
HUB = "hub:"
_NUMBERED = re.compile(r"-\d+")


@dataclass(frozen=True)
class Roles:
    """What the options of a verb mean.

    Attributes:
        inputs: name files or folders that are read.
        models: name models.
        words: hold values of which each, or a part of it before or after "=", may be the path of a file.
        outputs: name what is written.
    """

    inputs: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Run:
    """One run of a verb; makes the record of each file that it writes (a `moviola.core.provenance.Recorder`).

    Args:
        verb: of the command line. version: of moviola.
        values: option to value; None is not given.
        roles: what the options mean.
        resolved, models: what was declared while it ran.
    """

    verb: str
    version: str
    values: Mapping[str, Any]
    roles: Roles
    resolved: dict[str, Any] = field(default_factory=dict)
    models: dict[str, Sequence[str]] = field(default_factory=dict)

    def record(self, path: Path) -> Provenance | None:
        """Return the record of what will stand at `path`; None where no output option leads there.

        Raises:
            InputError: something it is made from cannot be read.
        """
        place = final_place(path)
        outputs = {name: str(self.values[name]) for name in self.roles.outputs if self.values.get(name)}
        for option, output in sorted(outputs.items()):
            part = part_of(place, output)
            if part is not None:
                suffixes = {name: suffix_of(text) for name, text in sorted(outputs.items())}
                return self._made(place.parent, option, part, suffixes)
        return None

    def changed(self, output: Path, settings: Mapping[str, Any]) -> Run:
        """Return a run with other settings, which writes `output` alone."""
        others = dict.fromkeys(self.roles.outputs)
        main = "out" if "out" in self.values else OUTPUT
        return replace(self, values={**self.values, **others, **settings, main: str(output)})

    def declare(self, resolved: Mapping[str, Any], models: Mapping[str, Sequence[str]]) -> None:
        """Take in what the settings came to, and models that no option names."""
        self.resolved.update(resolved)
        self.models.update(models)

    def _made(self, base: Path, option: str, part: str, suffixes: Mapping[str, str]) -> Provenance:
        inputs, models = list[Ingredient](), list[Ingredient]()
        settings = {
            name: self._setting(name, value, base, inputs, models)
            for name, value in self.values.items()
            if name not in self.roles.outputs and value is not None and value is not False and value != []
        }
        for name, texts in self.models.items():
            models = [one for one in models if one.option != name]
            models += [model_ingredient(name, text, base) for text in texts]
        return Provenance(
            verb=self.verb, version=self.version, settings=settings, inputs=tuple(inputs), models=tuple(models),
            output=option, part=part, outputs=suffixes, libraries=library_versions(),
            resolved=_without_places(self.resolved, base),
        )  # fmt: skip

    def _setting(
        self, name: str, value: Any, base: Path, inputs: list[Ingredient], models: list[Ingredient]
    ) -> Any:
        """Return the value of an option as it is kept; what it names goes to `inputs` or `models`."""
        if name in self.roles.inputs:
            return rewritten(value, lambda text: _kept(input_ingredient(name, text, base), text, inputs))
        if name in self.roles.models:
            return rewritten(value, lambda text: _kept(model_ingredient(name, text, base), text, models))
        if name in self.roles.words:
            find = _finder(name, base, inputs)
            return rewritten(value, lambda text: rewritten_word(text, find))
        return str(pick_device(value)) if name == "device" else value


def _kept(one: Ingredient | None, text: str, found: list[Ingredient]) -> str:
    """Put down an ingredient, and return the text that stands for it."""
    if one is None:
        return text
    found.append(one)
    return one.name


def _finder(name: str, base: Path, inputs: list[Ingredient]) -> Callable[[str], str | None]:
    """Return what gives the kept name of a text that is the path of a file; None for any other text."""

    def find(text: str) -> str | None:
        is_path = ("." in text or "/" in text) and Path(text).exists()
        one = input_ingredient(name, text, base) if is_path else None
        return None if one is None else _kept(one, text, inputs)

    return find


def rewritten(value: Any, change: Callable[[str], str]) -> Any:
    """Return the value of an option with each of its texts changed."""
    if isinstance(value, list | tuple):
        return [change(str(text)) for text in value]
    return change(str(value))


def rewritten_word(text: str, find: Callable[[str], str | None]) -> str:
    """Return a text in which the whole, or what is before the last or after the first "=", is replaced.

    Args:
        text: such as "clip.mp4", "style.safetensors=0.8" or "raft=raft.pth".
        find: gives what to put in place of a path; None for what is none.
    """
    whole = find(text)
    if whole is not None or "=" not in text:
        return text if whole is None else whole
    before, _, number = text.rpartition("=")
    if (left := find(before)) is not None:
        return f"{left}={number}"
    key, _, after = text.partition("=")
    right = find(after)
    return text if right is None else f"{key}={right}"


def input_ingredient(option: str, text: str, base: Path) -> Ingredient | None:
    """Return the file or folder that an option names, as a file in `base` keeps it; None where nothing is there.

    Raises:
        InputError: it cannot be read.
    """
    path = Path(text)
    return Ingredient(option, kept_name(path, base), contents(path)) if path.exists() else None


def model_ingredient(option: str, text: str, base: Path) -> Ingredient:
    """Return the model that an option names, as a file in `base` keeps it."""
    prefix, name = (HUB, text[len(HUB) :]) if text.startswith(HUB) else ("", text)
    is_path = not is_embedded(text) and Path(name).exists()
    return Ingredient(
        option, prefix + (kept_name(Path(name), base) if is_path else name), model_checksum(text)
    )


def is_embedded(name: str) -> bool:
    """Return whether a model comes with moviola."""
    from moviola.models.catalog import list_models

    return any(card.name == name for card in list_models())


def model_checksum(text: str) -> str:
    """Return what tells the weights of a model apart: of one of ours its digest, of any other path the contents.

    Args:
        text: a name of the catalog, a folder, a file, or a name of the hub, with or without "hub:".

    Returns:
        For a name of the hub its commit, where it lies on this machine; "" where there is nothing to tell.
    """
    from moviola.models.catalog import family_of, model_digest
    from moviola.pipelines.restyle.work import PICKLES

    name = text.removeprefix(HUB)
    try:
        if name == text and (is_embedded(name) or Path(name).is_dir()):
            family_of(name)
            return model_digest(name)
    except InputError:
        pass  # a folder of another kind
    return contents(name, PICKLES) if Path(name).exists() else hub.revision(name) or ""


def kept_name(path: Path, base: Path) -> str:
    """Return the path from a folder to a file, with forward slashes, or the file's name where that would tell too much.

    Args:
        path: an existing file or folder. base: an existing folder.
    """
    path = Path(os.path.realpath(path.parent if path.name else path)) / path.name
    base = Path(os.path.realpath(base))
    try:
        common, relative = Path(os.path.commonpath([path, base])), Path(os.path.relpath(path, base))
    except ValueError:  # another drive
        return path.name
    home = Path.home()
    is_above_home = home != common and home.is_relative_to(common)
    names_person = home.name in relative.parts
    return path.name if common == common.parent or is_above_home or names_person else relative.as_posix()


def _without_places(values: Any, base: Path) -> Any:
    """Return JSON values in which the path of anything on this machine is kept as `kept_name` says."""
    if isinstance(values, Mapping):
        return {key: _without_places(value, base) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_without_places(value, base) for value in values]
    if isinstance(values, str) and os.path.isabs(values) and os.path.exists(values):
        return kept_name(Path(values), base)
    return values


def suffix_of(output: str) -> str:
    """Return the extension of an output, "/" for a folder."""
    is_folder = output.endswith(("/", os.sep)) or os.path.isdir(output)
    return "/" if is_folder else Path(output).suffix or "/"


def part_of(place: Path, output: str) -> str | None:
    """Return which of the files of an output stands at `place` (see `Provenance.part`); None for none of them."""
    target = final_place(os.path.normpath(output))
    if place == target:
        return ""
    if place.is_relative_to(target):
        return place.relative_to(target).as_posix()
    number = place.stem.removeprefix(target.stem)
    beside = place.parent == target.parent and place.suffix == target.suffix
    return number if beside and number != place.stem and _NUMBERED.fullmatch(number) else None


def place_of(output: Path, part: str) -> Path:
    """Return where a part of an output stands; undoes `part_of`."""
    if not part:
        return output
    return output.with_stem(output.stem + part) if _NUMBERED.fullmatch(part) else output / part


@cache
def library_versions(names: Collection[str] = LIBRARIES) -> dict[str, str]:
    """Return the version of each library that is installed."""
    versions = {}
    for name in names:
        try:
            versions[name] = version_of(name)
        except PackageNotFoundError:
            continue
    return versions
