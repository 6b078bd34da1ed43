"""Toys on disk: all or nothing, and the example that makes some."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from moviola.core.errors import ConfigError, OutputError, UnknownNameError
from moviola.data.sources import open_source
from moviola.data.toys import digits
from moviola.data.toys.write import to_json, write_dataset

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "make_digits.py"


def test_what_is_written_is_what_is_made(tmp_path):
    config = digits.Config(size=16, frames=4)
    ticks: list[int] = []
    out = write_dataset(
        "digits", 2, tmp_path / "set", seed=3, config=config, format="npz", tick=lambda: ticks.append(1)
    )
    source = open_source(out)
    assert source.names == ["000000.npz", "000001.npz"] and len(ticks) == 2
    for index in range(2):
        clip = digits.make(index, 3, config)
        np.testing.assert_array_equal(source.read(index).frames, clip.video.frames)
        assert source[index].caption == clip.caption and source[index].info.fps == clip.video.fps


def test_a_failure_half_way_leaves_nothing(tmp_path, monkeypatch):
    made = digits.make

    def once(index, seed, config):
        if index:
            raise RuntimeError("no more")
        return made(index, seed, config)

    monkeypatch.setattr(digits, "make", once)
    with pytest.raises(RuntimeError, match="no more"):
        write_dataset("digits", 2, tmp_path / "set", format="npz")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_kept(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="not an empty folder"):
        write_dataset("digits", 1, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(ConfigError, match="at least 1, not 0"):
        write_dataset("digits", 0, tmp_path / "set")
    with pytest.raises(UnknownNameError, match="did you mean frames"):
        write_dataset("digits", 1, tmp_path / "set", format="frame")  # type: ignore[arg-type]


def test_truth_becomes_plain_json():
    truth = {"a": np.array([[1.23456789, 2.0]]), "b": (1, None), "c": [{"d": "x"}], "e": np.int64(3)}
    assert to_json(truth) == {"a": [[1.234568, 2.0]], "b": [1, None], "c": [{"d": "x"}], "e": 3}


def test_the_example_runs(tmp_path, capsys):
    runpy.run_path(str(EXAMPLE))["main"](tmp_path / "set")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "8 clips: 6 to train on, 2 held out" and len(lines) == 9
    for line in lines[1:]:
        measured, true = (
            float(part.split()[0]) for part in (line.split("moves ")[-1], line.split("says ")[-1])
        )
        assert measured == pytest.approx(true, abs=0.3)
