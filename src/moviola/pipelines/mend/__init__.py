"""Mending what a model left in a video: flicker, seams, drift, repeated frames."""

from __future__ import annotations

from moviola.pipelines.mend.find import Faults
from moviola.pipelines.mend.run import Mended, find_faults, mend, mend_file, mend_stream
from moviola.pipelines.mend.settings import MendSettings

__all__ = ["Faults", "MendSettings", "Mended", "find_faults", "mend", "mend_file", "mend_stream"]
