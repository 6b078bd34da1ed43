"""Names that a lower floor may call although the code behind them stands on a higher floor.

`core` may not import `data`, yet `Video.save` must write a file. So core asks for a port by name, and the table
below says where its implementation stands; it is looked up when called, never at import.
"""

from __future__ import annotations

import importlib
from typing import Any

from moviola.core.errors import ConfigError, UnknownNameError

_TABLE: dict[str, str] = {
    "write_video": "moviola.data.codec:write",
    "video_html": "moviola.data.codec:to_html",
}


def register(name: str, target: str) -> None:
    """Say where the implementation of a port stands (a later call replaces an earlier one).

    Args:
        name: the port, for example "write_video".
        target: "module:attribute"; imported only when the port is resolved.

    Raises:
        ConfigError: `target` is not of that form.
    """
    module, _, attribute = target.partition(":")
    if not module or not attribute:
        raise ConfigError(f"port {name!r}: the target must look like 'module:attribute', got {target!r}")
    _TABLE[name] = target


def resolve(name: str) -> Any:
    """Import and return the implementation of port `name`.

    Raises:
        UnknownNameError: no such port is registered.
    """
    if name not in _TABLE:
        raise UnknownNameError.of("port", name, _TABLE)
    module, _, attribute = _TABLE[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
