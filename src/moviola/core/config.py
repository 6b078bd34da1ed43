"""Configs: frozen, keyword-only pydantic models that can be saved, loaded and overridden by dotted keys."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from moviola.core.errors import ConfigError, nearest


class Config(BaseModel):
    """Base of every config: frozen, unknown keys refused, defaults checked.

    Raises:
        ConfigError: from `make`, `with_overrides` and `load`, one line naming the key and what is allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @classmethod
    def make(cls, values: dict[str, Any]) -> Self:
        """Build from plain values (`values`: nested dict as JSON gives it)."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(_one_line(cls, error)) from None

    def with_overrides(self, overrides: Iterable[str]) -> Self:
        """Return a copy with `key.sub=value` strings applied; values are JSON, or plain text where that fails.

        Raises:
            ConfigError: for a pair without `=`, an unknown key (nearest keys are named) or a bad value.
        """
        values = self.model_dump(mode="json")
        for pair in overrides:
            key, sign, text = pair.partition("=")
            if not sign:
                raise ConfigError(f"--set {pair!r} has no '='; write --set key.sub=value")
            _assign(values, key.strip().split("."), _parse(text), key)
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


def _assign(values: dict[str, Any], keys: list[str], value: Any, dotted: str) -> None:
    node: Any = values
    for depth, key in enumerate(keys):
        if not isinstance(node, dict) or key not in node:
            known = list(node) if isinstance(node, dict) else []
            near = nearest(key, known) or known[:8]
            where = ".".join(keys[:depth]) or "the top"
            raise ConfigError(f"unknown setting {dotted!r}: {where} has {', '.join(near) or 'no keys'}")
        if depth == len(keys) - 1:
            node[key] = value
        else:
            node = node[key]


def _one_line(cls: type[BaseModel], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or cls.__name__
    more = error.error_count() - 1
    tail = f" (and {more} more)" if more else ""
    if first["type"] == "extra_forbidden":
        near = nearest(str(first["loc"][-1]), cls.model_fields) or list(cls.model_fields)[:8]
        return f"{cls.__name__}: unknown setting {where!r}; did you mean {' or '.join(near)}?{tail}"
    return f"{cls.__name__}: {where}: {first['msg']}, not {first['input']!r}{tail}"
