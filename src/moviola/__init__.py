"""moviola makes, mends, restyles, edits and judges generated video.

The public names are loaded when first used, so `import moviola` costs nothing::

    import moviola as mv

    video = mv.generate("a person with red hair walks to the left", model="sprites", seed=0)
    video.save("walk.mp4")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moviola.core.video import Video
    from moviola.data.codec import read
    from moviola.models.catalog import load
    from moviola.pipelines.evaluate import evaluate
    from moviola.pipelines.generate import generate
    from moviola.pipelines.keyframes import keyframes
    from moviola.pipelines.mend import mend
    from moviola.pipelines.refine import refine
    from moviola.pipelines.restyle import restyle
    from moviola.pipelines.sample import sample

__version__ = "0.1.0"
__all__ = [
    "Video",
    "evaluate",
    "generate",
    "keyframes",
    "load",
    "mend",
    "read",
    "refine",
    "restyle",
    "sample",
]

# public name -> the module that defines it
_HOME = {
    "Video": "moviola.core.video",
    "evaluate": "moviola.pipelines.evaluate",
    "generate": "moviola.pipelines.generate",
    "keyframes": "moviola.pipelines.keyframes",
    "load": "moviola.models.catalog",
    "mend": "moviola.pipelines.mend",
    "read": "moviola.data.codec",
    "refine": "moviola.pipelines.refine",
    "restyle": "moviola.pipelines.restyle",
    "sample": "moviola.pipelines.sample",
}


def __getattr__(name: str) -> Any:
    """Load the public name `name` from its module (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'moviola' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
