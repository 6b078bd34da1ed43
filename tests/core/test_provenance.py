"""The record of how a file was made: written as text and read back; whoever makes it is asked by those who write."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moviola.core.provenance import Ingredient, Provenance, as_if, declare, provenance_of, recording

WHOLE = Provenance(
    verb="edit motion",
    version="0.1.0",
    settings={"seed": 3, "gain": ["low=2", "high=0"], "lossless": True},
    inputs=(Ingredient("match", "../clip.mp4", "ab" * 32),),
    models=(Ingredient("model", "freqmotion-toy", "cd" * 32),),
    part="-1",
    outputs={"output": ".mp4", "sheet": ".png"},
    libraries={"torch": "2.6.0"},
    resolved={"strength": 0.5},
)


class Recorder:
    """Remembers what it was told."""

    def __init__(self, **settings):
        self.settings, self.declared = settings, []

    def record(self, path):
        return replace(WHOLE, settings=self.settings, part=path.name)

    def changed(self, output, settings):
        return Recorder(**{**self.settings, **settings, "output": str(output)})

    def declare(self, resolved, models):
        self.declared.append((resolved, models))


def test_text_and_back():
    """One line of ASCII holds every field."""
    text = WHOLE.to_json()
    assert text.isascii() and "\n" not in text
    assert Provenance.parse(text) == WHOLE
    assert WHOLE.seed == 3


@given(st.text(), st.integers())
def test_any_text_comes_back(text, seed):
    """Quotes, line ends, emoji and lone halves of them in a prompt are kept."""
    made = replace(WHOLE, settings={"prompt": text, "seed": seed})
    assert Provenance.parse(made.to_json()) == made


@given(st.text(max_size=200))
def test_no_text_is_taken_for_a_record(text):
    """Whatever a comment says, it is no record and no error."""
    assert Provenance.parse(text) is None


@given(st.integers(0, len(WHOLE.to_json()) - 1))
def test_a_cut_record_is_none(end):
    """A record that ends early is no record."""
    assert Provenance.parse(WHOLE.to_json()[:end]) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"moviola": 2},
        {"verb": 3},
        {"settings": ["seed"]},
        {"settings": {"seed": "three"}},
        {"inputs": [{"option": "input"}]},
        {"inputs": [{"option": "input", "name": "a.mp4", "sha256": None}]},
        {"models": 5},
        {"outputs": {"output": 5}},
        {"version": None},
    ],
)
def test_a_record_with_a_wrong_part_is_none(changes):
    """What has the form of a record but not its kinds of values is not read as one."""
    assert Provenance.parse(json.dumps({**json.loads(WHOLE.to_json()), **changes})) is None


def test_what_a_later_version_adds_is_passed_over():
    """An unknown field does not hide the others."""
    assert Provenance.parse(json.dumps({**json.loads(WHOLE.to_json()), "later": 1})) == WHOLE


def test_a_writer_asks_the_recorder_of_its_run(tmp_path):
    """Inside a run each file has its record; outside, and where none are wanted, none."""
    assert provenance_of(tmp_path / "a.mp4") is None
    with recording(Recorder(seed=1)):
        made = provenance_of(tmp_path / "a.mp4")
        with recording(None):
            assert provenance_of(tmp_path / "a.mp4") is None
    assert (made.settings, made.part) == ({"seed": 1}, "a.mp4")
    assert provenance_of(tmp_path / "a.mp4") is None


def test_one_of_many_is_recorded_by_itself(tmp_path):
    """`as_if` changes the run for what is written inside; without a run it is nothing."""
    with as_if(tmp_path / "a-1.mp4", num=1):
        assert provenance_of(tmp_path / "a-1.mp4") is None
    with recording(Recorder(seed=1, num=4)):
        with as_if(tmp_path / "a-1.mp4", num=1):
            assert provenance_of("x").settings == {"seed": 1, "num": 1, "output": str(tmp_path / "a-1.mp4")}
        assert provenance_of("x").settings == {"seed": 1, "num": 4}


def test_what_is_known_later_goes_to_the_recorder():
    """To the run that writes, and to nobody where no records are kept."""
    declare({"painter": "oil"})
    recorder = Recorder()
    with recording(recorder):
        declare({"painter": "oil"}, {"refiner": ["regis-u"]})
    assert recorder.declared == [({"painter": "oil"}, {"refiner": ["regis-u"]})]
