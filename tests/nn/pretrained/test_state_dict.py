"""Weights from a user's file: what is read, and what is refused in one line."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from moviola.core.errors import WeightsError
from moviola.nn.pretrained.state_dict import fit, read_state_dict


class Danger:
    """Runs something when it is unpickled."""

    def __reduce__(self):
        return print, ("code in a weights file was run",)


def same(a, b):
    """Whether two tables hold the same tensors under the same names."""
    return set(a) == set(b) and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("wrap", [None, "state_dict", "model"])
def test_what_was_saved_is_read(tmp_path, wrap):
    """A torch file, wrapped or not, and a safetensors file give the same table."""
    table = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(4)}
    torch.save({wrap: table, "epoch": 3} if wrap else table, tmp_path / "x.pth")
    save_file(table, tmp_path / "x.safetensors")
    assert same(read_state_dict(tmp_path / "x.pth", "net"), table)
    assert same(read_state_dict(tmp_path / "x.safetensors", "net"), table)


def test_no_code_is_run(tmp_path, capsys):
    """A pickle that would call a function is refused before it does."""
    torch.save({"a": Danger()}, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="torch file of tensors alone"):
        read_state_dict(tmp_path / "x.pth", "net")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("held", [b"", b"abcd", b"no weights", b"PK\x03\x04 broken"])
def test_damaged_files(tmp_path, held):
    """Files that are no weights: one line that names file and network."""
    (tmp_path / "x.pth").write_bytes(held)
    with pytest.raises(WeightsError, match=r"x\.pth holds no weights of net") as caught:
        read_state_dict(tmp_path / "x.pth", "net")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("held", [torch.zeros(3), {"a": 3}, [torch.zeros(1)], {"state_dict": {"a": "b"}}])
def test_other_things_in_a_torch_file(tmp_path, held):
    """Tensors without names, and names without tensors."""
    torch.save(held, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="a table of names and tensors is wanted"):
        read_state_dict(tmp_path / "x.pth", "net")


def test_missing_file(tmp_path):
    """A file that is not there."""
    with pytest.raises(WeightsError, match=r"no file .*x\.pth to take the weights of net from"):
        read_state_dict(tmp_path / "x.pth", "net")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"0.bias": None}, r"it lacks 0\.bias"),
        ({"2.bias": torch.zeros(1)}, r"it has 2\.bias, which that network has not"),
        ({"0.weight": torch.zeros(2, 3)}, r"0\.weight is \(2, 3\), not \(3, 2\)"),
    ],
)
def test_another_networks_weights(change, said):
    """Names and shapes have to agree; the first that does not is named, and the network is left as it was."""
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    table = {**{key: tensor + 1 for key, tensor in before.items()}, **change}
    with pytest.raises(WeightsError, match=f"^file is not the weights of net: {said}$"):
        fit(network, {key: tensor for key, tensor in table.items() if tensor is not None}, "file", "net")
    assert same(network.state_dict(), before)


def test_counters_do_not_matter():
    """The counter of batch normalisation may be missing."""
    network = nn.Sequential(nn.BatchNorm1d(3))
    table = {key: tensor + 1 for key, tensor in network.state_dict().items()}
    del table["0.num_batches_tracked"]
    fit(network, table, "file", "net")
    assert network[0].weight.tolist() == [2.0, 2.0, 2.0]
