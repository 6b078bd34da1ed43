"""Restyling real video: choose key frames, paint them, carry the paint to the frames between."""

from moviola.pipelines.restyle.run import Plan, Restyled, paint_first, restyle, restyle_file
from moviola.pipelines.restyle.settings import KeyConfig, RestyleConfig

__all__ = ["KeyConfig", "Plan", "RestyleConfig", "Restyled", "paint_first", "restyle", "restyle_file"]
