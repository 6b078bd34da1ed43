"""What a word is, in any script."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moviola.cli.main import run
from moviola.core.errors import PromptError
from moviola.core.words import split_words
from moviola.data.grammar import Grammar
from moviola.nn.words import tokenize


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_plain_text_is_split_as_ever(text):
    """Runs of a to z and digits; the models at hand were trained on these."""
    assert split_words(text) == re.findall(r"[a-z0-9]+", text.lower())
    assert split_words(text, apostrophes=True) == re.findall(r"[a-z0-9]+(?:'[a-z0-9]+)?", text.lower())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ein GRÜNER Ball, groß", ["ein", "grüner", "ball", "gross"]),
        ("Человек с рыжими волосами", ["человек", "с", "рыжими", "волосами"]),
        ("红头发的人", ["红", "头", "发", "的", "人"]),
        ("赤いボール", ["赤", "い", "ボ", "ー", "ル"]),
        ("빨간 공", ["빨간", "공"]),
        ("लाल गेंद", ["लाल", "गेंद"]),  # vowel signs are marks on the letter before
        ("كرة حمراء", ["كرة", "حمراء"]),
        ("כַּדּוּר אָדֹם", ["כַּדּוּר", "אָדֹם"]),
        ("ลูกบอล สีแดง", ["ลูกบอล", "สีแดง"]),
        ("می\u200cرود", ["میرود"]),
        ("a 🙂\ufe0f 👩\u200d🚀 ball_2", ["a", "ball", "2"]),
        ("x\u0301 \u0301 y", ["x\u0301", "y"]),
        ("", []),
    ],
)
def test_words_of_a_script(text, words):
    expected = [unicodedata.normalize("NFC", word) for word in words]
    assert split_words(text) == expected
    assert split_words(unicodedata.normalize("NFD", text)) == expected


def test_apostrophes():
    """A typographic one is one; the grammar drops the 's of a genitive, the hashed words keep theirs together."""
    assert split_words("don’t l'eau") == ["don", "t", "l", "eau"]
    assert split_words("don’t l'eau", apostrophes=True) == ["don't", "l'eau"]
    assert (tokenize("don’t") == tokenize("DON'T")).all()
    grammar = Grammar.from_captions(["the man’s hat"])
    assert grammar.vocabulary() == ["hat", "man", "the"]


@example("\U0003134b")
@given(st.text(max_size=30))
def test_any_text_has_words_in_order(text):
    """Every letter and digit is in a word, and nothing but them and their marks."""
    kept = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    letters = [sign for sign in kept if unicodedata.category(sign)[0] in "LN"]
    words = "".join(split_words(text))
    assert [sign for sign in words if unicodedata.category(sign)[0] in "LN"] == letters
    # Chinese characters that this Python's Unicode does not know yet are words all the same
    unknown = {sign for sign in words if unicodedata.category(sign) == "Cn"}
    assert all("\U00020000" <= sign <= "\U000323af" for sign in unknown)
    assert all(unicodedata.category(sign)[0] in "LNM" for sign in set(words) - unknown)


def test_captions_of_any_script_make_a_grammar():
    captions = ["зелёный мяч", "красный мяч"]
    grammar = Grammar.from_captions(captions)
    assert grammar.vocabulary() == ["зелёный", "красный", "мяч"]
    slots = grammar.fill(grammar.parse("Красный МЯЧ"), np.random.default_rng(0))
    assert grammar.caption(slots) == "красный мяч"
    hashed = tokenize("红 球")
    assert (hashed[:2] == tokenize("红球")[:2]).all()
    assert hashed[0] != hashed[1]


def test_a_prompt_in_another_script_names_each_unknown_word(small_grammar):
    with pytest.raises(PromptError) as error:
        small_grammar.parse("рыжий человек 红 рыжий")
    assert "'рыжий', 'человек', '红'; say for example" in str(error.value)
    parse = small_grammar.parse("red hair, зелёный")
    assert [word for word, _ in parse.unknown] == ["зелёный"]


def test_generate_names_them(capsys, tmp_path):
    code = run(["generate", "человек идёт 左", "-o", str(tmp_path / "a.mp4")])
    err = capsys.readouterr().err
    assert code == 2
    assert err.count("\n") == 1
    assert all(f"'{word}'" in err for word in ("человек", "идёт", "左"))
    assert not list(tmp_path.iterdir())
