"""What it takes to make a file again: where its inputs are now, and what differs from when it was made.

The verb itself is run by whoever calls this (`moviola.cli.redo`); here is what that needs, and nothing is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from moviola.core.atomic import final_place
from moviola.core.contents import contents
from moviola.core.errors import InputError
from moviola.core.provenance import Ingredient, Provenance
from moviola.data import codec
from moviola.pipelines.provenance import (
    HUB,
    input_ingredient,
    is_embedded,
    library_versions,
    model_checksum,
    model_ingredient,
    renamed_config,
    rewritten,
    rewritten_word,
)

Kind = Literal["version", "library", "model", "input", "missing", "device"]


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was when a file was made.

    Attributes:
        kind: what it is. name: of the library, the model or the input. text: a sentence without its full stop.
    """

    kind: Kind
    name: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Plan:
    """How to make a file again.

    Attributes:
        provenance: of the file.
        settings: option to value, with the paths at which things lie now.
        config: the same of the config, where the verb has one.
        differences: from when it was made.
        paths: of each input and model, in the order of the record; a model's name where it is no path.
    """

    provenance: Provenance
    settings: Mapping[str, Any]
    config: Mapping[str, Any]
    differences: tuple[Difference, ...] = ()
    paths: tuple[tuple[Ingredient, str], ...] = field(default=(), repr=False)

    @property
    def missing(self) -> tuple[Difference, ...]:
        """The inputs that lie nowhere: without them nothing can be made."""
        return tuple(one for one in self.differences if one.kind == "missing")

    @property
    def telling(self) -> tuple[Difference, ...]:
        """The differences for which the same settings mean another result: all but those of libraries and devices."""
        return tuple(one for one in self.differences if one.kind not in ("library", "device"))

    def renewed(self, base: Path, version: str) -> Provenance:
        """Return the record of what this plan makes now, for a file in `base` made by `version` of moviola."""
        inputs = [input_ingredient(one.option, path, base) for one, path in self._of(self.provenance.inputs)]
        models = [model_ingredient(one.option, path, base) for one, path in self._of(self.provenance.models)]
        names = {path: one.name for (_, path), one in zip(self.paths, [*inputs, *models], strict=True)}
        settings = {key: _renamed(value, names) for key, value in self.settings.items()}
        return replace(
            self.provenance, version=version, settings=settings, inputs=tuple(inputs), models=tuple(models),
            libraries=library_versions(), resolved=renamed_config(self.config, lambda text: names.get(text, text)),
        )  # fmt: skip

    def _of(self, ingredients: Iterable[Ingredient]) -> list[tuple[Ingredient, str]]:
        return [(one, path) for one, path in self.paths if any(one is other for other in ingredients)]


def plan_redo(
    file: str | Path,
    provenance: Provenance,
    version: str,
    *,
    folders: Sequence[Path] = (),
    device: str | None = None,
) -> Plan:
    """Find what a file was made from, and compare it with the record.

    Args:
        file: the file. provenance: how it was made (`moviola.pipelines.descent.read_provenance`).
        version: of moviola now.
        folders: where inputs may lie that are not at their place, also under other names, besides the file's folder and
            the present one.
        device: to run on; None for that of the record.

    Raises:
        InputError: something that is there cannot be read.
    """
    base, differences, paths = Path(os.path.realpath(file)).parent, list[Difference](), list[Any]()
    if provenance.version != version:
        text = f"version: moviola {provenance.version} made it, this is {version}"
        differences.append(Difference("version", "moviola", text))
    for name, now in library_versions().items():
        before = provenance.libraries.get(name, now)
        if before != now:
            differences.append(Difference("library", name, f"{name} was {before}, this is {now}"))
    places = [*folders, base, Path.cwd()]
    for one in provenance.inputs:
        path, difference = _input(one, base, places, folders)
        paths.append((one, path))
        differences += [difference] if difference is not None else []
    for one in provenance.models:
        path, difference = _model(one, base, places)
        paths.append((one, path))
        differences += [difference] if difference is not None else []
    settings = {**provenance.settings}
    if device is not None and device != settings.get("device"):
        differences.append(
            Difference("device", device, f"device: it was {settings.get('device')}, not {device}")
        )
        settings["device"] = device
    settings = {key: _relocated(key, value, paths) for key, value in settings.items()}
    places_of = {one.name: path for one, path in paths}
    config = renamed_config(provenance.resolved, lambda text: places_of.get(text, text))
    return Plan(provenance, settings, config, tuple(dict.fromkeys(differences)), tuple(paths))


