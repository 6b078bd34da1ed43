"""Choosing the key frames of a video. See docs/keyframes.md."""

from __future__ import annotations

from moviola.pipelines.keyframes.plot import draw, write_plot
from moviola.pipelines.keyframes.run import METHODS, KeyFrames, keyframes

__all__ = ["METHODS", "KeyFrames", "draw", "keyframes", "write_plot"]
