"""Words as numbers without a vocabulary file: each word is hashed into one of many buckets."""

from __future__ import annotations

import hashlib

import numpy as np

from moviola.core.words import split_words

BUCKETS = 4096
LENGTH = 32


def tokenize(text: str, length: int = LENGTH) -> np.ndarray:
    """Return the words of a text as numbers, the same on every machine.

    Args:
        text: of any script; what is a word says `split_words`.
        length: words kept; the rest is cut off.

    Returns:
        int64 (length,): 1 to BUCKETS - 1 for each word in order, then 0 for padding. Two words share a number by
        chance once in about 4,000 pairs.
    """
    words = split_words(text, apostrophes=True)[:length]
    numbers = np.zeros(length, np.int64)
    for i, word in enumerate(words):
        digest = hashlib.sha256(word.encode()).digest()
        numbers[i] = 1 + int.from_bytes(digest[:8], "big") % (BUCKETS - 1)
    return numbers
