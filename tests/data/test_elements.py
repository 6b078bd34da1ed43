"""Captions that speak of several things."""

from __future__ import annotations

import numpy as np
import pytest

from moviola.core.errors import PromptError
from moviola.data.elements import join_elements, split_elements
from moviola.data.grammar import Parse
from moviola.data.toys import load_toy
from moviola.data.toys.scene_grammar import scene_grammar


@pytest.mark.parametrize(
    ("caption", "parts"),
    [
        ("a 3 moves left and right", ["a 3 moves left and right"]),
        ("a 3 spins and a 7 orbits", ["a 3 spins", "a 7 orbits"]),
        ("3 spins and 7 orbits", ["3 spins", "7 orbits"]),
        ("the digit 7 is moving up and down", ["the digit 7 is moving up and down"]),
        ("a 3 a 7", ["a 3", "a 7"]),
    ],
)
def test_split(caption, parts):
    """Things begin at articles, and after "and" at what names one; "left and right" stays whole."""
    pieces = split_elements(caption.split(), frozenset("0123456789"))
    assert [" ".join(piece) for piece in pieces] == parts


def test_join():
    """As the toys' captions are written."""
    assert [join_elements(list("ABC"[:n])) for n in range(4)] == ["", "A", "A and B", "A, B and C"]


@pytest.mark.parametrize("toy", ["digits", "icons"])
def test_reads_every_caption_of_the_toy(toy):
    """What the toy writes is read back, word for word, by the grammar that knows nothing of its writer."""
    grammar, module = scene_grammar(toy), load_toy(toy)
    for index in range(100):
        caption = module.make(index, 0, module.Config(frames=1, size=16)).caption
        parse = grammar.parse(caption)
        assert not parse.unknown
        assert grammar.caption(grammar.fill(parse, np.random.default_rng(0))) == caption


def test_what_is_left_open():
    """A motion that is not said is drawn; a second thing that is not spoken of is not there."""
    grammar, seen = scene_grammar("digits"), set()
    for seed in range(60):
        row = grammar.fill(grammar.parse("a seven"), np.random.default_rng(seed))
        assert row[0] == 8 and row[1] > 0 and not row[2:].any()
        seen.add(int(row[1]))
    assert seen == set(range(1, 7))
    rows = [grammar.fill(Parse([None] * 4), np.random.default_rng(seed)) for seed in range(100)]
    assert 25 < sum(bool(row[2:].all()) for row in rows) < 75


def test_the_source_documents_caption():
    """The caption of Sync-DRAW's two digits."""
    caption = "the digit 7 is moving left and right and the digit 9 is moving up and down"
    grammar = scene_grammar("digits")
    row = grammar.fill(grammar.parse(caption), np.random.default_rng(0))
    assert grammar.caption(row) == "a 7 moves left and right and a 9 moves up and down"


def test_more_things_than_can_be_drawn():
    """Said in one line."""
    with pytest.raises(PromptError, match="3 things; this model draws up to 2"):
        scene_grammar("digits").parse("a 1 spins clockwise, a 2 spins clockwise and a 3 spins clockwise")


def test_unknown_words_are_named():
    """As in a caption of one thing."""
    parse = scene_grammar("icons").parse("a red star spins clockwise and a blue planet")
    assert [word for word, _ in parse.unknown] == ["planet"]
