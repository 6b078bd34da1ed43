"""Random draws that depend only on (seed, sample index), never on batch size, device count or order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


def derive(seed: int, *names: int | str) -> int:
    """Return a 63-bit seed made of `seed` and any number of `names` (a stable hash, equal on every machine)."""
    text = "/".join(str(part) for part in (seed, *names))
    return (
        int.from_bytes(
            hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little"
        )
        >> 1
    )


def torch_generator(seed: int, *names: int | str) -> torch.Generator:
    """Return a CPU `torch.Generator` for sample `names` of run `seed`."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *names))


def numpy_generator(seed: int, *names: int | str) -> np.random.Generator:
    """Return a numpy generator for sample `names` of run `seed`."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(derive(seed, *names)))


def normal_rows(seed: int, indices: list[int], size: int) -> torch.Tensor:
    """Return standard normal noise, float32 (len(indices), size), row i drawn from (seed, indices[i]) alone."""
    import torch

    return torch.stack([torch.randn(size, generator=torch_generator(seed, i)) for i in indices])


@contextmanager
def seeded(seed: int, *names: int | str) -> Iterator[None]:
    """Seed PyTorch's default CPU generator inside the block, for layers that draw their own initial weights."""
    import torch

    before = torch.get_rng_state()
    torch.default_generator.manual_seed(derive(seed, *names))
    try:
        yield
    finally:
        torch.set_rng_state(before)
