"""A user study: one page on which people compare clips in pairs, and what their answers say.

`records` are the files that are written and read, `plan` draws who meets whom, `clips` brings clips into the page,
`make` writes it; `answers` reads what raters saved, `tally` counts it, `results` says what follows, `page` shows it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moviola.pipelines.study.make import make_study
    from moviola.pipelines.study.results import read_study

__all__ = ["make_study", "read_study"]

_HOME = {"make_study": "make", "read_study": "results"}


def __getattr__(name: str) -> Any:
    """Load `make_study` or `read_study` when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'moviola.pipelines.study' has no attribute {name!r}")
    return getattr(importlib.import_module(f"moviola.pipelines.study.{_HOME[name]}"), name)
