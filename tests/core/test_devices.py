"""Devices by name."""

from __future__ import annotations

import pytest
import torch

from moviola.core.devices import pick_device
from moviola.core.errors import ConfigError


def test_devices():
    """The CPU is always there; a wrong name says what is."""
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in {"cpu", "cuda", "mps"}
    with pytest.raises(ConfigError, match=r"'tpu'.*auto or cpu"):
        pick_device("tpu")
