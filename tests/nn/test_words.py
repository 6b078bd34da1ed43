"""Words as numbers."""

from __future__ import annotations

import hashlib

import numpy as np

from moviola.nn.words import BUCKETS, LENGTH, tokenize


def test_by_hand():
    """The first eight bytes of SHA-256, modulo the buckets; case and punctuation do not matter."""
    expected = 1 + int(hashlib.sha256(b"dog").hexdigest()[:16], 16) % (BUCKETS - 1)
    assert tokenize("Dog!")[0] == tokenize("a dog")[1] == expected


def test_shape_and_padding():
    """Padded with 0, cut at the length; words are never 0."""
    tokens = tokenize("it's a red ball")
    assert tokens.shape == (LENGTH,) and tokens.dtype == np.int64
    assert (tokens[:4] > 0).all() and not tokens[4:].any()
    assert tokenize("one two three", length=2).tolist() == tokenize("one two")[:2].tolist()
    assert not tokenize("...").any()


def test_few_collisions():
    """2,000 different words fill about as many buckets as chance has it: 4095 (1 - (1 - 1/4095)^2000) = 1,583."""
    found = {int(tokenize(f"word{i}")[0]) for i in range(2000)}
    assert 1500 < len(found) < 1660 and max(found) < BUCKETS
