"""What a run of a verb puts down: names relative to the file, nothing that tells where or whose it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from moviola.core.atomic import staged
from moviola.core.contents import contents
from moviola.models.catalog import model_digest
from moviola.pipelines.provenance import (
    Roles,
    Run,
    model_checksum,
    part_of,
    place_of,
    relative_name,
    rewritten_word,
    suffix_of,
)

ROLES = Roles(
    frozenset({"input", "mask"}),
    frozenset({"model"}),
    frozenset({"lora", "between", "set"}),
    frozenset({"output", "sheet"}),
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The present folder: `in/a.mp4`, `in/b.mp4` and `out`."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "in" / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_of(**values) -> Run:
    """A run of a verb with these options."""
    return Run("refine", "1.0", {"output": "out/c.mp4", **values}, ROLES)


def test_what_is_kept_of_the_options(place):
    """Values as they were, zero too; what was not given and what is off is left out; inputs by name and checksum."""
    made = run_of(input="in/a.mp4", seed=0, strength=0.5, mask=None, loop=False, plain=True, then=[]).record(
        place / "out/c.mp4"
    )
    assert made.settings == {"input": "../in/a.mp4", "seed": 0, "strength": 0.5, "plain": True}
    assert [(one.option, one.name, one.sha256) for one in made.inputs] == [
        ("input", "../in/a.mp4", contents("in/a.mp4"))
    ]
    assert (made.verb, made.version, made.output, made.part) == ("refine", "1.0", "output", "")
    assert made.outputs == {"output": ".mp4"}


def test_a_device_is_kept_as_what_it_was(place):
    """ "auto" is another thing on another machine."""
    from moviola.core.devices import pick_device

    made = run_of(device="auto").record(place / "out/c.mp4")
    assert made.settings["device"] == str(pick_device("auto")) != "auto"


def test_files_within_words(place):
    """A LoRA with its weight, clips of a list, a setting; a caption or a number that is no file stays as it is."""
    (place / "s.safetensors").write_text("s")
    made = run_of(
        lora=["s.safetensors=0.8"], between=["in/a.mp4", "12", "in/b.mp4"], set=["raft=./s.safetensors", "x.y=2"]
    ).record(place / "out/c.mp4")  # fmt: skip
    assert made.settings["lora"] == ["../s.safetensors=0.8"]
    assert made.settings["between"] == ["../in/a.mp4", "12", "../in/b.mp4"]
    assert made.settings["set"] == ["raft=../s.safetensors", "x.y=2"]
    assert [one.option for one in made.inputs] == ["lora", "between", "between", "set"]


def test_a_data_set_by_name_and_what_is_gone(place):
    """PATH of NAME:PATH#SPLIT is an input; of a path that is not there no place is kept."""
    made = run_of(input="kth:in#test", mask=str(place / "gone" / "m.png")).record(place / "out/c.mp4")
    assert made.settings == {"input": "kth:../in#test", "mask": "m.png"}
    assert [(one.option, one.name) for one in made.inputs] == [("input", "../in")]
    assert (
        run_of(input=f"kth:{place}/none#test").record(place / "out/c.mp4").settings["input"]
        == "kth:none#test"
    )


def test_models(place):
    """One that comes with moviola by name, a folder by its path, one of the hub by name alone."""
    for name in ("regis-u", "hub:owner/name"):
        made = run_of(model=name).record(place / "out/c.mp4")
        assert (made.models[0].name, made.settings["model"]) == (name, name)
    assert run_of(model="regis-u").record(place / "out/c.mp4").models[0].sha256 == model_digest("regis-u")
    assert model_checksum("hub:owner/name") == ""
    (place / "mine").mkdir()
    (place / "mine/model_index.json").write_text("{}")
    made = run_of(model="hub:mine").record(place / "out/c.mp4")
    assert made.models[0].name == "hub:../mine" == made.settings["model"]
    assert made.models[0].sha256 == contents("mine")


def test_what_is_declared_while_it_runs(place):
    """What settings came to, with no place of this machine in it; the files that they name; other models."""
    run = run_of(input="in/b.mp4")
    config = {
        "other": str(place / "in/b.mp4"),
        "prompt": "regis-u",
        "sizes": [1, 2],
        "of": {"raft": "in/a.mp4"},
    }
    run.declare(config, {"refiner": ["regis-u"]})
    made = run.record(place / "out/c.mp4")
    assert made.resolved == {
        "other": "../in/b.mp4", "prompt": "regis-u", "sizes": [1, 2], "of": {"raft": "../in/a.mp4"}
    }  # fmt: skip
    assert [(one.option, one.name) for one in made.models] == [("refiner", "regis-u")]
    assert [(one.option, one.name) for one in made.inputs] == [
        ("input", "../in/b.mp4"), ("config", "../in/a.mp4")
    ]  # fmt: skip


def test_only_results_have_a_record(place):
    """Not what lies elsewhere, under another name or in a temporary folder."""
    run = run_of(sheet="out/s.png")
    assert run.record(place / "out/s.png").output == "sheet"
    for other in ("out/d.mp4", "out/c.mkv", "c.mp4", "out/c-x.mp4", "out/cc-1.mp4"):
        assert run.record(place / other) is None


