"""Captions to slots and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import PromptError
from moviola.core.seeds import numpy_generator
from moviola.data.actions import GRAMMAR as ACTIONS
from moviola.data.grammar import Grammar
from moviola.data.toys.sprites_grammar import GRAMMAR as SPRITES

SEEDS = st.integers(0, 2**32)


def full_row(grammar: Grammar, seed: int) -> np.ndarray:
    """A random full row that breaks no rule."""
    rng = np.random.default_rng(seed)
    while True:
        row = np.array([rng.integers(1, n + 1) for n in grammar.sizes])
        if grammar.allows(row):
            return row


def complaint(grammar: Grammar, prompt: str) -> str:
    """The PromptError's message, which must be one line."""
    with pytest.raises(PromptError) as error:
        grammar.parse(prompt)
    assert "\n" not in str(error.value)
    return str(error.value)


@given(seed=SEEDS)
def test_sprites_captions_mean_what_they_say(seed):
    """A full row's caption parses to exactly that row, with nothing unknown, and fills to it under any seed."""
    row = full_row(SPRITES, seed)
    parse = SPRITES.parse(SPRITES.caption(row))
    assert [sorted(a) for a in parse.allowed] == [[k - 1] for k in row]
    assert parse.unknown == [] and parse.notes == []
    assert np.array_equal(SPRITES.fill(parse, np.random.default_rng(seed)), row)


@given(seed=SEEDS, said=st.lists(st.booleans(), min_size=8, max_size=8).filter(any))
def test_partial_captions_round_trip(seed, said):
    """What a row leaves at 0 is not said: the parse leaves exactly those slots open, but for what rules decide."""
    row = full_row(SPRITES, seed) * np.array(said)
    caption = SPRITES.caption(row)
    assert ",," not in caption and " ," not in caption and not caption.endswith((",", "and", "with"))
    parse = SPRITES.parse(caption)
    assert parse.unknown == []
    for k, allowed, slot in zip(row[:6], parse.allowed[:6], SPRITES.slots, strict=False):
        assert allowed == (frozenset({k - 1}) if k else None), (caption, slot.name)
    filled = SPRITES.fill(parse, np.random.default_rng(seed))
    assert SPRITES.allows(filled)
    assert all(f == k for f, k in zip(filled, row, strict=True) if k)


@given(seed=SEEDS)
def test_actions_captions_round_trip(seed):
    """The same for the real people (the slot `moment` has no words in a caption)."""
    row = full_row(ACTIONS, seed)
    parse = ACTIONS.parse(ACTIONS.caption(row))
    assert [sorted(a or ()) for a in parse.allowed[:3]] == [[k - 1] for k in row[:3]]
    assert parse.allowed[3] is None and parse.unknown == []


@pytest.mark.parametrize(
    ("said", "caption"),
    [
        ({}, "a person"),
        ({"action": "walks"}, "a person walks"),
        ({"hair": "a blue topknot", "facing": "to the left"}, "a person with a blue topknot to the left"),
        ({"skin": "light skin", "eyes": "blue eyes"}, "a person with light skin and blue eyes"),
        (
            {"hair": "short red hair", "top": "chainmail", "shoes": "brown boots", "action": "falls"},
            "a person with short red hair, chainmail and brown boots falls",
        ),
    ],
)
def test_captions_leave_out_what_is_not_said(said, caption):
    """No stray commas or prepositions."""
    row = [
        next((k + 1 for k, v in enumerate(s.values) if v.name == said.get(s.name)), 0) for s in SPRITES.slots
    ]
    assert SPRITES.caption(row) == caption


def test_caption_of_actions_without_clothes():
    """ "in" goes with the clothes."""
    assert ACTIONS.caption([0, 1, 0, 0]) == "a person waves one hand"
    assert ACTIONS.caption([4, 2, 2, 1]) == "a person in blue denim waves both hands to the left"


