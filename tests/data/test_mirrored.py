"""Captions of mirrored pictures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.data.mirrored import mirrored

PAIRS = [
    ("a person walks to the left", "a person walks to the right"),
    ("Left of the tree, a RIGHT hand", "Right of the tree, a LEFT hand"),
    ("a left-handed player", "a right-handed player"),
    ("the leftmost man looks rightwards", "the rightmost man looks leftwards"),
    ("from left to right", "from right to left"),
    ("left-to-right", "right-to-left"),
    ("left,right.left's", "right,left.right's"),
    ("a lefthander", "a righthander"),
    ("his left. Right?", "his right. Left?"),
]
SAME = [
    "",
    "bright light on leftovers, a cleft and copyright",
    "moves left and right and up and down",
    "looks right and left",
    "he sits down right now, all right?",
    "the dog is left behind",
    "lefty_x rights leftist",
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_sides_change_places(one, other):
    assert mirrored(one) == other
    assert mirrored(other) == one


@pytest.mark.parametrize("text", SAME)
def test_what_names_no_side_stays(text):
    assert mirrored(text) == text


def test_turns_change_their_sense():
    assert mirrored("a star spins clockwise") == "a star spins counter-clockwise"
    assert mirrored("Counter-clockwise and clockwise") == "Clockwise and counter-clockwise"
    assert mirrored("anticlockwise") == mirrored("anti-clockwise") == "clockwise"


@given(
    st.lists(st.sampled_from(["left", "RIGHT", "Left", "a", "hand", "to", "leftmost", "bright", ",", "\n"]))
)
def test_twice_is_the_caption_again(words):
    text = " ".join(words)
    assert mirrored(mirrored(text)) == text
    assert len(mirrored(text).split()) == len(text.split())
