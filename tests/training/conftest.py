"""Loads `training_toys.py`, which child processes run as a script as well."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

PATH = Path(__file__).with_name("training_toys.py")


@pytest.fixture(scope="session")
def toys():
    """The module of small objectives and samples."""
    spec = importlib.util.spec_from_file_location("training_toys", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["training_toys"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def one_seed():
    """Tests start from one global seed and leave none behind."""
    before = torch.get_rng_state()
    torch.manual_seed(0)
    yield
    torch.set_rng_state(before)
