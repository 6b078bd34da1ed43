"""The recipes by name; a family's file is imported when one of its recipes is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moviola.core.errors import check_name

FAMILIES: dict[str, tuple[str, ...]] = {
    "textgan": (
        "textgan_debug", "textgan_sprites", "textgan_actions", "textgan_digits", "textgan_icons", "textgan_videos",
    ),
    "textgan_cls": ("textgan_faithful_debug", "textgan_faithful"),
    "nextframe": (
        "nextframe_debug", "nextframe_sprites", "nextframe_sprites_concat", "nextframe_actions", "nextframe_digits",
        "nextframe_icons", "nextframe_videos", "nextframe_faithful", "nextframe_unet3d",
    ),
    "nextframe_gan": ("nextframe_gan_debug", "nextframe_gan_actions", "nextframe_gan_authors"),
    "regis": tuple(f"regis_{kind}_{size}" for kind in ("u", "vq", "fuse") for size in ("debug", "pairs", "videos")),
    "freqmotion": ("freqmotion_debug", "freqmotion_toy", "freqmotion_paper", "freqmotion_videos"),
    "inrv": ("inrv_debug", "inrv_smileys", "inrv_actions", "inrv_videos", "inrv_paper"),
}  # fmt: skip
"""File below `moviola.recipes` to its recipes (its `RECIPES`, in their order)."""
CATALOG: dict[str, str] = {name: family for family, names in FAMILIES.items() for name in names}
"""Recipe to the file it is in."""


def find(name: str) -> Callable[[Path | None], Any]:
    """Return the recipe called `name`: a function from the data's path to a run config.

    Raises:
        UnknownNameError: with the nearest names.
    """
    check_name("recipe", name, CATALOG)
    return getattr(importlib.import_module(f"moviola.recipes.{CATALOG[name]}"), name)
