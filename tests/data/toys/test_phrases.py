"""The caption grammar, in both directions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import PromptError
from moviola.data.toys import digits, icons
from moviola.data.toys.motion import MOTIONS
from moviola.data.toys.phrases import CaptionElement, format_caption, parse_caption

SAID = st.builds(
    CaptionElement,
    name=st.sampled_from(icons.NAMES),
    colour=st.sampled_from(list(icons.COLOURS)),
    motion=st.sampled_from(MOTIONS),
)


@given(st.lists(SAID, min_size=1, max_size=3))
def test_what_is_said_is_read_back(elements):
    assert icons.parse(format_caption(elements)) == elements


def test_the_words():
    one = [CaptionElement("3", None, "left-right")]
    two = [*one, CaptionElement("7", None, "orbit-clockwise")]
    three = [*two, CaptionElement("8", None, "spin-counter-clockwise")]
    assert format_caption(one) == "a 3 moves left and right"
    assert format_caption(two) == "a 3 moves left and right and a 7 orbits clockwise"
    assert (
        format_caption(three)
        == "a 3 moves left and right, a 7 orbits clockwise and an 8 spins counter-clockwise"
    )
    assert digits.parse(" A 3 moves  left and right and an 8 spins CLOCKWISE") == [
        CaptionElement("3", None, "left-right"),
        CaptionElement("8", None, "spin-clockwise"),
    ]


@pytest.mark.parametrize(
    ("caption", "says"),
    [
        ("a red strr spins clockwise", "'strr' is not known; nearest: star"),
        ("a red star spins", "cannot read the caption from"),
        ("a red star spins clockwise and", "cannot read the caption"),
        ("a red star spins clockwise a red star spins clockwise", "cannot read the caption"),
        ("", "cannot read the caption"),
    ],
)
def test_what_is_not_of_the_grammar_is_named(caption, says):
    with pytest.raises(PromptError, match=says):
        parse_caption(caption, icons.NAMES, icons.COLOURS)


def test_digits_have_no_colours():
    with pytest.raises(PromptError, match="'red' is not known"):
        digits.parse("a red 3 spins clockwise")
