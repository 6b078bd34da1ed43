"""Which device a name means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moviola.core.errors import ConfigError

if TYPE_CHECKING:
    import torch


def pick_device(name: str) -> torch.device:
    """Return the device called `name`.

    Args:
        name: "auto" (cuda, else mps, else cpu), "cpu", "mps", "cuda" or "cuda:N".

    Raises:
        ConfigError: no such device on this machine.
    """
    import torch

    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    known = ["cpu", *(["cuda"] if cuda else []), *cuda, *mps]
    if name == "auto":
        return torch.device("cuda" if cuda else mps[0] if mps else "cpu")
    if name not in known:
        raise ConfigError(f"device {name!r} is not on this machine; use auto or {' or '.join(known)}")
    return torch.device(name)
