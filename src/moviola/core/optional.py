"""The libraries that moviola can do without: one table, one way to import them, one line where one is missing.

The table is that of the extras in pyproject.toml. `doctor` reads it; whatever needs such a library calls `require`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moviola.core.errors import InputError


@dataclass(frozen=True)
class Library:
    """A library that only some verbs need.

    Attributes:
        module: what is imported.
        distribution: what is installed.
        title: its name in sentences.
        extras: of pyproject.toml that hold it; the first is the one that is advised.
        uses: what needs it, verbs and options.
        beside: modules that it cannot do without here although it starts without them.
    """

    module: str
    distribution: str
    title: str
    extras: tuple[str, ...]
    uses: str
    beside: tuple[str, ...] = ()


_TABLE = (
    Library(
        "cv2", "opencv-python-headless", "OpenCV", ("restyle", "evaluate"),
        "restyle; mend; keyframes --method flow (its default), orb or optimal; --flow dis",
    ),
    Library("scipy", "scipy", "SciPy", ("restyle",), "restyle --propagation patch or warp; mend: seams"),
    Library("numba", "numba", "Numba", ("restyle",), "restyle --propagation patch: many times as fast"),
    Library(
        "diffusers", "diffusers", "diffusers", ("restyle",),
        "restyle --painter diffusion, generate --model hub:NAME, keyframes --method latent",
        ("transformers", "accelerate"),
    ),
    Library("accelerate", "accelerate", "accelerate", ("restyle",), "as diffusers"),
    Library(
        "transformers", "transformers", "transformers", ("evaluate", "restyle"),
        "evaluate --metrics clip-score, fram-acc, tmp-con, conse, cd-fvd, jepa-fd; as diffusers",
    ),
    Library(
        "huggingface_hub", "huggingface-hub", "huggingface_hub", ("evaluate", "restyle"),
        "models by their hub name; as transformers and diffusers",
    ),
    Library("peft", "peft", "peft", ("train", "restyle"), "train --set lora=RANK, restyle --lora"),
    Library("tensorboard", "tensorboard", "TensorBoard", ("train",), "curves of a training run"),
    Library("ray", "ray", "Ray", ("scale",), "evaluate --ray"),
    Library("starlette", "starlette", "Starlette", ("studio",), "studio"),
    Library("uvicorn", "uvicorn", "Uvicorn", ("studio",), "studio"),
)  # fmt: skip
OPTIONAL: dict[str, Library] = {library.module: library for library in _TABLE}
"""Module to library."""


def require(module: str, what: str, instead: str = "") -> Any:
    """Import a library of the table, or a module below one.

    Args:
        module: for example "cv2" or "scipy.fft".
        what: needs it; begins the error's line.
        instead: what would do without it; ends the error's line.

    Raises:
        InputError: it, or one it cannot do without, is not installed or does not start.
    """
    library = OPTIONAL[module.partition(".")[0]]
    try:
        for name in (*library.beside, module):
            result = importlib.import_module(name)
    except Exception as error:  # a broken installation raises nearly everything
        line = f"{what} needs {library.title}{_reason(library, error)}; {install_line(library.extras[0])}"
        raise InputError(f"{line}; {instead}" if instead else line) from None
    return result


def is_installed(module: str) -> bool:
    """Return whether a library of the table could be imported; it is not started."""
    if module in sys.modules:
        return sys.modules[module] is not None
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a finder that refuses it, or a module without a specification
        return False


def version_of(distribution: str) -> str | None:
    """Return the version of an installed distribution, None where there is none of that name."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def install_line(extra: str) -> str:
    """Return how the libraries of an extra are installed: by the checkout's pins, or by their own names without one.

    Args:
        extra: of pyproject.toml.
    """
    root = Path(__file__).resolve().parents[3]
    if (root / "pyproject.toml").is_file():
        return f"run in {shlex.quote(str(root))}: pip install -c constraints.txt -e '.[{extra}]'"
    names = [library.distribution for library in _TABLE if extra in library.extras]
    return f"run: pip install {' '.join(names)}"


def _reason(library: Library, error: BaseException) -> str:
    missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
    if missing == library.module:
        return ""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = (lines or [type(error).__name__])[0][:160].rstrip(".")
    return f" ({missing} is missing)" if missing else f", which does not start ({text})"
