"""`moviola models`: first with a made-up catalog, then with the one that is shipped."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest

from moviola.cli.main import run
from moviola.cli.models import human_size
from moviola.core.errors import UnknownNameError

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
    assert said(capsys, "list") == "stars  Stars that fall. (1.5 MB, CC0-1.0)\n"


def test_list_of_nothing(catalog, capsys):
    """An empty catalog is said, not shown as an empty screen."""
    catalog.list_models = lambda: []
    assert "no model is embedded" in said(capsys, "list")
    assert json.loads(said(capsys, "list", "--json")) == {"models": []}


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
    assert json.loads(said(capsys, "list", "--json")) == {"models": [expected]}


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
