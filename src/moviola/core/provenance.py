"""How a file was made: the record that stands in the file itself, and whoever makes the records of what is written now.

The word is that of the field (W3C PROV, C2PA); a "recipe" is in this project how a network is trained. A record holds
no time, no place of a machine, no name of a person or a host, so the same run writes the same bytes.

A verb starts a `Recorder` by `recording`; whatever writes a clip or a picture asks `provenance_of` for its record. What
a verb only knows later goes in by `declare`, and what it makes of many videos at once is told apart by `as_if`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol, Self

_MARK, _FORM = "moviola", 1
OUTPUT = "output"
"""Option that names where a verb writes."""


@dataclass(frozen=True)
class Ingredient:
    """Something a file was made from.

    Attributes:
        option: of the verb, which named it.
        name: a path relative to the folder the file stands in, with forward slashes; or the name of a model.
        sha256: of the contents, hex (`moviola.core.contents`; of a model's networks
            `moviola.models.catalog.model_digest`); of a model of the hub its commit; "" where that is not known.
    """

    option: str
    name: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How a file was made.

    Attributes:
        verb: of the command line, such as "generate" or "edit motion".
        version: of moviola.
        settings: option to value, also where the value was the usual one; what is None or off is left out.
        inputs: files and folders that it was made from, in the order of the options and of their values.
        models: that drew it.
        output: the option that named the file.
        part: which of the files written there: "" for the only one, "-1" for NAME-1.EXT, else the path below it.
        outputs: every such option that was given to its extension; "/" for a folder.
        libraries: version of each that decides the bytes.
        resolved: of a verb with a config, all that it held in the end; stands for the options that go into it.
    """

    verb: str
    version: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Ingredient, ...] = ()
    models: tuple[Ingredient, ...] = ()
    output: str = OUTPUT
    part: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    resolved: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seed(self) -> int | None:
        """What was drawn by; None where nothing was."""
        return self.settings.get("seed", self.resolved.get("seed"))

    def to_json(self) -> str:
        """Return the record as one line of ASCII, which `parse` reads."""
        values = {key: value for key, value in asdict(self).items() if value not in ({}, ())}
        return json.dumps({_MARK: _FORM, **values}, separators=(",", ":"), ensure_ascii=True)

    @classmethod
    def parse(cls, text: str | bytes | None) -> Self | None:
        """Return the record that a text holds; None for any other text, a damaged record or None."""
        try:
            values = json.loads(text or "")
            if not isinstance(values, dict) or values.pop(_MARK, None) != _FORM:
                return None
            known = {key: values[key] for key in (f.name for f in fields(cls)) if key in values}
            for key in ("inputs", "models"):
                known[key] = tuple(_ingredient(one) for one in known.get(key, ()))
            record = cls(**known)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        return record if _is_sound(record) else None


def _ingredient(values: Mapping[str, str]) -> Ingredient:
    return Ingredient(values["option"], values["name"], values["sha256"])


def _is_sound(record: Provenance) -> bool:
    """Return whether every part of a record is of its kind."""
    texts: list[Any] = [record.verb, record.version, record.output, record.part]
    for one in (*record.inputs, *record.models):
        texts += [one.option, one.name, one.sha256]
    tables = (record.settings, record.outputs, record.libraries, record.resolved)
    if not all(isinstance(table, dict) for table in tables):
        return False
    texts += [*record.outputs.values(), *record.libraries.values()]
    seed_is_sound = record.seed is None or isinstance(record.seed, int)
    return seed_is_sound and all(isinstance(text, str) for text in texts)


class Recorder(Protocol):
    """Makes the record of each file that a run writes."""

    def record(self, path: Path) -> Provenance | None:
        """Return the record of what will stand at `path`; None for what is no result, such as a temporary file."""
        ...

    def changed(self, output: Path, settings: Mapping[str, Any]) -> Recorder:
        """Return the recorder of a run with other settings (None: not given) and another output."""
        ...

    def declare(self, resolved: Mapping[str, Any], models: Mapping[str, Sequence[str]]) -> None:
        """Take in what is known only now; see `declare` of this module."""
        ...


_recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


@contextmanager
def recording(recorder: Recorder | None) -> Iterator[None]:
    """Let files that are written inside the block hold the records of `recorder`; None for no records."""
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)


def provenance_of(path: str | Path) -> Provenance | None:
    """Return the record of a file that is about to be written; None where none is kept.

    Args:
        path: where it will stand, not the hidden place beside it.
    """
    recorder = _recorder.get()
    return None if recorder is None else recorder.record(Path(path))


@contextmanager
def as_if(output: str | Path, **settings: Any) -> Iterator[None]:
    """Let a file of many, written inside the block, hold the record of a run that makes it alone.

    Args:
        output: where that run writes.
        settings: options in place of those that were given; None for one that is then not given.
    """
    recorder = _recorder.get()
    with recording(None if recorder is None else recorder.changed(Path(output), settings)):
        yield


def declare(
    resolved: Mapping[str, Any] | None = None, models: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Add to the records of the present run what its options do not say; nothing where none are kept.

    Args:
        resolved: the config that the options came to, as JSON values; a file or folder that it names is an input.
        models: option to the models it means: names, folders or files, as they stand in the config.
    """
    recorder = _recorder.get()
    if recorder is not None:
        recorder.declare(resolved or {}, models or {})
