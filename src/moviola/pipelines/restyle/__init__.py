"""Restyling real video: choose key frames, paint them, carry the paint to the frames between."""

from moviola.pipelines.restyle.in_memory import restyle
from moviola.pipelines.restyle.run import Plan, Restyled, paint_first, restyle_file
from moviola.pipelines.restyle.settings import KeyConfig, MaskConfig, RestyleConfig

__all__ = [
    "KeyConfig",
    "MaskConfig",
    "Plan",
    "RestyleConfig",
    "Restyled",
    "paint_first",
    "restyle",
    "restyle_file",
]
