"""Moments: the same as NumPy's, whatever the parts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import InputError
from moviola.metrics.functional import moments as module
from moviola.metrics.functional.moments import Moments, blocks, check_clips


def rows(n, d, seed=0, offset=0.0):
    """Correlated rows, float64 (n, d)."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + offset


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_they_are_numpys(ddof, offset):
    """Mean and covariance agree with np.mean and np.cov, also far from 0."""
    x = rows(300, 7, offset=offset)
    moments = Moments.of(x)
    np.testing.assert_allclose(moments.mean, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance(ddof), np.cov(x.T, ddof=ddof), rtol=1e-9, atol=1e-9)


@given(
    st.lists(st.integers(0, 40), max_size=8), st.randoms(use_true_random=False), st.sampled_from([0.0, 1e3])
)
def test_any_parts_in_any_order(cuts, random, offset):
    """Shards merged in any order give what one pass gives, to 1e-9."""
    x = rows(41, 5, seed=3, offset=offset)
    edges = [0, *sorted(cuts), len(x)]
    parts = [Moments.of(x[a:b]) for a, b in pairwise(edges)]
    random.shuffle(parts)
    joined = Moments.empty(5)
    for part in parts:
        joined.merge(part)
    whole = Moments.of(x)
    assert joined.n == whole.n
    np.testing.assert_allclose(joined.mean, whole.mean, rtol=1e-12, atol=1e-13)
    scale = np.abs(whole.m2).max()
    np.testing.assert_allclose(joined.m2 / scale, whole.m2 / scale, rtol=0, atol=1e-12)


def test_counts_are_copies(monkeypatch):
    """A clip that counts k times stands for k copies; blocks of any size give the same."""
    x = rows(30, 4).reshape(15, 2, 4)
    counts = np.random.default_rng(1).integers(0, 4, 15)
    expected = np.repeat(x, counts, axis=0).reshape(-1, 4)
    for block in (module.BLOCK_VALUES, 24):
        monkeypatch.setattr(module, "BLOCK_VALUES", block)
        moments = Moments.of(x, counts)
        assert moments.n == len(expected)
        np.testing.assert_allclose(moments.covariance(), np.cov(expected.T), rtol=1e-12)


def test_a_file_larger_than_a_block_is_read_in_blocks(tmp_path, monkeypatch):
    """A memory-mapped float32 array is read a few clips at a time, and not written to."""
    monkeypatch.setattr(module, "BLOCK_VALUES", 64)
    x = rows(50, 8).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert max(len(block) for block, _ in blocks(mapped[:, None])) == 8
    np.testing.assert_allclose(Moments.of(mapped).covariance(), np.cov(x.T.astype(np.float64)), rtol=1e-10)


def test_the_input_is_left_alone():
    """Centring happens in a copy, also where the input is float64 already."""
    x = rows(20, 3)
    before = x.copy()
    Moments.of(x)
    Moments.empty(3).update(x)
    np.testing.assert_array_equal(x, before)


def test_a_round_trip_through_plain_arrays():
    """`to_dict` and `from_dict` are inverse, and share no memory."""
    moments = Moments.of(rows(9, 3))
    again = Moments.from_dict(moments.to_dict())
    again.update(rows(4, 3, seed=1))
    assert (moments.n, again.n) == (9, 13)
    np.testing.assert_array_equal(Moments.from_dict(moments.to_dict()).m2, moments.m2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(bad):
    """A value that is no number is refused with the number of its clip, and nothing is added."""
    x = rows(12, 3)
    x[7, 1] = bad
    moments = Moments.of(rows(5, 3))
    with pytest.raises(InputError, match=r"clip 7 .* not finite"):
        moments.update(x)
    assert moments.n == 5 and np.isfinite(moments.m2).all()


def test_what_does_not_fit():
    """Other sizes, other axes, too few rows."""
    moments = Moments.of(rows(5, 3))
    with pytest.raises(InputError, match="4 values a row"):
        moments.update(rows(5, 4))
    with pytest.raises(InputError, match="cannot join"):
        moments.merge(Moments.of(rows(5, 4)))
    with pytest.raises(InputError, match=r"\(clips, d\)"):
        Moments.of(np.zeros(3))
    with pytest.raises(InputError, match="at least 2 rows"):
        Moments.of(rows(1, 3)).covariance()
    with pytest.raises(InputError, match="needs at least 2 clips; the real set holds 1"):
        check_clips(rows(1, 3), "the real set")
