"""Checkpoints: whole or not there, and never a pickle."""

from __future__ import annotations

import json
import os
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moviola.core import atomic
from moviola.core.errors import OutputError, WeightsError
from moviola.training import checkpoint

DTYPES = st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
TENSORS = st.builds(
    lambda shape, dtype: (torch.rand(shape) * 100).to(dtype), st.lists(st.integers(0, 3), max_size=3), DTYPES
)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5))
TREES = st.recursive(
    st.one_of(TENSORS, PLAIN),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.integers(), st.text("abc.", min_size=1, max_size=3)), inner, max_size=3),
    ),
    max_leaves=8,
)


def same(a, b) -> bool:
    """Deep equality; tensors by bits and dtype, a tuple counts as a list."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@given(tree=TREES)
def test_round_trip(tmp_path, tree):
    """Nested dicts (with whole-number keys), lists, tensors of every kind and plain values come back exactly."""
    state = {"x": tree}
    assert same(state, checkpoint.read(checkpoint.write(tmp_path, 1, state)))


def test_optimizer_state_round_trip(tmp_path):
    """What Adam keeps, with its whole-number keys, infinities and tuples."""
    net = torch.nn.Linear(3, 2)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    net(torch.ones(1, 3)).sum().backward()
    adam.step()
    state = {"adam": adam.state_dict(), "big": float("inf"), "rng": checkpoint.rng_state(torch.device("cpu"))}
    assert same(state, checkpoint.read(checkpoint.write(tmp_path, 1, state)))


def test_only_json_and_safetensors(tmp_path):
    """No third kind of file."""
    path = checkpoint.write(tmp_path, 12, {"w": torch.ones(2), "n": 3})
    assert path.name == "step-00000012"
    assert sorted(p.name for p in path.iterdir()) == ["state.json", "state.safetensors"]
    json.loads((path / "state.json").read_text())


def test_newest_are_kept(tmp_path):
    """In the order of their steps; other names are no checkpoints."""
    (tmp_path / "step-7").mkdir()
    (tmp_path / ".step-00000090.1f2e3d4c.part").mkdir()
    for step in (5, 20, 100):
        checkpoint.write(tmp_path, step, {"n": step}, keep=2)
    assert list(checkpoint.steps(tmp_path)) == [20, 100]
    assert checkpoint.read(checkpoint.latest(tmp_path))["n"] == 100
    assert not (tmp_path / ".step-00000090.1f2e3d4c.part").exists()


def test_none(tmp_path):
    """No folder, no checkpoint."""
    assert checkpoint.latest(tmp_path / "no") is None and list(checkpoint.steps(tmp_path)) == []


def test_writing_a_step_again(tmp_path):
    """The newer one stands."""
    for n in (1, 2):
        checkpoint.write(tmp_path, 5, {"n": n})
    assert checkpoint.read(checkpoint.latest(tmp_path)) == {"n": 2}


@pytest.mark.parametrize("fail", ["open", "replace"])
def test_a_full_disk(tmp_path, monkeypatch, fail):
    """One line; the older checkpoint is whole and nothing is left of the new one."""
    checkpoint.write(tmp_path, 5, {"n": 1})

    def refuse(*_):
        raise OSError(28, "No space left on device")

    if fail == "open":
        monkeypatch.setattr(checkpoint, "_write", refuse)
    else:
        monkeypatch.setattr(atomic.os, "replace", refuse)
    with pytest.raises(OutputError, match="disk is full") as error:
        checkpoint.write(tmp_path, 6, {"n": 2})
    assert "step-00000006" in str(error.value)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["step-00000005"] and checkpoint.read(checkpoint.latest(tmp_path)) == {
        "n": 1
    }


@pytest.mark.parametrize("name", ["state.json", "state.safetensors"])
@pytest.mark.parametrize("damage", ["cut", "gone", "pickle"])
def test_damage(tmp_path, name, damage):
    """One line that names the checkpoint; a pickle is not read."""
    path = checkpoint.write(tmp_path, 5, {"w": torch.ones(8), "n": 1})
    file = path / name
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-5])
    elif damage == "gone":
        file.unlink()
    else:
        file.write_bytes(pickle.dumps({"w": 1}))
    with pytest.raises(WeightsError) as error:
        checkpoint.read(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_random_state():
    """The global generator goes on where it was."""
    state = checkpoint.rng_state(torch.device("cpu"))
    expected = torch.rand(4)
    torch.rand(7)
    checkpoint.set_rng_state(state, torch.device("cpu"))
    assert torch.equal(torch.rand(4), expected)
