"""The forms of the next-frame network: what they share, and the source's own numbers."""

from __future__ import annotations

import json
from typing import get_args

import pytest
import torch
from pydantic import ValidationError

from moviola.core.errors import WeightsError
from moviola.models import catalog
from moviola.models.nextframe import (
    NextFrame,
    NextFrameConfig,
    NextFrameNetwork,
    NextFrameUNet,
    NextFrameUNet2d,
    NextFrameUNet3d,
    make_next_frame,
    rollout,
)
from moviola.models.nextframe.config import Form
from moviola.models.nextframe.dense import one_hot_matrix

SLOTS = (3, 2)
CLASSES = {"film": NextFrameUNet, "faithful2d": NextFrameUNet2d, "unet3d": NextFrameUNet3d}
OTHERS = [form for form in CLASSES if form != "film"]


def network(form: str, *, size: int = 32, history: int = 5, **settings) -> NextFrameNetwork:
    """A small network, all of whose weights count."""
    small = {"widths": (8, 8, 8, 8), "condition": 8} if form == "film" else {"filters": 4, "hidden": 32}
    config = NextFrameConfig.make(
        {"form": form, "slots": SLOTS, "size": size, "history": history, **small, **settings}
    )
    made = make_next_frame(config)
    generator = torch.Generator().manual_seed(3)
    for p in made.parameters():
        p.data.add_(torch.randn(p.shape, generator=generator), alpha=0.05)
    return made.eval()


def frames(*shape: int, size: int = 32, seed: int = 0) -> torch.Tensor:
    """Random values in [-1, 1]."""
    return torch.rand(*shape, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_every_form_is_made():
    """The factory knows the forms of the config, and no other."""
    assert set(get_args(Form)) == set(CLASSES)
    assert {form: type(network(form)) for form in CLASSES} == CLASSES


def test_the_size_of_the_sources_network():
    """Its own summary (Keras, notebook of the frame-sequence network): 128x128, 10 grey frames, 8 filters, a caption
    of one of two words: 25,446,477 parameters, of which dense1 has 16,780,288 and dense2 8,396,800, 98.9 % together."""
    made = make_next_frame(NextFrameConfig(form="faithful2d", slots=(2,), size=128, history=10, channels=1))
    assert isinstance(made, NextFrameUNet2d)
    total = sum(p.numel() for p in made.parameters())
    dense = [sum(p.numel() for p in d.parameters()) for d in (made.dense.dense1, made.dense.dense2)]
    assert total == 25_446_477 and dense == [16_780_288, 8_396_800]
    assert round(100 * sum(dense) / total, 1) == 98.9
    assert made.dense.shape == (128, 8, 8)


@torch.no_grad()
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("size", "history"), [(16, 1), (32, 10), (48, 3), (64, 5)])
@pytest.mark.parametrize("form", OTHERS)
def test_sizes(form, size, history, channels):
    """One frame out, of the same size, inside [-1, 1], for any history; grey frames have three equal channels."""
    net = network(form, size=size, history=history, channels=channels)
    made = net(frames(2, history, size=size), torch.tensor([1, history]), torch.tensor([[0, 1], [3, 2]]))
    assert made.shape == (2, 3, size, size) and made.dtype == torch.float32
    assert made.abs().max() <= 1 and made.std() > 0
    assert torch.equal(made[:, 0], made[:, 1]) == (channels == 1)


@torch.no_grad()
@pytest.mark.parametrize("form", CLASSES)
def test_empty_places_are_not_looked_at(form):
    """Whatever stands in the places before the last `count` changes nothing; a real place does."""
    net, history, slots = network(form), frames(5, 5), torch.ones(5, 2, dtype=torch.int64)
    count = torch.arange(1, 6)
    expected = net(history, count, slots)
    for k in range(5):
        other = history.clone()
        other[:, k] = frames(5, seed=k + 1)
        changed = (net(other, count, slots) - expected).flatten(1).abs().amax(dim=1) > 0
        assert changed.tolist() == [c >= 5 - k for c in count.tolist()]


