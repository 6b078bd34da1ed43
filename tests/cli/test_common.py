"""What verbs share: JSON for any result, device names, text for people."""

from __future__ import annotations

import dataclasses
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from moviola.cli.common import emit, say, to_plain

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_plain_values_stay_as_they_are(value):
    """What JSON knows comes through JSON unchanged."""
    assert json.loads(json.dumps(to_plain(value))) == value


@dataclasses.dataclass
class Point:
    """A dataclass for the tests."""

    x: int
    where: Path


class Model(BaseModel):
    """A pydantic model for the tests."""

    rate: float


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Fraction(1, 4), 0.25),
        (math.nan, None),
        (math.inf, None),
        (np.float32(0.5), 0.5),
        (np.arange(4, dtype=np.int64).reshape(2, 2), [[0, 1], [2, 3]]),
        (torch.tensor([1.5, math.nan]), [1.5, None]),
        (Path("a") / "b", str(Path("a") / "b")),
        (Point(1, Path("c")), {"x": 1, "where": "c"}),
        (Model(rate=2.0), {"rate": 2.0}),
        ({1: (2, 3)}, {"1": [2, 3]}),
        ({"set": frozenset({1})}, {"set": [1]}),
    ],
    ids=str,
)
def test_other_values_become_plain(value, expected):
    """Fractions, arrays, models, paths ... have one JSON form."""
    assert to_plain(value) == expected


def test_emit_prints_one_line(capsys):
    """One JSON object, one line, letters of any language readable."""
    emit({"caption": "zelená\nčepice", "fps": Fraction(25)})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {"caption": "zelená\nčepice", "fps": 25.0}
    assert "zelená" in out


@pytest.mark.parametrize(
    ("quiet", "as_json", "printed"), [(False, False, "x\n"), (True, False, ""), (False, True, "")]
)
def test_say(capsys, quiet, as_json, printed):
    """Text for people is on stdout, and nowhere when a program listens."""
    say("x", quiet=quiet, as_json=as_json)
    assert capsys.readouterr() == (printed, "")
