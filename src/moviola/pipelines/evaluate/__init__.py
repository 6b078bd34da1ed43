"""Judging generated video: from two sets of videos to a report.

`inputs` opens what was given, `samples` plans and cuts clips, `features` and `store` make and keep what the metrics
see, from which they make the scores; `warnings` says what to know before believing them, `sanity` what they cannot see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moviola.pipelines.evaluate.run import evaluate

__all__ = ["evaluate"]


def __getattr__(name: str) -> Any:
    """Load `evaluate` when it is first used (PEP 562)."""
    if name != "evaluate":
        raise AttributeError(f"module 'moviola.pipelines.evaluate' has no attribute {name!r}")
    from moviola.pipelines.evaluate.run import evaluate

    return evaluate
