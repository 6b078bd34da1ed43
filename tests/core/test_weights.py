"""Saving and loading networks: safetensors and JSON, whole or not at all, never a pickle."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from typing import ClassVar

import pytest
import torch
from safetensors import safe_open
from torch import nn

from moviola.core import atomic
from moviola.core.atomic import write_atomic
from moviola.core.config import Config
from moviola.core.errors import ConfigError, OutputError, WeightsError
from moviola.core.weights import (
    PretrainedMixin,
    load_tensors,
    present_names,
    read_config,
    sha256,
    start_from,
)


class NetConfig(Config):
    width: int = 3


class Net(PretrainedMixin, nn.Module):
    config_class = NetConfig

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        self.line = nn.Linear(config.width, 2)
        self.register_buffer("count", torch.tensor([5]))


class OtherNet(Net):
    pass


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    return Net(NetConfig(width=4)).save_pretrained(tmp_path / "net")


def complaint(call) -> str:
    """The WeightsError's message, which must be one line."""
    with pytest.raises(WeightsError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_round_trip(folder):
    """Config and every tensor come back; the module is in eval mode."""
    torch.manual_seed(0)
    expected = Net(NetConfig(width=4))
    loaded = Net.from_pretrained(folder)
    assert loaded.config == expected.config and not loaded.training
    for name, tensor in expected.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_half(tmp_path):
    """Half precision on disk, float32 when loaded; integers stay as they are."""
    net = Net(NetConfig())
    folder = net.save_pretrained(tmp_path / "half", half=True)
    with safe_open(str(folder / "model.safetensors"), framework="pt") as file:
        assert {k: file.get_tensor(k).dtype for k in file.keys()} == {  # noqa: SIM118
            "line.weight": torch.float16,
            "line.bias": torch.float16,
            "count": torch.int64,
        }
    loaded = Net.from_pretrained(folder)
    assert loaded.line.weight.dtype == torch.float32
    assert torch.equal(loaded.line.weight, net.line.weight.half().float())


def test_wrong_class(folder):
    """A folder of another class is refused by name."""
    text = complaint(lambda: OtherNet.from_pretrained(folder))
    assert "Net" in text and "OtherNet" in text and str(folder) in text


def test_missing_tensors(folder):
    """A file without some tensor is refused, naming it."""
    from safetensors.torch import save_file

    tensors = load_tensors(folder / "model.safetensors")
    del tensors["line.bias"]
    save_file(tensors, str(folder / "model.safetensors"))
    assert "line.bias" in complaint(lambda: Net.from_pretrained(folder))


def test_config_that_does_not_fit(folder):
    """A changed width does not fit the tensors; a bad config is named with its file."""
    path = folder / "config.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "width": 9}))
    assert "do not fit" in complaint(lambda: Net.from_pretrained(folder))
    path.write_text(json.dumps({**values, "widht": 9}))
    assert str(path) in complaint(lambda: Net.from_pretrained(folder))
    for text in ("[]", "{", '"x"'):
        path.write_text(text)
        complaint(lambda: Net.from_pretrained(folder))
    path.unlink()
    assert "config.json" in complaint(lambda: Net.from_pretrained(folder))


@pytest.mark.parametrize("keep", [0, 4, 60, -3])
def test_truncated_weights(folder, keep):
    """A cut-off file is named as damaged."""
    path = folder / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:keep])
    assert str(path) in complaint(lambda: Net.from_pretrained(folder))
    path.unlink()
    assert "no weights" in complaint(lambda: Net.from_pretrained(folder))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "model.pt"])
def test_a_pickle_is_never_loaded(folder, tmp_path, name):
    """Neither in the place of the weights nor beside them."""
    canary = tmp_path / "canary"
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Bomb(canary)))
    complaint(lambda: Net.from_pretrained(folder))
    torch.save({"line.weight": torch.zeros(2, 4)}, folder / "model.safetensors")
    complaint(lambda: Net.from_pretrained(folder))
    assert not canary.exists()


def test_read_config_is_json(folder):
    """The class is written beside the settings."""
    assert read_config(folder) == {"class": "Net", "width": 4}


def test_sha256(tmp_path):
    """Against hashlib on the whole bytes, over more than one block."""
    data = os.urandom((1 << 20) + 17)
    (tmp_path / "x").write_bytes(data)
    assert sha256(tmp_path / "x") == hashlib.sha256(data).hexdigest()


def test_write_atomic_keeps_the_old_file(tmp_path, monkeypatch):
    """When the rename fails the old content stands and no temporary file is left."""
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "replace", refuse)
    with pytest.raises(OutputError, match="disk is full"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["x"]


def test_write_atomic_into_no_folder(tmp_path):
    """One line that names the path."""
    with pytest.raises(OutputError) as error:
        write_atomic(tmp_path / "no" / "x", b"new")
    assert str(tmp_path / "no" / "x") in str(error.value)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError, match="cannot make"):
        Net(NetConfig()).save_pretrained(blocked / "net")


def test_start_from_takes_what_fits(folder):
    """Tensors of equal name and shape are copied, the others keep their start and are named."""

    class Wider(Net):
        def __init__(self, config: NetConfig) -> None:
            super().__init__(config)
            self.extra = nn.Linear(2, 2)

    other = Wider(NetConfig(width=4))
    kept = other.extra.weight.clone()
    assert start_from(other, folder) == ["extra.weight", "extra.bias"]
    assert torch.equal(other.line.weight, Net.from_pretrained(folder).line.weight)
    assert torch.equal(other.extra.weight, kept)


def test_a_part_can_start_fresh(folder):
    """A part that is named keeps its own values, as a whole; what begins alike but is another part does not."""

    class Longer(Net):
        def __init__(self, config: NetConfig) -> None:
            super().__init__(config)
            self.line2 = nn.Linear(2, 2)

    other = Longer(NetConfig(width=4))
    own = other.line.weight.clone()
    assert start_from(other, folder, fresh=["line2"]) == ["line2.weight", "line2.bias"]
    assert torch.equal(other.line.weight, Net.from_pretrained(folder).line.weight)
    assert not torch.equal(other.line.weight, own)
    with pytest.raises(ConfigError, match=r"no part 'lines' .*; its parts are count, line, line2$"):
        start_from(other, folder, fresh=["lines"])


def test_start_from_nothing_that_fits_is_an_error(folder):
    class Unlike(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.other = nn.Linear(7, 7)

    assert str(folder) in complaint(lambda: start_from(Unlike(), folder))


class Renamed(PretrainedMixin, nn.Module):
    """`Net` with other names for its parts."""

    config_class = NetConfig
    renamed: ClassVar[dict[str, str]] = {"line": "head", "count": "steps"}

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        self.head = nn.Linear(config.width, 2)
        self.register_buffer("steps", torch.tensor([5]))


def test_old_names_of_parts_keep_loading(folder):
    """A folder written before its parts were renamed is read whole, and started from."""
    values = {**read_config(folder), "class": "Renamed"}
    (folder / "config.json").write_text(json.dumps(values))
    old = load_tensors(folder / "model.safetensors")
    loaded = Renamed.from_pretrained(folder)
    assert torch.equal(loaded.head.weight, old["line.weight"])
    fresh = Renamed(NetConfig(width=4))
    assert start_from(fresh, folder) == []
    assert torch.equal(fresh.head.bias, old["line.bias"])


def test_only_whole_names_are_renamed():
    """`line` is no part of `liner`."""
    tensors = {"liner.weight": torch.ones(1), "line.weight": torch.zeros(1)}
    assert sorted(present_names(tensors, {"line": "head"})) == ["head.weight", "liner.weight"]
