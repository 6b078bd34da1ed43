"""Where moviola keeps what can be made again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return the cache folder; it may not exist yet, and deleting it loses nothing but time.

    Returns:
        `$MOVIOLA_CACHE` where that is set, else `moviola` in `$XDG_CACHE_HOME`, else `~/.cache/moviola`.
    """
    if own := os.environ.get("MOVIOLA_CACHE"):
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "moviola"