@torch.no_grad()
def test_an_empty_place_of_a_volume_is_not_a_black_frame():
    """The volumes mark what is real; frames as channels do not, as in the source."""
    slots = torch.ones(2, 2, dtype=torch.int64)
    history = torch.full((2, 5, 3, 32, 32), -1.0)
    history[:, -1] = frames(1)
    for form, same in (("unet3d", False), ("faithful2d", True)):
        a, b = network(form)(history, torch.tensor([1, 5]), slots)
        assert torch.allclose(a, b, atol=1e-6) == same


@torch.no_grad()
@pytest.mark.parametrize("form", OTHERS)
def test_every_word_changes_the_frame(form):
    """Each value of each slot, and "not said", gives another picture."""
    rows = torch.tensor([[a, b] for a in range(4) for b in range(3)])
    history = frames(1, 5).expand(12, -1, -1, -1, -1)
    made = network(form)(history, torch.full((12,), 5), rows).flatten(1)
    assert torch.cdist(made, made).fill_diagonal_(1).min() > 1e-3


def test_one_hot_captions():
    """A row a slot, end to end; a slot that is not said has no 1."""
    made = one_hot_matrix(torch.tensor([[1, 2], [3, 0]]), SLOTS)
    assert made.tolist() == [[1, 0, 0, 0, 1], [0, 0, 1, 0, 0]]


@pytest.mark.parametrize("form", OTHERS)
def test_rollout(form):
    """As with ours: begins with the first frame, stays in [-1, 1], keeps moving; every weight gets a gradient."""
    net = network(form)
    made = rollout(net, frames(2), torch.tensor([[1, 1], [2, 2]]), 8)
    assert made.shape == (2, 8, 3, 32, 32) and torch.equal(made[:, 0], frames(2))
    assert (made[:, 1:] - made[:, :-1]).abs().amax() > 1e-4
    net(frames(2, 5), torch.tensor([5, 5]), torch.ones(2, 2, dtype=torch.int64)).square().mean().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum()] == []


@pytest.mark.parametrize("form", OTHERS)
def test_dropout_is_for_training(form):
    """Two frames in training mode differ, two in eval mode do not."""
    net, args = network(form, dropout=0.5), (frames(1, 5), torch.tensor([5]), torch.tensor([[1, 1]]))
    with torch.no_grad():
        assert torch.equal(net(*args), net(*args))
        net.train()
        assert not torch.equal(net(*args), net(*args))


@pytest.mark.parametrize("form", CLASSES)
def test_a_folder_knows_its_form(form, tmp_path, tiny_model):
    """`NextFrame`, the catalog and a text-to-video model load the class that wrote the folder."""
    net = network(form)
    folder = net.save_pretrained(tmp_path / "net")
    for loaded in (NextFrame.from_pretrained(folder), catalog.load(folder)):
        assert type(loaded) is CLASSES[form] and not loaded.training and loaded.config == net.config
        assert all(torch.equal(v, net.state_dict()[k]) for k, v in loaded.state_dict().items())
    whole = tiny_model.save_pretrained(tmp_path / "whole")
    net.save_pretrained(whole / "next")
    assert type(type(tiny_model).from_pretrained(whole).next) is CLASSES[form]


def test_folders_that_do_not_fit(tmp_path):
    """An unknown form is named; a config from before there were forms is ours."""
    folder = network("film").save_pretrained(tmp_path / "net")
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({k: v for k, v in values.items() if k != "form"}))
    assert isinstance(NextFrame.from_pretrained(folder), NextFrameUNet)
    (folder / "config.json").write_text(json.dumps(values | {"form": "unet4d"}))
    with pytest.raises(WeightsError, match="'unet4d'; known: film, faithful2d, unet3d"):
        NextFrame.from_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(values | {"form": "unet3d"}))
    with pytest.raises(WeightsError, match="holds a NextFrameUNet, not a NextFrameUNet3d"):
        NextFrame.from_pretrained(folder)


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": 1},
        {"dropout": 0.5},
        {"form": "faithful2d", "reach": 1},
        {"form": "unet3d", "caption": "concat"},
    ],
)
def test_settings_of_another_form(settings):
    """Refused, with the form that has them."""
    with pytest.raises(ValidationError, match="set form to"):
        NextFrameConfig(slots=SLOTS, **settings)
