"""Which implementation of PatchMatch searches: Numba on the CPU, PyTorch anywhere."""

from __future__ import annotations

import os
from typing import Literal, get_args

import numpy as np

from moviola.core.errors import InputError, check_name
from moviola.core.optional import is_installed, require
from moviola.propagation.patchmatch import Matcher, Problem

Backend = Literal["auto", "numba", "torch"]
_limit = 1 << 16


def matcher(
    problem: Problem,
    field: np.ndarray,
    backend: Backend = "auto",
    device: str = "cpu",
    threads: int | None = None,
) -> Matcher:
    """Return a matcher for `problem` that begins with `field`, int32 (H, W, 2).

    Args:
        problem: what is compared; the matcher writes its paint into it.
        field: where to begin; every place inside the source.
        backend: "numba", "torch", or "auto": Numba on the CPU where it is installed, else PyTorch.
        device: for PyTorch.
        threads: of Numba; None is one a core that this process may use. The result does not depend on it.

    Raises:
        UnknownNameError: another backend. InputError: "numba" where it is not installed, or on another device.
    """
    check_name("patch search", backend, get_args(Backend))
    if backend == "numba":
        require("numba", 'the patch search "numba"', 'or use "torch"')
        if device != "cpu":
            raise InputError(f'the patch search "numba" runs on the CPU, not on {device}; or use "torch"')
    if device == "cpu" and backend != "torch" and is_installed("numba"):
        from moviola.propagation.patchmatch_numba import NumbaMatcher

        return NumbaMatcher(problem, field, threads or usable_cores())
    from moviola.propagation.patchmatch_torch import TorchMatcher

    return TorchMatcher(problem, field, device)


def usable_cores() -> int:
    """Return how many processor cores this process may use."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        cores = os.cpu_count() or 1
    return max(1, min(cores, _limit))


def limit_cores(most: int) -> None:
    """Let this process search on `most` cores at a time, for one of several that share a machine."""
    global _limit
    _limit = most