def _input(
    one: Ingredient, base: Path, places: Iterable[Path], folders: Iterable[Path]
) -> tuple[str, Difference | None]:
    """Return where an input lies, and what is different about it."""
    other: Path | None = None
    for path in _places(one.name, base, places):
        if contents(path) == one.sha256:
            return str(path), None
        other = other or path
    for path in _of_its_kind(one.name, folders):
        if contents(path) == one.sha256:
            return str(path), None
    title = f"{one.option} {one.name}"
    if other is None:
        return one.name, Difference(
            "missing", one.name, f"{title} is missing; --inputs DIR says where it lies"
        )
    where = "" if other.name == one.name else f" ({other})"
    return str(other), Difference("input", one.name, f"{title} holds something else now{where}")


def _model(one: Ingredient, base: Path, places: Iterable[Path]) -> tuple[str, Difference | None]:
    """Return a model's name or where it lies, and what is different about it."""
    name, model = one.name.removeprefix(HUB), one.name
    if not (is_embedded(name) and name == one.name):
        path = next(_places(name, base, places), None)
        model = one.name if path is None else f"{one.name[: len(one.name) - len(name)]}{path}"
    try:
        now = model_checksum(model)
    except InputError:
        now = ""
    if now == one.sha256 or (not now and one.name.startswith(HUB)) or not one.sha256:
        return model, None
    what = "its weights are others than they were" if now else "it is not on this machine"
    return model, Difference("model", one.name, f"model {one.name}: {what}")


def _places(name: str, base: Path, folders: Iterable[Path]) -> Iterator[Path]:
    """Yield the paths at which something of a kept name may lie and does."""
    last = PurePosixPath(name).name
    candidates = [base / name, *(folder / last for folder in folders)]
    seen = dict.fromkeys(Path(os.path.normpath(path)) for path in candidates)
    yield from (path for path in seen if path.exists())


def _of_its_kind(name: str, folders: Iterable[Path]) -> Iterator[Path]:
    """Yield what has the extension of a kept name in folders, whatever it is called now."""
    suffix = PurePosixPath(name).suffix
    for folder in folders:
        if suffix and folder.is_dir():
            yield from (path for path in sorted(folder.iterdir()) if path.suffix == suffix and path.is_file())


def _relocated(option: str, value: Any, paths: Sequence[tuple[Ingredient, str]]) -> Any:
    """Return the value of an option with the kept names in it replaced by paths, in their order."""
    waiting = [(one.name, path) for one, path in paths if one.option == option]

    def find(text: str) -> str | None:
        return waiting.pop(0)[1] if waiting and waiting[0][0] == text else None

    return rewritten(value, lambda text: rewritten_word(text, find)) if waiting else value


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(value, str | list):
        return value
    return rewritten(value, lambda text: rewritten_word(text, names.get))


@dataclass(frozen=True)
class FixedRecord:
    """Gives the one file that is made again its record (a `moviola.core.provenance.Recorder`).

    Attributes:
        provenance: the record. place: where the file is made.
    """

    provenance: Provenance
    place: Path

    def record(self, path: Path) -> Provenance | None:
        """Return the record for the file's place; None for any other."""
        return self.provenance if final_place(path) == final_place(self.place) else None

    def changed(self, output: Path, settings: Mapping[str, Any]) -> FixedRecord:
        """Return the same: the record says already what it is of."""
        return self

    def declare(self, resolved: Mapping[str, Any], models: Mapping[str, Sequence[str]]) -> None:
        """Take in nothing: the record is whole."""


def describe_change(before: Path, after: Path) -> str:
    """Return how two files that are not the same bytes differ: in their frames, or only in how those are stored.

    Raises:
        VideoReadError, FormatError: one of them cannot be read.
    """
    counts = codec.probe(before).frames, codec.probe(after).frames
    if counts[0] != counts[1]:
        return f"it has {counts[1]} frames, not {counts[0]}"
    changed, most = 0, 0
    for old, new in zip(codec.stream(before), codec.stream(after), strict=True):
        if old.frames.shape != new.frames.shape:
            return f"its frames are {new.width}x{new.height}, not {old.width}x{old.height}"
        change = np.abs(old.frames.astype(np.int16) - new.frames).max(axis=(1, 2, 3))
        changed, most = changed + int((change > 0).sum()), max(most, int(change.max()))
    if not changed:
        return "its frames are the same, what is stored around them is not"
    return f"{changed} of {counts[0]} frames differ, by up to {most} of 255"