def names(grammar: Grammar, prompt: str) -> dict[str, list[str]]:
    """What a prompt allows, by slot, for the slots it says something of."""
    parse = grammar.parse(prompt)
    return {
        s.name: [s.values[k].name for k in sorted(a)]
        for s, a in zip(grammar.slots, parse.allowed, strict=True)
        if a is not None
    }


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("Green hair!", {"hair": ["messy green hair"]}),
        ("a green-haired person, walking", {"hair": ["messy green hair"], "action": ["walks"]}),
        ("someone with short hair", {"hair": ["short crimson hair", "short red hair"]}),
        ("short red hair", {"hair": ["short red hair"]}),
        ("a person's brown boots and red pants", {"bottom": ["red trousers"], "shoes": ["brown boots"]}),
        ("an orc shoots an arrow", {"skin": ["green orc skin"], "action": ["shoots"]}),
        ("a shirt with a tie", {"top": ["a shirt with a tie"]}),
        ("falls", {"action": ["falls"], "facing": ["towards the viewer"]}),
    ],
)
def test_ways_of_saying(prompt, said):
    """Case, punctuation, possessives, hyphens, synonyms, and words that fit several values."""
    assert names(SPRITES, prompt) == said


def test_unknown_words_are_named_with_the_nearest():
    """In the order of the prompt; what is ignored is not named."""
    parse = SPRITES.parse("a persn with grene hair wlaks walks zzzz")
    assert [w for w, _ in parse.unknown] == ["persn", "grene", "wlaks", "zzzz"]
    near = dict(parse.unknown)
    assert "green" in near["grene"] and "walks" in near["wlaks"] and near["zzzz"] == []


def test_a_known_word_alone_is_offered_its_values():
    """A colour of nothing is not understood; what has that colour is offered."""
    ((word, offers),) = SPRITES.parse("purple walks").unknown
    assert word == "purple" and offers == ["purple curls"]


def test_nothing_known():
    """Empty, only ignored words, only unknown words: an error with an example that parses."""
    for prompt in ("", "  ,.!? ", "\n"):
        assert "empty" in complaint(SPRITES, prompt)
    text = complaint(SPRITES, "xyzzy wlaks")
    assert "walks" in text
    assert "no word" in complaint(SPRITES, "a person with the")
    assert all(a is not None for a in SPRITES.parse(text.split("say for example: ")[1]).allowed)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("walks and slashes", ["action", "walks", "slashes", "choose one"]),
        ("green hair and pink hair", ["hair", "green", "pink"]),
        ("walks to the left and to the right", ["facing", "left", "right"]),
        ("spiky green hair", ["no spiky green hair", "spiky orange hair"]),
    ],
)
def test_contradictions(prompt, words):
    """Two things of one slot, or a combination that does not exist: said in one line."""
    text = complaint(SPRITES, prompt)
    assert all(word in text for word in words), text


def test_rules_of_sprites():
    """Who falls faces us; who faces left does not fall; what is done outweighs where to, and is noted."""
    (note,) = SPRITES.parse("falls to the left").notes
    assert "falls" in note and "towards the viewer" in note
    assert names(SPRITES, "falls to the left") == {"action": ["falls"], "facing": ["towards the viewer"]}
    assert "falls" not in names(SPRITES, "to the left")["action"]
    assert "falls" in [v.name for v in SPRITES.slots[6].values]


@pytest.mark.parametrize("action", range(4))
@pytest.mark.parametrize("clothes", range(10))
def test_rules_of_actions_never_change_the_action(action, clothes):
    """Whatever they are said to wear, people do what they are told, in clothes that were seen doing it."""
    said = f"{ACTIONS.slots[1].values[action].name} in {ACTIONS.slots[0].values[clothes].name}"
    parse = ACTIONS.parse(said)
    for seed in range(20):
        row = ACTIONS.fill(parse, np.random.default_rng(seed))
        assert row[1] == action + 1 and ACTIONS.allows(row), said
    fits = ACTIONS.allows([clothes + 1, action + 1, 1, 1])
    assert (parse.notes == []) == fits
    assert not fits or parse.allowed[0] == {clothes}


