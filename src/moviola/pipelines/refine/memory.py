"""Whether a frame in one piece fits into memory: an estimate from one window at the size of training."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from moviola.core.errors import ConfigError
from moviola.pipelines.refine.settings import Plan
from moviola.pipelines.refine.tiles import Layout

BESIDE = 1.4
"""What is taken altogether for each byte of tensors that is counted: measured with regis-u at 128 and 256 px."""


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of the tensors that are made inside the block and alive at the same time.

    Attributes:
        peak: the most of them, bytes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._live = 0
        self._known: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function, and count what is new in what it returns."""
        for value in tree_flatten((args, kwargs))[0]:
            if isinstance(value, Tensor):  # not made here: it was there before
                self._count(value.untyped_storage(), new=False)
        made = func(*args, **(kwargs or {}))
        for value in tree_flatten(made)[0]:
            if isinstance(value, Tensor):
                self._count(value.untyped_storage())
        self.peak = max(self.peak, self._live)
        return made

    def _count(self, storage: torch.UntypedStorage, new: bool = True) -> None:
        key, size = storage.data_ptr(), storage.nbytes()
        if key in self._known or not size:
            return
        self._known[key] = size if new else 0
        self._live += self._known[key]
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self._live -= self._known.pop(key, 0)


def check_memory(plan: Plan, layout: Layout, function: Callable[[Tensor], object]) -> None:
    """Refuse frames in one piece that would need more memory than there is.

    Args:
        plan: what to do. layout: how frames go through the network.
        function: the network, for clips float32 (1, T, C, H, W).

    Raises:
        ConfigError: they would; the line says how much of both there is.
    """
    height, width = layout.tile
    side = plan.sizes.size
    if plan.settings.size != "whole" or height * width <= 4 * side * side:
        return
    free = free_memory(plan.device)
    if free is None:
        return
    need = BESIDE * _peak(plan, function) * height * width / side**2
    if need > free:
        raise ConfigError(
            f"frames of {layout.size[1]}x{layout.size[0]} in one piece need about {need / 1e9:.0f} GB, and "
            f"{free / 1e9:.0f} GB are free; use --size tile"
        )


def _peak(plan: Plan, function: Callable[[Tensor], object]) -> int:
    """Return the bytes that the network has in use at most over one window of the size it was trained at."""
    sizes = plan.sizes
    clip = torch.zeros(1, sizes.frames, sizes.channels, sizes.size, sizes.size, device=plan.device)
    with torch.no_grad(), PeakMemory() as memory:
        function(clip)
    return memory.peak


def free_memory(device: torch.device | str) -> int | None:
    """Return the bytes that are free on a device; None where that cannot be known."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text("ascii").splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return _free_pages()


def _free_pages() -> int | None:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
