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
from moviola.core.errors import InputError, UnknownNameError
from moviola.core.provenance import OUTPUT, Ingredient, Provenance

LIBRARIES = ("torch", "numpy", "av", "pillow")
"""Whose versions decide the bytes of a file."""
HUB, CONFIG = "hub:", "config"
_NUMBERED = re.compile(r"-\d+")
_SPEC = re.compile(r"([\w-]+:)(.+?)(#[\w-]+)?")
_PLACE = re.compile(r"(?:(?<=:)|^)/.*/")


@dataclass(frozen=True)
class Roles:
    """What the options of a verb mean.

    Attributes:
        inputs: name files or folders that are read.
        models: name models.
        words: hold values of which each, or a part of it before or after "=", may be the path of a file.
        outputs: name what is written.
        configs: name a config; what it holds is declared, so the file is no input.
    """

    inputs: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    configs: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Run:
    """One run of a verb; makes the record of each file that it writes (a `moviola.core.provenance.Recorder`).

    Args:
        verb: of the command line. version: of moviola.
        values: option to value; None is not given.
        roles: what the options mean.
        resolved, models: what was declared while it ran.
        sums: checksums that are known already, by what was read.
    """

    verb: str
    version: str
    values: Mapping[str, Any]
    roles: Roles
    resolved: dict[str, Any] = field(default_factory=dict)
    models: dict[str, Sequence[str]] = field(default_factory=dict)
    sums: dict[tuple[str, str], str] = field(default_factory=dict)

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
                return self._record_in(place.parent, option, part, suffixes)
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

    def _record_in(self, base: Path, option: str, part: str, suffixes: Mapping[str, str]) -> Provenance:
        inputs, models = list[Ingredient](), list[Ingredient]()
        settings = {
            name: self._setting(name, value, base, inputs, models)
            for name, value in self.values.items()
            if name not in self.roles.outputs and value is not None and value is not False and value != []
        }
        names = dict[str, str]()
        for name, texts in self.models.items():
            models = [one for one in models if one.option != name]
            names.update((text, _put_down(self._model(name, text, base), models)) for text in texts)
        others = list[Ingredient]()
        find = self._finder(CONFIG, base, others, _is_path)
        resolved = renamed_config(self.resolved, lambda text: names.get(text) or find(text) or text)
        known = {one.name for one in inputs}
        inputs += [one for one in dict.fromkeys(others) if one.name not in known]
        return Provenance(
            verb=self.verb, version=self.version, settings=settings, inputs=tuple(inputs), models=tuple(models),
            output=option, part=part, outputs=suffixes, libraries=library_versions(),
            resolved=resolved,
        )  # fmt: skip

    def _setting(
        self, name: str, value: Any, base: Path, inputs: list[Ingredient], models: list[Ingredient]
    ) -> Any:
        """Return the value of an option as it is kept; what it names goes to `inputs` or `models`."""
        if name in self.roles.models:
            return rewritten(value, lambda text: _put_down(self._model(name, text, base), models))
        if name in self.roles.configs:
            return Path(value).name
        if name in self.roles.inputs:
            return rewritten(
                value, lambda text: _nameless(rewritten_word(text, self._finder(name, base, inputs)))
            )
        if name in self.roles.words:
            return rewritten(
                value, lambda text: rewritten_word(text, self._finder(name, base, inputs, _is_path))
            )
        return str(pick_device(value)) if name == "device" else value

    def _finder(
        self, name: str, base: Path, ingredients: list[Ingredient], may_be: Callable[[str], bool] = bool
    ) -> Callable[[str], str | None]:
        """Return what puts down the input that a text names and gives its name; None for any other text."""

        def find(text: str) -> str | None:
            if not (may_be(text) and Path(text).exists()):
                return None
            if ("input", text) not in self.sums:
                self.sums["input", text] = contents(text)
            return _put_down(input_ingredient(name, text, base, self.sums["input", text]), ingredients)

        return find

    def _model(self, name: str, text: str, base: Path) -> Ingredient:
        if ("model", text) not in self.sums:
            self.sums["model", text] = model_checksum(text)
        return model_ingredient(name, text, base, self.sums["model", text])


def _put_down(one: Ingredient, ingredients: list[Ingredient]) -> str:
    """Put down an ingredient, and return the name that stands for it."""
    ingredients.append(one)
    return one.name


def _is_path(text: str) -> bool:
    """Return whether a word looks like the path of a file, not like a number or a name."""
    return "." in text or "/" in text


def _nameless(text: str) -> str:
    """Return the text of an input without the place of one that is not there."""
    return _PLACE.sub("", text)


def rewritten(value: Any, change: Callable[[str], str]) -> Any:
    """Return the value of an option with each of its texts changed."""
    if isinstance(value, list | tuple):
        return [change(str(text)) for text in value]
    return change(str(value))


def rewritten_word(text: str, find: Callable[[str], str | None]) -> str:
    """Return a text in which the path that it names is replaced.

    That is the whole, what is before the last or after the first "=", or PATH of NAME:PATH and NAME:PATH#SPLIT.

    Args:
        text: such as "clip.mp4", "style.safetensors=0.8", "raft=raft.pth" or "kth:data/kth#test".
        find: gives what to put in place of a path; None for what is none.
    """
    before, equals, number = text.rpartition("=")
    key, _, after = text.partition("=")
    parts = [("", text, "")]
    parts += [("", before, f"={number}"), (f"{key}=", after, "")] if equals else []
    parts += [spec.groups(default="")] if (spec := _SPEC.fullmatch(text)) else []
    for left, path, right in parts:
        if (name := find(path)) is not None:
            return f"{left}{name}{right}"
    return text


def input_ingredient(option: str, text: str, base: Path, checksum: str | None = None) -> Ingredient:
    """Return the file or folder that an option names, as a file in `base` keeps it.

    Args:
        option, text: what names it. base: a folder. checksum: of its contents, where it is known.

    Raises:
        InputError: it cannot be read.
    """
    path = Path(text)
    return Ingredient(option, relative_name(path, base), contents(path) if checksum is None else checksum)


def model_ingredient(option: str, text: str, base: Path, checksum: str | None = None) -> Ingredient:
    """Return the model that an option names, as a file in `base` keeps it; arguments as `input_ingredient`."""
    prefix, name = (HUB, text[len(HUB) :]) if text.startswith(HUB) else ("", text)
    is_path = not is_embedded(text) and Path(name).exists()
    shown = relative_name(Path(name), base) if is_path else name
    return Ingredient(option, prefix + shown, model_checksum(text) if checksum is None else checksum)


def is_embedded(name: str) -> bool:
    """Return whether a model comes with moviola."""
    from moviola.models.catalog import find_model

    try:
        return find_model(name).name == name
    except UnknownNameError:
        return False


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


def relative_name(path: Path, base: Path) -> str:
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


def renamed_config(values: Any, change: Callable[[str], str]) -> Any:
    """Return the JSON values of a config with each of its texts changed but for prompts."""
    if isinstance(values, Mapping):
        return {
            key: value if key.endswith("prompt") else renamed_config(value, change)
            for key, value in values.items()
        }
    if isinstance(values, list | tuple):
        return [renamed_config(value, change) for value in values]
    return change(values) if isinstance(values, str) else values


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
