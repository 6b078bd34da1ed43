"""Captions of mirrored pictures: what was on the left is on the right."""

from __future__ import annotations

import re

# "left and right" names both sides and stays; "left behind", "right now" name none
_BOTH = r"left[- ](?:and|or|&)[- ]right|right[- ](?:and|or|&)[- ]left"
_NO_SIDE = r"all right|right (?:now|away|angles?)|left (?:alone|behind|over)"
_SIDE = r"(?:left|right)(?=(?:most|wards?|hand(?:ed)?|handers?|ies|y|ie)?\b)"
_TURN = r"(?:anti|counter)[- ]?clockwise|clockwise"
_WORDS = re.compile(
    rf"\b(?:(?P<keep>{_BOTH}|{_NO_SIDE})\b|(?P<side>{_SIDE})|(?P<turn>{_TURN})\b)", re.IGNORECASE
)
_OTHER = {"left": "right", "right": "left", "clockwise": "counter-clockwise"}


def mirrored(caption: str) -> str:
    """Return the caption of a clip whose frames are flipped from left to right.

    "left" and "right" change places as words and at the head of such words as "leftmost" and "left-handed", in the
    capitals that they have; a turn changes its sense. "left and right", which a flip leaves true, and words that are
    no side ("right now", "leftovers", "bright") stay.

    Args:
        caption: any text.
    """
    return _WORDS.sub(_swap, caption)


def _swap(match: re.Match[str]) -> str:
    word = match[0]
    if match["keep"]:
        return word
    other = _OTHER.get(word.lower(), "clockwise")
    if word.isupper():
        return other.upper()
    return other.capitalize() if word[0].isupper() else other