def test_a_hidden_place_counts_as_the_final_one(place):
    """What is written beside and renamed has its record as if it stood there already."""
    run = run_of(output="out/d")
    with staged("out/d", folder=True) as hidden:
        made = run.record(hidden / "sub" / "b.mp4")
        assert made.part == "sub/b.mp4"
        (hidden / "sub").mkdir()
    assert run.record(place / "out/d/sub/b.mp4") == made
    assert run.record(hidden / "sub" / "b.mp4") is None


def test_one_of_many_stands_alone(place):
    """The settings in place of those given; other outputs are no part of that run."""
    run = run_of(input="in", sheet="out/s.png", num=4)
    made = run.changed(Path("out/c-2.mp4"), {"num": 1, "input": "in/b.mp4"}).record(place / "out/c-2.mp4")
    assert made.settings == {"input": "../in/b.mp4", "num": 1}
    assert (made.part, made.outputs) == ("", {"output": ".mp4"})


@pytest.mark.parametrize(
    ("output", "place", "part"),
    [
        ("out/c.mp4", "out/c.mp4", ""),
        ("out/c.mp4", "out/c-0.mp4", "-0"),
        ("out/c.mp4", "out/c-12.mp4", "-12"),
        ("out/frames/", "out/frames", ""),
        ("out/frames/", "out/frames-2", "-2"),
        ("out/d", "out/d/00003.mp4", "00003.mp4"),
        ("out/d", "out/d/label/x.gif", "label/x.gif"),
        ("./out/../out/d", "out/d/00003.mp4", "00003.mp4"),
    ],
)
def test_parts_and_their_places(output, place, part, tmp_path, monkeypatch):
    """`place_of` undoes `part_of`."""
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    found = tmp_path / place
    assert part_of(found, output) == part
    assert place_of(Path(os.path.normpath(tmp_path / output)), part) == found


@pytest.mark.parametrize(
    ("path", "base", "home", "name"),
    [
        ("p/in/a.mp4", "p/out", "home/jo", "../in/a.mp4"),
        ("home/jo/in/a.mp4", "home/jo/out", "home/jo", "../in/a.mp4"),
        ("home/jo/a.mp4", "home/jo", "home/jo", "a.mp4"),
        ("home/mary/a.mp4", "home/jo/out", "home/jo", "a.mp4"),
        ("home/jo/a.mp4", "data", "home/jo", "a.mp4"),
        ("data/jo/a.mp4", "data/out", "home/jo", "a.mp4"),
    ],
)
def test_no_name_of_a_person(path, base, home, name, tmp_path, monkeypatch):
    """Where the way from the file to its input goes through homes, the name alone is kept."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path / home)
    for one in (path, base):
        (tmp_path / one).mkdir(parents=True, exist_ok=True)
    assert relative_name(tmp_path / path, tmp_path / base) == name


def test_no_way_over_the_root(tmp_path):
    """Two files with nothing in common but the root."""
    assert relative_name(tmp_path / "a.mp4", Path("/")) == "a.mp4"


def test_a_link_is_kept_under_its_own_name(tmp_path):
    """What a link points to is nobody's business; where its folder really is decides the way."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "x1.mp4").touch()
    (tmp_path / "a.mp4").symlink_to(tmp_path / "store" / "x1.mp4")
    assert relative_name(tmp_path / "a.mp4", tmp_path / "store") == "../a.mp4"


def test_words():
    """The whole, what is before the last "=", what is after the first, the path of a data set."""
    known = {"a": "A", "b=c": "BC", "k=1": "K1"}
    assert (
        rewritten_word("kth:a#test", known.get) == "kth:A#test"
        and rewritten_word("kth:a", known.get) == "kth:A"
    )
    cases = {
        "a": "A",
        "a=0.5": "A=0.5",
        "b=c=2": "BC=2",
        "key=a": "key=A",
        "k=1": "K1",
        "z": "z",
        "z=y": "z=y",
    }
    assert {text: rewritten_word(text, known.get) for text in cases} == cases


def test_suffixes(tmp_path):
    """A folder is "/", whether it is there, ends in a slash or has no extension."""
    (tmp_path / "d.x").mkdir()
    names = {"a.mp4": ".mp4", "f/": "/", "d": "/", str(tmp_path / "d.x"): "/"}
    assert {name: suffix_of(name) for name in names} == names


def test_two_runs_put_down_the_same(place):
    """No time, no process, no order of a set: the texts are equal."""
    texts = {
        run_of(input="in/a.mp4", model="regis-u", seed=1).record(place / "out/c.mp4").to_json() for _ in range(2)
    }  # fmt: skip
    assert len(texts) == 1 and str(place) not in texts.pop()


def test_the_record_is_plain_json(place):
    """Whatever options hold."""
    made = run_of(input="in/a.mp4", fps=12.5, then=["a", "b"]).record(place / "out/c.mp4")
    assert json.loads(made.to_json())["settings"] == {"input": "../in/a.mp4", "fps": 12.5, "then": ["a", "b"]}
