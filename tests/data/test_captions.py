"""Captions from CSV and JSONL: what is read, and what is said of a line that is wrong."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.errors import FormatError, InputError
from moviola.data.captions import CaptionLine, decode_text, match_captions, read_captions, write_captions

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1).filter(
    lambda t: t.strip()
)


@given(st.lists(WORDS, min_size=1, max_size=5))
def test_both_forms_hold_any_text(captions):
    rows = [{"file": f"{k}.mp4", "caption": caption} for k, caption in enumerate(captions)]
    jsonl = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    table = io.StringIO()
    writer = csv.DictWriter(table, ["file", "caption"])
    writer.writeheader()
    writer.writerows(rows)
    wanted = [(f"{k}.mp4", " ".join(caption.split())) for k, caption in enumerate(captions)]
    for text, where in [(jsonl, "captions.jsonl"), (table.getvalue(), "captions.csv")]:
        assert [(line.file, line.caption) for line in read_captions(text, where)] == wanted


def test_columns_may_stand_in_any_order_beside_others():
    text = 'id,Caption, FILE \n1,"a dog, ""Rex"", runs",./b/../x/a.mp4\n2,"two\nlines",sub\\b.mp4\n'
    assert read_captions(text, "c.csv") == [
        CaptionLine("b/../x/a.mp4", 'a dog, "Rex", runs', 2),
        CaptionLine("sub/b.mp4", "two lines", 4),
    ]
    assert read_captions('{"file": "a", "caption": " b ", "truth": {}}\n\n', "c.jsonl") == [
        CaptionLine("a", "b", 1)
    ]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("c.csv", "name,caption\na,b\n", "c.csv line 1: no column 'file'; the columns are name, caption"),
        ("c.csv", "", "c.csv line 1: no column 'file'; the columns are none"),
        ("c.csv", "file,caption\na.mp4,hi\nb.mp4\n", "c.csv line 3: 'caption' is missing"),
        ("c.csv", 'file,caption\na,"open\n', "c.csv line 2: not CSV"),
        ("c.jsonl", '{"file": "a", "caption": "b"}\n{"file": "a"\n', "c.jsonl line 2: not JSON"),
        ("c.jsonl", "[1]\n", "c.jsonl line 1: not an object"),
        (
            "c.jsonl",
            '{"file": "a", "caption": " "}',
            "c.jsonl line 1: 'caption' is missing, empty or not text",
        ),
        ("c.jsonl", '{"file": 3, "caption": "b"}', "c.jsonl line 1: 'file' is missing, empty or not text"),
    ],
)
def test_wrong_lines_are_named(name, text, says):
    with pytest.raises(InputError) as error:
        read_captions(text, name)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_other_suffixes_and_encodings():
    with pytest.raises(FormatError, match=r"captions are read from .csv or .jsonl, not .txt"):
        read_captions("", "captions.txt")
    assert decode_text(b"\xef\xbb\xbfa\xc3\xa9", "x") == "aé"
    with pytest.raises(InputError, match="x line 2: not UTF-8"):
        decode_text(b"a\n\xff", "x")


def test_captions_find_their_clips_with_or_without_suffix():
    lines = [CaptionLine("a", "one", 1), CaptionLine("b.mp4", "two", 2)]
    assert match_captions(lines, ["a.mp4", "b.mp4", "c.mp4"], "c.csv") == {"a.mp4": "one", "b.mp4": "two"}
    with pytest.raises(InputError, match=r"c.csv line 1: there is no clip 'a'"):
        match_captions(lines, ["a.mp4", "a.gif", "b.mp4"], "c.csv")


def test_a_caption_for_nothing_and_a_second_caption_are_named_by_line():
    with pytest.raises(
        InputError, match=r"c.csv line 7: there is no clip 'clip1.mp'; did you mean clip1.mp4\?"
    ):
        match_captions([CaptionLine("clip1.mp", "x", 7)], ["clip1.mp4"], "c.csv")
    twice = [CaptionLine("a.mp4", "x", 2), CaptionLine("a", "y", 3)]
    with pytest.raises(InputError, match=r"c.csv line 3: a second caption for 'a.mp4', after line 2"):
        match_captions(twice, ["a.mp4"], "c.csv")


def test_written_captions_are_read_back(tmp_path):
    rows = [{"file": "a.mp4", "caption": "größer", "truth": {"n": [1, 2]}}]
    write_captions(tmp_path / "captions.jsonl", iter(rows))
    text = (tmp_path / "captions.jsonl").read_text(encoding="utf-8")
    assert read_captions(text, "captions.jsonl") == [CaptionLine("a.mp4", "größer", 1)]
    assert json.loads(text)["truth"] == {"n": [1, 2]}