@given(seed=SEEDS, slot=st.integers(0, 7))
def test_saying_one_thing_more_changes_nothing_else(seed, slot):
    """The value of every slot not said is drawn by its own number, said or not said elsewhere (but for rules)."""
    wanted = full_row(SPRITES, seed)
    base = SPRITES.fill(SPRITES.parse("brown boots"), numpy_generator(seed, 0, "slots"))
    more = np.zeros(8, dtype=np.int64)
    more[4], more[slot] = 1, 1 if slot == 4 else wanted[slot]
    after = SPRITES.fill(SPRITES.parse(SPRITES.caption(more)), numpy_generator(seed, 0, "slots"))
    mixed = base.copy()
    mixed[slot] = more[slot]
    if (
        base[6] == 6 and slot == 6 and more[6] != 6
    ):  # the drawn fall had turned the figure; its own draw is free again
        mixed[7] = after[7]
    if SPRITES.allows(mixed):
        assert np.array_equal(after, mixed)
    else:  # falling and facing away cannot go together: one of the two follows, nothing else
        assert np.array_equal(after[:6], mixed[:6]) and after[slot] == more[slot] and SPRITES.allows(after)


def test_draws_are_uniform_over_what_is_open():
    """Also where a rule takes a value away: left, so no falling, five actions in equal parts."""
    parse = SPRITES.parse("to the left")
    rows = np.array([SPRITES.fill(parse, np.random.default_rng(i)) for i in range(3000)])
    counts = np.bincount(rows[:, 6], minlength=7)[1:]
    assert counts[5] == 0
    assert abs(counts[:5] - 600).max() < 5 * (3000 * 0.2 * 0.8) ** 0.5
    hair = np.bincount(rows[:, 3], minlength=11)[1:]
    assert abs(hair - 300).max() < 5 * (3000 * 0.1 * 0.9) ** 0.5


def test_seen_leaves_visible_slots_open():
    """With a frame given, what it shows and the prompt does not say stays 0."""
    parse = SPRITES.parse("red hair walks")
    row = SPRITES.fill(parse, np.random.default_rng(0), has_frame=True)
    assert row[6] == 1 and row[3] > 0
    assert row[[0, 1, 2, 4, 5, 7]].tolist() == [0] * 6


def test_grammar_of_words():
    """Any captions: slot i is the i-th word; nothing is drawn for the rest."""
    grammar = Grammar.from_captions(["A red star spins", "a blue moon", "a star"])
    words = ["a", "blue", "moon", "red", "spins", "star"]
    assert grammar.vocabulary() == words and grammar.sizes == (6,) * 4
    parse = grammar.parse("a BLUE star")
    row = grammar.fill(parse, np.random.default_rng(0))
    assert row.tolist() == [1, 2, 6, 0] and grammar.caption(row) == "a blue star"
    assert grammar.parse("a bleu star").unknown == [("bleu", ["blue"])]
    assert "4" in complaint(grammar, "a a a a a")
    assert "did you mean blue" in complaint(grammar, "bleu")
    with pytest.raises(PromptError, match="no words"):
        Grammar.from_captions(["", "!"])


@given(seed=SEEDS)
def test_word_captions_round_trip(seed):
    """Every caption a grammar was learnt from comes back word for word."""
    rng = np.random.default_rng(seed)
    captions = [" ".join(rng.choice(list("abcdefg"), rng.integers(1, 5))) for _ in range(5)]
    grammar = Grammar.from_captions(captions)
    for caption in captions:
        assert grammar.caption(grammar.fill(grammar.parse(caption), rng)) == caption


def test_grammar_survives_json():
    """A manifest carries the grammar."""
    assert Grammar.make(SPRITES.model_dump(mode="json")) == SPRITES
    assert Grammar.make(ACTIONS.model_dump(mode="json")) == ACTIONS


def test_a_rule_says_nothing_of_a_given_frame():
    """That only some clothes go with an action is no word about the clothes in the image."""
    row = ACTIONS.fill(ACTIONS.parse("a person waves both hands"), numpy_generator(0), has_frame=True)
    assert row.tolist() == [0, 2, 0, 0]
    row = ACTIONS.fill(
        ACTIONS.parse("a person in blue denim waves both hands"), numpy_generator(0), has_frame=True
    )
    assert row.tolist() == [4, 2, 0, 0]
