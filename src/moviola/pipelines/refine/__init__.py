"""Refining generated video by repeated passes (REGIS). See docs/refine.md."""

from __future__ import annotations

from moviola.pipelines.refine.files import Refined, RefinedSet, refine_file, refine_set
from moviola.pipelines.refine.passes import notes_on
from moviola.pipelines.refine.run import refine, refine_stream
from moviola.pipelines.refine.settings import Plan, RefineSettings, make_plan

__all__ = [
    "Plan",
    "RefineSettings",
    "Refined",
    "RefinedSet",
    "make_plan",
    "notes_on",
    "refine",
    "refine_file",
    "refine_set",
    "refine_stream",
]
