"""Seeds: draws that depend on (seed, names) alone."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.seeds import derive, normal_rows, numpy_generator, seeded, torch_generator

NAMES = st.lists(st.one_of(st.integers(-(2**40), 2**40), st.text("abcxyz-", min_size=1)), max_size=4)


@given(seed=st.integers(0, 2**63 - 1), names=NAMES)
def test_derive_is_the_stated_hash(seed, names):
    """BLAKE2b of the joined parts, 63 bits."""
    text = "/".join(map(str, [seed, *names])).encode()
    expected = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") // 2
    assert derive(seed, *names) == expected < 2**63


def test_derive_is_equal_in_another_process():
    """No part of it depends on the process's hash seed."""
    code = "from moviola.core.seeds import derive; print(derive(3, 'a', 4))"
    assert int(subprocess.check_output([sys.executable, "-c", code])) == derive(3, "a", 4)


def test_names_matter():
    """Neighbouring seeds and names give different draws."""
    values = {derive(s, n, i) for s in range(6) for n in ("z", "slots") for i in range(50)}
    assert len(values) == 6 * 2 * 50


def test_generators_repeat_and_differ():
    """The same names repeat the draws of both libraries."""
    a, b, c = (numpy_generator(1, "x", k).random(5) for k in (0, 0, 1))
    assert np.array_equal(a, b) and not np.array_equal(a, c)
    a, b, c = (torch.rand(5, generator=torch_generator(1, "x", k)) for k in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=6), st.integers(1, 9))
def test_normal_rows_ignore_the_batch(indices, size):
    """Row i is the same alone and in any batch."""
    rows = normal_rows(5, indices, size)
    assert rows.shape == (len(indices), size) and rows.dtype == torch.float32
    for row, index in zip(rows, indices, strict=True):
        assert torch.equal(row, normal_rows(5, [index], size)[0])


def test_normal_rows_are_standard_normal():
    """Mean 0, variance 1, within five standard errors."""
    rows = normal_rows(0, list(range(200)), 100)
    n = rows.numel()
    assert abs(rows.mean()) < 5 / n**0.5
    assert abs(rows.var() - 1) < 5 * (2 / n) ** 0.5


def test_seeded_repeats_and_leaves_the_default_generator_alone():
    """Inside, layers draw the same weights; outside, the global state goes on as if nothing had been."""
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    with seeded(4, "weights"):
        a = torch.nn.Linear(3, 2).weight
    after = torch.rand(3)
    with seeded(4, "weights"):
        b = torch.nn.Linear(3, 2).weight
    assert torch.equal(a, b) and torch.equal(after, expected)
