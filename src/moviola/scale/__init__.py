"""The pipelines over a cluster: the map step on Ray, the reduce step here. Needs the `scale` extra (Ray)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moviola.scale.on_ray import RayMapper, evaluate

__all__ = ["RayMapper", "evaluate"]


def __getattr__(name: str) -> Any:
    """Load the public names when they are first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'moviola.scale' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module("moviola.scale.on_ray"), name)
    globals()[name] = value
    return value
