"""The recipes by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from moviola.core.errors import UnknownNameError
from moviola.recipes import nextframe, regis, textgan

CATALOG: dict[str, Callable[[Path | None], Any]] = {
    recipe.__name__: recipe for family in (textgan, nextframe, regis) for recipe in family.RECIPES
}


def find(name: str) -> Callable[[Path | None], Any]:
    """Return the recipe called `name`: a function from the data's path to a run config.

    Raises:
        UnknownNameError: with the nearest names.
    """
    if name not in CATALOG:
        raise UnknownNameError.of("recipe", name, CATALOG)
    return CATALOG[name]
