"""Arrays come out of a pickle as numpy's own reader gives them; anything else is refused before it runs."""

from __future__ import annotations

import collections
import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from moviola.core.errors import WeightsError
from moviola.nn.pretrained.numpy_pickle import load_arrays

NUMBERS = st.one_of(
    npst.floating_dtypes(), npst.integer_dtypes(), npst.unsigned_integer_dtypes(), npst.boolean_dtypes()
)
ARRAYS = NUMBERS.flatmap(lambda t: npst.arrays(t, npst.array_shapes(min_dims=0, max_dims=4, max_side=4)))


@given(st.dictionaries(st.sampled_from("abc"), ARRAYS, max_size=3), st.integers(3, 4))
def test_round_trip(tmp_path, arrays, protocol):
    """Values, types and shapes of nested arrays, with the protocols that are admitted; keys are joined."""
    path = tmp_path / "arrays.pickle"
    path.write_bytes(pickle.dumps({"net": arrays}, protocol))
    found = load_arrays(path)
    assert set(found) == {f"net/{key}" for key in arrays}
    for key, array in arrays.items():
        got = found[f"net/{key}"]
        assert got.dtype == array.dtype.newbyteorder("=")  # as numpy itself reads them
        np.testing.assert_array_equal(got, array)


def test_numpy_1_names(tmp_path):
    """Files of numpy 1 call the module numpy.core, those of numpy 2 numpy._core; also columns-first arrays."""
    array = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    data = pickle.dumps({"a": array}, 3)
    old, new = b"numpy.core.multiarray", b"numpy._core.multiarray"
    assert old in data or new in data
    for name in (old, new):
        (tmp_path / "x").write_bytes(data.replace(new, old).replace(old, name))
        np.testing.assert_array_equal(load_arrays(tmp_path / "x")["a"], array)


@pytest.mark.parametrize("protocol", [0, 1, 2, 5])
def test_other_protocols(tmp_path, protocol):
    """Old and new protocols need more functions than are admitted: refused in one line."""
    (tmp_path / "x").write_bytes(pickle.dumps({"a": np.arange(4.0)}, protocol))
    with pytest.raises(WeightsError, match="it asks for"):
        load_arrays(tmp_path / "x")


class Runs:
    """A pickle of this calls `function`."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> object:
        return self.call


@pytest.mark.parametrize(
    "value",
    [
        {"a": Runs(os.mkdir, "made-by-a-pickle")},
        {"a": Runs(eval, "__import__('os').mkdir('made-by-a-pickle')")},
        {"a": Runs(np.ndarray, (10**14,))},
        {"a": Runs(np.fromfile, "x")},
        {"a": collections.OrderedDict(b=np.zeros(2))},
        {"a": np.array([os.mkdir], object)},
        {"a": np.zeros(2, [("x", "f4")])},
        {"a": np.array(["text"])},
        {"a": [np.zeros(2)]},
        {"a": 3},
        {1: np.zeros(2)},
        np.float64(3),
        "text",
    ],
    ids=[
        "call", "eval", "huge", "numpy-function", "class", "objects", "fields", "strings", "list", "number", "key",
        "scalar", "str",
    ],
)  # fmt: skip
def test_anything_else_is_refused(tmp_path, monkeypatch, value):
    """One line that names the file; and nothing ran."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.ckpt"
    path.write_bytes(pickle.dumps(value, 4))
    with pytest.raises(WeightsError) as caught:
        load_arrays(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["bad.ckpt"]


def test_damage(tmp_path):
    """Cut anywhere, or not there: a clear line, never another exception."""
    data = pickle.dumps({"a": np.arange(5), "b": {"c": np.ones((2, 2))}}, 4)
    path = tmp_path / "cut"
    for length in range(0, len(data), 3):
        path.write_bytes(data[:length])
        with pytest.raises(WeightsError):
            load_arrays(path)
    with pytest.raises(WeightsError, match="cannot read"):
        load_arrays(tmp_path / "none")


def test_numpys_own_types_stay_as_they_are(tmp_path):
    """A file cannot turn the machine's float32 into another byte order."""
    (tmp_path / "x").write_bytes(pickle.dumps({"a": np.arange(3, dtype=">f4")}, 4))
    assert load_arrays(tmp_path / "x")["a"].tolist() == [0, 1, 2]
    assert np.dtype("f4").isnative
    assert np.dtype(np.float32).isnative
