"""What the tests of outside networks share: weights by formula, and what other people's code gives for them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

REFERENCE = Path(__file__).resolve().parents[2] / "reference"


@pytest.fixture(scope="session")
def formula():
    """The module `tests/reference/formula.py`: weights and pictures that can be made anywhere."""
    spec = importlib.util.spec_from_file_location("formula", REFERENCE / "formula.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def golden():
    """The numbers that `tests/reference/make_image_networks.py` wrote."""
    return json.loads((REFERENCE / "image_networks.json").read_text())


@pytest.fixture(scope="session")
def agree():
    """Check an array against a few golden values of it and the mean of their sizes."""

    def check(array, said, rtol=1e-4):
        flat = array.detach().double().flatten()
        some = flat[:: max(len(flat) // 24, 1)].tolist()
        size = said["mean_size"]
        assert some == pytest.approx(said["some"], rel=rtol, abs=rtol * size)
        assert flat.abs().mean().item() == pytest.approx(size, rel=rtol)

    return check
