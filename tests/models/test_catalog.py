"""The catalog: names, folders, and what is said when there is no such model."""

from __future__ import annotations

import shutil

import pytest
import torch

from moviola.core.errors import UnknownNameError, WeightsError
from moviola.models import catalog
from moviola.models.protocols import is_generator


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


# -- kinds --------------------------------------------------------------------------------------------


def tiny_parts():
    """One small network of every family that is a single network, by family."""
    from moviola.models.freqmotion import FreqMotionConfig, FreqMotionGenerator
    from moviola.models.inrv import InrvConfig, InrvModel
    from moviola.models.nextframe import NextFrameConfig, NextFrameUNet
    from moviola.models.regis.fuse import FuseConfig, FuseRefiner
    from moviola.models.regis.unet import UnetConfig, UnetRefiner
    from moviola.models.regis.vq import VqConfig, VqRefiner
    from moviola.models.textgan import FrameGenerator, GanClsConfig, GanClsGenerator, TextGANConfig

    sizes, widths = (2, 3), (8, 8, 8, 8)
    return {
        "textgan": FrameGenerator(TextGANConfig(slots=sizes, size=32, latent=4, widths=widths, condition=8)),
        "textgan-cls": GanClsGenerator(GanClsConfig(slots=sizes, size=32, latent=4, width=32, text=8)),
        "nextframe": NextFrameUNet(
            NextFrameConfig(slots=sizes, size=32, history=4, widths=widths, condition=8)
        ),
        "freqmotion": FreqMotionGenerator(
            FreqMotionConfig(
                size=8, content=4, motion=4, style=4, content_layers=1, features=4, widths=(4, 4)
            )
        ),
        "inrv": InrvModel(
            InrvConfig(
                frames=3,
                height=8,
                width=8,
                captions=("a", "b"),
                latent=4,
                decoder="low-rank",
                hidden=8,
                layers=1,
                rank=2,
                head_hidden=8,
                head_layers=1,
                encoder=(4,),
                prior=8,
            )
        ),
        "regis-u": UnetRefiner(
            UnetConfig(frames=4, size=16, dim=8, multipliers=(1, 2), blocks=1, heads=2, head=8)
        ),
        "regis-vq": VqRefiner(VqConfig(frames=4, size=16, codes=8, code_width=8, hidden=16, layers=1)),
        "regis-fuse": FuseRefiner(
            FuseConfig(frames=4, size=16, encoder=8, encoder_layers=1, width=16, blocks=1, heads=2, fusion=2)
        ),
    }


@pytest.fixture(scope="module")
def family_folders(tmp_path_factory):
    """A folder of every family's model, as `save_pretrained` writes it."""
    root = tmp_path_factory.mktemp("families")
    return {
        family: (network, network.save_pretrained(root / family)) for family, network in tiny_parts().items()
    }


def test_every_family_is_tried(family_folders):
    """The table holds these, and the family of two networks, which `tiny_model` is."""
    assert set(catalog.FAMILIES) == {*family_folders, "text-to-video"}


@pytest.mark.parametrize("family", [name for name in catalog.FAMILIES if name != "text-to-video"])
def test_any_saved_folder_loads(family_folders, family):
    """The class that wrote it, in eval mode, with its weights."""
    network, folder = family_folders[family]
    loaded = catalog.load(folder)
    assert type(loaded) is type(network) and not loaded.training
    written = network.state_dict()
    assert written.keys() == loaded.state_dict().keys()
    assert all(torch.equal(value, written[key]) for key, value in loaded.state_dict().items())


@pytest.mark.parametrize("card", catalog.list_models(), ids=lambda card: card.name)
def test_every_catalog_name_loads(card):
    """As what its family says: it draws videos or refines them."""
    loaded = catalog.load(card.name)
    kind = catalog.FAMILIES[card.family].kind
    assert is_generator(loaded) == (kind == catalog.GENERATOR)
    if is_generator(loaded):
        assert hasattr(loaded, "describe") or not loaded.is_conditional
        assert min(loaded.num_frames, loaded.height, loaded.width, loaded.fps) > 0
    assert hasattr(loaded, "refine") == (kind == catalog.REFINER)


def complaint(call, *words):
    """The one line of the error that `call` ends in."""
    with pytest.raises(WeightsError) as raised:
        call(*words)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_another_kind_is_named(shelf, family_folders):
    """What it is, and what would be right."""
    _, folder = family_folders["regis-u"]
    assert (
        complaint(catalog.load_generator, folder)
        == f"{folder} is a refiner (regis-u); generators are sprites"
    )
    assert "is a refiner" in complaint(catalog.load_text_to_video, folder)
    text = complaint(catalog.load_refiner, "sprites")
    assert text.startswith(
        "sprites is a generator (text-to-video); refiners are not part of this installation"
    )
    assert "is a next-frame network" in complaint(catalog.load_generator, shelf / "next")
    assert type(catalog.load_generator("sprites")) is type(catalog.load_text_to_video(shelf))


def test_embedded_refiner_as_generator():
    """The name that is its family's is not said twice."""
    names = [card.name for card in catalog.list_models()]
    if "regis-u" not in names:
        pytest.skip("this installation has no regis-u")
    text = complaint(catalog.load_generator, "regis-u")
    assert text.startswith("regis-u is a refiner; generators are ")


def test_pipelines_are_not_of_the_catalog():
    """Said as what they are, with what takes them."""
    for call in (catalog.load, catalog.load_refiner, catalog.find_model):
        with pytest.raises(UnknownNameError):
            call("hub:me/panda")
    with pytest.raises(UnknownNameError, match="generate and sample take it"):
        catalog.load("hub:me/panda")


def test_a_family_of_nobody(shelf):
    """A folder that another program wrote."""
    config = shelf / "config.json"
    for values in ('{"family": "metric"}', '{"class": "Net"}', '{"family": ["a"]}'):
        config.write_text(values)
        for call in (catalog.load, catalog.load_generator, catalog.load_refiner, catalog.family_of):
            assert "of no known family" in complaint(call, shelf)
