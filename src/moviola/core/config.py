"""Configs: frozen, keyword-only pydantic models that can be saved, loaded and overridden by dotted keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from moviola.core.errors import ConfigError, nearest
from moviola.core.notes import note


class Config(BaseModel):
    """Base of every config: frozen, unknown keys refused, defaults checked.

    Attributes:
        renamed: old name of a setting to its present one; files with old names keep loading, with a note.

    Raises:
        ConfigError: from `make`, `with_overrides` and `load`, one line naming the key and what is allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
    renamed: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _read_old_names(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        old = {k: name for k, name in cls.renamed.items() if k in values}
        if not old:
            return values
        twice = [k for k, name in old.items() if name in values]
        if twice:
            raise ValueError(f"{twice[0]} is the old name of {old[twice[0]]}; give one of them")
        note(f"{cls.__name__}: {', '.join(f'{k} is now {name}' for k, name in old.items())}")
        return {old.get(k, k): value for k, value in values.items()}

    @classmethod
    def make(cls, values: dict[str, Any]) -> Self:
        """Build from plain values (`values`: nested dict as JSON gives it)."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(_one_line(cls, error)) from None

    def with_overrides(self, overrides: Iterable[str]) -> Self:
        """Return a copy with `key.sub=value` strings applied; values are JSON, or plain text where that fails.

        A setting below one that is None starts from the usual values of what that one may be.

        Raises:
            ConfigError: for a pair without `=`, an unknown key (nearest keys are named) or a bad value.
        """
        values = self.model_dump(mode="json")
        for pair in overrides:
            key, sign, text = pair.partition("=")
            if not sign:
                raise ConfigError(f"--set {pair!r} has no '='; write --set key.sub=value")
            keys = key.strip().split(".")
            _fill_in(type(self), values, keys[:-1])
            _assign(values, keys, _parse(text), key)
        return type(self).make(values)

    def to_json(self) -> str:
        """Return the config as indented JSON with a closing newline."""
        return json.dumps(self.model_dump(mode="json"), indent=2) + "\n"

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `to_json` wrote from `path`."""
        return cls.make(read_values(path))


def read_values(path: str | Path) -> dict[str, Any]:
    """Return the settings that a JSON file holds, unchecked.

    Raises:
        ConfigError: no file, one that cannot be read, or no settings in it.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no config at {path}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is not a readable JSON config: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no settings but a {type(values).__name__}")
    return values


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _fill_in(cls: type[BaseModel], values: dict[str, Any], above: Sequence[str]) -> None:
    """Give settings on the way to another that are None the usual values of the config that they may be."""
    kind: type[BaseModel] | None = cls
    node: Any = values
    for key in above:
        kind = _config_in(kind.model_fields[key].annotation) if kind and key in kind.model_fields else None
        if kind is None or not isinstance(node, dict):
            return
        if node.get(key) is None and not any(field.is_required() for field in kind.model_fields.values()):
            node[key] = kind().model_dump(mode="json")
        node = node.get(key)


def _assign(values: dict[str, Any], keys: list[str], value: Any, dotted: str) -> None:
    node: Any = values
    for depth, key in enumerate(keys):
        if not isinstance(node, dict) or key not in node:
            raise ConfigError(f"unknown setting {dotted!r}; {_hint(keys, depth, node, paths_of(values))}")
        if depth == len(keys) - 1:
            node[key] = value
        else:
            node = node[key]


def _hint(keys: Sequence[str], depth: int, node: Any, known: Sequence[str]) -> str:
    """Return what may have been meant by the setting at `keys`, which ends at `node` on level `depth`."""
    where = ".".join(keys[:depth])
    if not isinstance(node, dict):
        return f"{where} is one value, with nothing below it"
    near = suggest(keys, known)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"{where or 'the top'} has {', '.join(list(node)[:12])}"


def paths_of(values: Mapping[str, Any], above: str = "") -> list[str]:
    """Return the dotted names of all settings in nested `values`, those of the upper levels first."""
    names = [f"{above}{key}" for key in values]
    inner = [paths_of(value, f"{above}{key}.") for key, value in values.items() if isinstance(value, Mapping)]
    return names + [name for names_below in inner for name in names_below]


def suggest(keys: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return up to three of the settings `known` that the unknown one at `keys` may have been meant for.

    Those of its own last name on another level come first, then those of a like name on its own level; where it has
    none, those of a like name on any.
    """
    last, level = keys[-1], ".".join(keys[:-1])
    same = [name for name in known if name.rpartition(".")[2] == last]
    if same:
        return same[:3]
    beside = {name.rpartition(".")[2]: name for name in known if name.rpartition(".")[0] == level}
    near = [beside[word] for word in nearest(last, beside)]
    return near if near or (level and beside) else nearest(".".join(keys), known)


def _fields(cls: type[BaseModel]) -> dict[str, Any]:
    """Return the settings of a config class as nested names."""
    inner = {name: _config_in(field.annotation) for name, field in cls.model_fields.items()}
    return {name: None if kind is None else _fields(kind) for name, kind in inner.items()}


def _config_in(annotation: Any) -> type[BaseModel] | None:
    """Return the config class that an annotation is, or offers beside None."""
    kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
    return next((kind for kind in kinds if issubclass(kind, BaseModel)), None)


def _one_line(cls: type[BaseModel], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    parts = [str(part) for part in first["loc"]]
    where = ".".join(parts)
    more = error.error_count() - 1
    tail = f" (and {more} more)" if more else ""
    if first["type"] == "extra_forbidden":
        known = paths_of(_fields(cls))
        near = suggest(parts, known)
        hint = f"did you mean {' or '.join(near)}?" if near else _level(cls, parts, known)
        return f"{cls.__name__}: unknown setting {where!r}; {hint}{tail}"
    text = first["msg"].removeprefix("Value error, ")
    given = "" if isinstance(first["input"], Mapping | BaseModel) else f", not {first['input']!r}"
    return f"{': '.join(filter(None, [cls.__name__, where, text]))}{given}{tail}"


def _level(cls: type[BaseModel], parts: Sequence[str], known: Sequence[str]) -> str:
    """Return what the level of the unknown setting at `parts` has."""
    above = ".".join(parts[:-1])
    beside = [name.rpartition(".")[2] for name in known if name.rpartition(".")[0] == above]
    if above and beside:
        return f"{above} has {', '.join(beside[:12])}"
    return f"it has {', '.join(list(cls.model_fields)[:12])}"
