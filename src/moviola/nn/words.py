"""Words as numbers without a vocabulary file: each word is hashed into one of many buckets."""

from __future__ import annotations

import hashlib
import re

import numpy as np

BUCKETS = 4096
LENGTH = 32
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def tokenize(text: str, length: int = LENGTH) -> np.ndarray:
    """Return the words of a text as numbers, the same on every machine.

    Args:
        text: any language that separates words; upper and lower case are the same.
        length: words kept; the rest is cut off.

    Returns:
        int64 (length,): 1 to BUCKETS - 1 for each word in order, then 0 for padding. Two words share a number by
        chance once in about 4,000 pairs.
    """
    words = _WORD.findall(text.lower())[:length]
    numbers = np.zeros(length, np.int64)
    for i, word in enumerate(words):
        digest = hashlib.sha256(word.encode()).digest()
        numbers[i] = 1 + int.from_bytes(digest[:8], "big") % (BUCKETS - 1)
    return numbers
