"""Bands part the spectrum, and an edit that changes nothing changes nothing."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import ConfigError
from moviola.models.freqmotion.bands import Bands, blend_scales

EDGES = st.lists(st.floats(0.01, 50), min_size=0, max_size=4, unique=True).map(sorted).map(tuple)
OMEGAS = st.lists(st.floats(-60, 60), min_size=1, max_size=20)


@given(EDGES, OMEGAS)
def test_hard_bands_partition_all_features(edges, omegas):
    """Every feature is in exactly one band, the one that NumPy's digitize says."""
    import numpy as np

    masks = Bands(edges).masks(torch.tensor(omegas, dtype=torch.float64))
    assert masks.shape == (len(edges) + 1, len(omegas))
    assert torch.equal(masks.sum(dim=0), torch.ones(len(omegas), dtype=torch.float64))
    sizes = np.maximum(np.abs(np.array(omegas)), 1e-9)
    assert masks.argmax(dim=0).tolist() == np.digitize(sizes, edges).tolist()


@given(EDGES, OMEGAS, st.floats(0.05, 3))
def test_soft_bands_sum_to_one(edges, omegas, softness):
    """Transitions only move weight from one band to the next."""
    masks = Bands(edges, softness).masks(torch.tensor(omegas, dtype=torch.float64))
    assert torch.allclose(masks.sum(dim=0), torch.ones(len(omegas), dtype=torch.float64))


def test_a_soft_edge_is_half_way_at_the_edge():
    """And 0 and 1 half its width away, in octaves."""
    masks = Bands((2.0,), softness=1.0).masks(torch.tensor([2.0, 2.0 * 2**-0.5, 2.0 * 2**0.5, 1.0, 9.0]))
    assert torch.allclose(masks[1], torch.tensor([0.5, 0.0, 1.0, 0.0, 1.0]), atol=1e-6)


def test_the_last_band_is_open_ended():
    """However fast."""
    assert Bands((3.0, 5.0)).masks(torch.tensor([-1e6])).tolist() == [[0.0], [0.0], [1.0]]


def test_quantiles_hold_equally_many():
    """Of 90 frequencies, 30 in each of three bands."""
    omega = torch.randn(90, generator=torch.Generator().manual_seed(0)) * 4
    assert Bands.by_quantiles(omega, 3).masks(omega).sum(dim=1).tolist() == [30.0, 30.0, 30.0]


def test_one_code_in_all_bands_is_no_edit():
    """Bit for bit, also with soft edges; and a gain of 1 as well."""
    generator = torch.Generator().manual_seed(0)
    scales = torch.randn(3, 40, generator=generator)
    masks = Bands((1.0, 2.0), 0.7).masks(torch.randn(40, generator=generator) * 3)
    assert torch.equal(blend_scales([scales] * 3, masks, [1.0] * 3), scales)
    assert torch.equal(blend_scales([scales, scales.clone(), scales.clone()], masks), scales)


def test_codes_and_gains_of_bands():
    """The definition, sum of gain mask scale."""
    generator = torch.Generator().manual_seed(1)
    scales = [torch.randn(2, 30, generator=generator) for _ in range(3)]
    masks = Bands((1.0, 2.0), 0.5).masks(torch.randn(30, generator=generator) * 2)
    gains = [0.0, 2.0, -0.5]
    plain = sum(s * m for s, m in zip(scales, masks, strict=True)) * sum(
        g * m for g, m in zip(gains, masks, strict=True)
    )
    assert torch.allclose(blend_scales(scales, masks, gains), plain, atol=1e-5)


def test_names():
    """From slow to fast; numbers work, too."""
    assert Bands((1.0,)).names == ("low", "high") and Bands((1.0, 2.0)).names == ("low", "mid", "high")
    assert Bands((1.0, 2.0, 3.0)).index("band2") == 2 and Bands((1.0, 2.0)).index("2") == 2
    with pytest.raises(ConfigError, match="low, mid, high"):
        Bands((1.0, 2.0)).index("hgih")


@pytest.mark.parametrize("edges", [(2.0, 1.0), (1.0, 1.0), (0.0,), (-1.0,), (math.nan,), (math.inf,)])
def test_edges_that_are_none(edges):
    """Out of order, an empty band, not finite."""
    with pytest.raises(ConfigError, match="edges"):
        Bands(edges)
