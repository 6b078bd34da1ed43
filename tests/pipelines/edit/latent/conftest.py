"""Small spaces of videos with random weights."""

from __future__ import annotations

import pytest
import torch

from moviola.core.seeds import seeded
from moviola.models.inrv import InrvConfig, InrvModel


def make_space(decoder: str = "low-rank", rows: int = 6, **more) -> InrvModel:
    """Return a space of 8 frames of 16x16 whose codes are far apart."""
    settings = {
        "frames": 8, "height": 16, "width": 16, "fps": 8.0, "latent": 8, "decoder": decoder, "hidden": 24,
        "layers": 2, "rank": 4, "bases": 4, "head_hidden": 24, "head_layers": 2, "widths": (12, 8, 8),
        "init_std": 1.0, "captions": tuple(f"face {k}" for k in range(rows)),
    }  # fmt: skip
    with seeded(0, "weights"):
        model = InrvModel(InrvConfig(**(settings | more)))
    with torch.no_grad():
        model.codes.copy_(model.codebook)
    return model.eval()


@pytest.fixture(scope="session")
def space() -> InrvModel:
    """A space with an encoder and a prior, whose decoder draws single points."""
    return make_space(encoder=(4, 8), prior=16)


@pytest.fixture(scope="session")
def frame_space() -> InrvModel:
    """A space whose decoder draws whole frames."""
    return make_space("conv")


@pytest.fixture(scope="session")
def make():
    """The function that makes them."""
    return make_space
