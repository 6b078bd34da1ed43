"""Pickled weights: never loaded, and how to convert them."""

from __future__ import annotations

import shlex
from pathlib import Path

from moviola.core.errors import WeightsError

PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
"""Extensions of weights that PyTorch has pickled."""


def refuse_pickle(path: Path, what: str) -> None:
    """Refuse a file of pickled weights, by its extension.

    Args:
        path: of the file. what: it is meant to be, for the error line.

    Raises:
        WeightsError: it is one; the line holds the command that converts it.
    """
    if path.suffix.lower() in PICKLES:
        raise WeightsError(
            f"{what} {path} is pickled, and pickles are not loaded; convert it once, by: {conversion(path)}"
        )


def conversion(path: Path) -> str:
    """Return the command line that writes the tensors of a pickled file into one in safetensors beside it.

    It does not run what a pickle may hold beside tensors: PyTorch reads it with `weights_only`.
    """
    target = path.with_suffix(".safetensors")
    code = (
        "import sys, torch, safetensors.torch as s; "
        'd = torch.load(sys.argv[1], "cpu", weights_only=True); d = d.get("state_dict", d); '
        "s.save_file({k: v.clone().contiguous() for k, v in d.items() if torch.is_tensor(v)}, sys.argv[2])"
    )
    return shlex.join(["python", "-c", code, str(path), str(target)])
