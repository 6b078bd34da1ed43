"""The catalog: names, folders, and what is said when there is no such model."""

from __future__ import annotations

import shutil

import pytest
import torch

from moviola.core.errors import UnknownNameError, WeightsError
from moviola.models import catalog


@pytest.fixture
def shelf(tiny_model, tmp_path, monkeypatch):
    """A weights folder that holds the tiny model under the name `sprites`, and nothing else."""
    monkeypatch.setattr(catalog, "_WEIGHTS", tmp_path / "weights")
    folder = tiny_model.save_pretrained(tmp_path / "weights" / "sprites")
    (folder / "README.md").write_text("# card\n")
    return folder


def test_cards(shelf):
    """Only what is there is listed; a card counts every byte and says every slot."""
    (card,) = catalog.list_models()
    assert (card.name, card.family, card.path) == ("sprites", "text-to-video", shelf)
    assert card == catalog.find_model("sprites") and card.card_path.read_text() == "# card\n"
    assert card.size_bytes == sum(p.stat().st_size for p in shelf.rglob("*") if p.is_file())
    assert card.says.splitlines() == [
        "hair: red hair, green hair, blue hair, white hair",
        "action: walks, jumps, waves",
        "side: left, right, up",
    ]


@pytest.mark.parametrize("call", [catalog.find_model, catalog.load, catalog.model_folder])
def test_nearest_names(shelf, call):
    """A wrong name is met with the nearest one; one that is not installed is no name."""
    with pytest.raises(UnknownNameError, match=r"unknown model 'spirtes'; did you mean sprites\?"):
        call("spirtes")
    with pytest.raises(UnknownNameError, match="known: sprites"):
        call("actions")


def test_nothing_installed(shelf):
    """An empty shelf is said."""
    shutil.rmtree(shelf)
    assert catalog.list_models() == []
    with pytest.raises(UnknownNameError, match="none"):
        catalog.load("sprites")


def test_load_by_name_and_folder(shelf, tiny_model):
    """Both give the same weights."""
    for model in ("sprites", shelf, str(shelf)):
        loaded = catalog.load(model)
        assert torch.equal(loaded.next.head.weight, tiny_model.next.head.weight)


def test_folders_that_are_none(shelf, tmp_path):
    """A folder without a model, and a path that does not exist."""
    with pytest.raises(WeightsError, match=r"config\.json"):
        catalog.load(tmp_path)
    with pytest.raises(UnknownNameError, match="no model folder"):
        catalog.load(tmp_path / "no" / "model")
