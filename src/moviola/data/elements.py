"""Captions that speak of several things: where one ends and the next begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

ARTICLES = frozenset({"a", "an", "the"})
_AND = "and"


def split_elements(tokens: Sequence[str], openers: frozenset[str]) -> list[list[str]]:
    """Part the words of a caption by the things it speaks of.

    A thing begins with an article, or after "and" with a word that tells which thing it is; "left and right" stays
    whole.

    Args:
        tokens: the words, in lower case.
        openers: words with which the name or the look of a thing begins.

    Returns:
        The words of each thing, without the "and" between them; at least one list where there is a word.
    """
    pieces: list[list[str]] = [[]]
    for index, token in enumerate(tokens):
        is_joined = index > 0 and tokens[index - 1] == _AND
        if (token in ARTICLES or (is_joined and token in openers)) and pieces[-1]:
            if pieces[-1][-1] == _AND:
                pieces[-1].pop()
            pieces.append([])
        pieces[-1].append(token)
    return [piece for piece in pieces if piece]


def join_elements(parts: Sequence[str]) -> str:
    """Return one caption of several: "A", "A and B", "A, B and C"."""
    if len(parts) < 2:
        return "".join(parts)
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def split_rows(slots: np.ndarray | Sequence[int], count: int) -> list[list[int]]:
    """Cut a row of slots into those of `count` things, equally many each."""
    row = [int(value) for value in slots]
    size = len(row) // count
    return [row[k * size : (k + 1) * size] for k in range(count)]
