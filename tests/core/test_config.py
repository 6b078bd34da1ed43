"""Configs: frozen, strict, one-line errors, saved and overridden by dotted keys."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from moviola.core.config import Config
from moviola.core.errors import ConfigError
from moviola.core.notes import Note


class Inner(Config):
    rate: float = Field(0.1, gt=0)
    name: str = "adam"


class Pair(Config):
    low: int = 1
    high: int = 2

    @model_validator(mode="after")
    def _in_order(self):
        if self.low > self.high:
            raise ValueError("low is at most high")
        return self


class Outer(Config):
    steps: int = Field(10, ge=1)
    sizes: tuple[int, ...] = (1, 2)
    inner: Inner = Inner()
    pair: Pair | None = None


def one_line(error: pytest.ExceptionInfo) -> str:
    """The message, which must be one line."""
    text = str(error.value)
    assert "\n" not in text
    return text


def test_frozen_and_strict():
    """Nothing can be set afterwards, and an unknown key is refused."""
    with pytest.raises(ValidationError, match="frozen"):
        Outer().steps = 3  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Outer(step=3)  # type: ignore[call-arg]


@given(steps=st.integers(1, 10**6), rate=st.floats(1e-9, 1e9), name=st.text(max_size=8))
def test_json_round_trip(tmp_path, steps, rate, name):
    """What `to_json` writes, `load` reads, to the last bit."""
    config = Outer(steps=steps, sizes=(steps, 3), inner=Inner(rate=rate, name=name))
    path = tmp_path / "config.json"
    path.write_text(config.to_json(), encoding="utf-8")
    assert Outer.load(path) == config
    assert Outer.make(json.loads(config.to_json())) == config


def test_overrides():
    """Dotted keys; values are JSON, or text."""
    changed = Outer().with_overrides(["inner.rate=2e-3", "sizes=[4,5]", "inner.name=sgd", "steps = 7"])
    assert changed == Outer(steps=7, sizes=(4, 5), inner=Inner(rate=0.002, name="sgd"))
    assert Outer().with_overrides([]) == Outer()


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("inner.ratte=1", ["inner.ratte", "rate"]),
        ("stepz=1", ["stepz", "steps"]),
        ("steps.more=1", ["steps.more", "steps is one value"]),
        ("inner.momentum=1", ["'inner.momentum'; inner has rate, name"]),
        ("pair.middle=1", ["'pair.middle'; pair has low, high"]),
        ("pair.low=3", ["Outer: pair: low is at most high"]),
        ("rate=1", ["'rate'", "did you mean inner.rate?"]),
        ("inner.steps=1", ["'inner.steps'", "did you mean steps?"]),
        ("steps", ["--set", "="]),
        ("steps=0", ["steps", "greater than or equal to 1", "0"]),
        ("inner.rate=fast", ["inner.rate", "fast"]),
    ],
)
def test_bad_overrides(pair, words):
    """One line that names the key and what is allowed."""
    with pytest.raises(ConfigError) as error:
        Outer().with_overrides([pair])
    text = one_line(error)
    assert all(word in text for word in words), text


def test_overrides_below_none():
    """A setting of what is None starts from the usual values; None itself is not touched by others."""
    assert Outer().with_overrides(["pair.high=9"]) == Outer(pair=Pair(low=1, high=9))
    assert Outer().with_overrides(["pair=null", "steps=3"]).pair is None


def test_a_validator_says_it_plainly():
    """Its sentence, without the library's words for it and the whole config behind it."""
    with pytest.raises(ConfigError) as error:
        Pair.make({"low": 3, "high": 2})
    assert one_line(error) == "Pair: low is at most high"


def test_make_names_near_keys_and_counts_the_rest():
    """An unknown key is named with its nearest; further errors are counted."""
    with pytest.raises(ConfigError) as error:
        Outer.make({"stepps": 1, "sizes": "x"})
    text = one_line(error)
    assert "(and 1 more)" in text
    with pytest.raises(ConfigError) as error:
        Outer.make({"stepps": 1})
    assert "'stepps'" in one_line(error) and "steps" in str(error.value)
    for values, name in (({"rate": 1}, "rate"), ({"inner": {"ratte": 1}}, "inner.ratte")):
        with pytest.raises(ConfigError) as error:
            Outer.make(values)
        assert f"unknown setting {name!r}; did you mean inner.rate?" in one_line(error)


def test_make_names_what_a_level_has():
    """Where nothing is like the unknown key."""
    with pytest.raises(ConfigError) as error:
        Outer.make({"pair": {"middle": 1}})
    assert one_line(error) == "Outer: unknown setting 'pair.middle'; pair has low, high"


def test_load_errors(tmp_path):
    """No file, no JSON: said with the path."""
    with pytest.raises(ConfigError, match="no config at"):
        Outer.load(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(ConfigError) as error:
        Outer.load(broken)
    assert str(broken) in one_line(error)


class _Renamed(Config):
    """A setting with an old name."""

    renamed: ClassVar[dict[str, str]] = {"told": "share"}
    share: float = 0.5


class _Outer(Config):
    inner: _Renamed = _Renamed()


def test_old_names_are_read_with_a_note():
    """Files of released models keep loading, on any level; what is written has the present name."""
    with pytest.warns(Note, match="told is now share"):
        config = _Outer.make({"inner": {"told": 0.25}})
    assert config.inner.share == 0.25
    assert json.loads(config.to_json()) == {"inner": {"share": 0.25}}


def test_the_old_and_the_present_name_are_not_mixed():
    """Which one counts could only be guessed."""
    with pytest.raises(ConfigError, match="told is the old name of share"):
        _Renamed.make({"told": 0.25, "share": 0.5})
