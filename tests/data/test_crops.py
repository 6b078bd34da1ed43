"""Pieces of flawed samples."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import ConfigError
from moviola.data.crops import FlawedCrops


class Spot:
    """One flawed pixel in a 12x16 frame; every pixel's red and green say where it is."""

    def sample(self, rng):
        y, x = np.mgrid[0:12, 0:16]
        clean = np.stack([y, x, 0 * y], axis=-1).astype(np.uint8)[None].repeat(3, axis=0)
        flawed = clean.copy()
        flawed[:, 2, 3] += 200
        mask = (clean != flawed).any(-1).astype(np.uint8)
        return {"clean": clean, "flawed": flawed, "mask": mask, "label": np.array(5), "tokens": np.arange(4)}


def test_one_place_for_all():
    """Clean, flawed and mask are cut at one place; what has no pixels stays."""
    for seed in range(5):
        made = FlawedCrops(Spot(), 4, tries=1).sample(np.random.default_rng(seed))
        assert made["clean"].shape == made["flawed"].shape == (3, 4, 4, 3) and made["mask"].shape == (3, 4, 4)
        top, left = made["clean"][0, 0, 0, :2]
        assert (made["clean"][0, 3, 3, :2] == (top + 3, left + 3)).all()
        assert (
            made["mask"].any()
            == (top <= 2 < top + 4 and left <= 3 < left + 4)
            == (made["clean"] != made["flawed"]).any()
        )
        assert made["label"] == 5 and made["tokens"].tolist() == [0, 1, 2, 3]


def test_drawn_where_the_flaw_is():
    """With more tries the flaw is met more often."""

    def met(tries):
        return sum(
            FlawedCrops(Spot(), 4, tries).sample(np.random.default_rng(s))["mask"].any() for s in range(200)
        )

    # 3 x 4 of the 9 x 13 places hold it: 10 % of single draws, 1 - 0.897^8 = 58 % of eight
    assert 8 < met(1) < 36 and 92 < met(8) < 142


def test_bad_sizes():
    """Too large for the frames, or nothing."""
    with pytest.raises(ConfigError, match="frames of 16x12 are too small for crops of 13"):
        FlawedCrops(Spot(), 13).sample(np.random.default_rng(0))
    with pytest.raises(ConfigError, match="at least 1, not 4 and 0"):
        FlawedCrops(Spot(), 4, 0)
