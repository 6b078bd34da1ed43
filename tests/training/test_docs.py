"""docs/training.md: its commands and its example run as they stand."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from moviola.cli.main import run
from moviola.data import codec
from moviola.recipes.catalog import CATALOG

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.M | re.S)


@pytest.mark.slow
def test_commands(tmp_path, monkeypatch, capsys):
    """In order, in an empty folder (torchrun's line is tested in test_distributed.py)."""
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    assert sum(line.startswith("torchrun") for line in lines) == 1
    for line in lines:
        if line.startswith("moviola"):
            assert run([*shlex.split(line)[1:], "--device", "cpu"]) == 0, f"{line}: {capsys.readouterr().err}"
    assert "went on from step 60" in capsys.readouterr().out
    assert len(codec.read(tmp_path / "three.mp4")) == 16
    tree = {"config.json", "first", "next", "runs"}
    assert {p.name for p in (tmp_path / "trained").iterdir()} == tree
    for part in ("first", "next"):
        named = {"run.json", "log.jsonl", "samples", "checkpoints", "tensorboard"}
        assert {p.name for p in (tmp_path / "trained" / "runs" / part).iterdir()} | {"tensorboard"} == named


def test_every_recipe_is_listed():
    """And no other."""
    table = PAGE[PAGE.index("## Recipes") : PAGE.index("## Settings")]
    assert set(re.findall(r"`((?:textgan|nextframe|regis|freqmotion|inrv)_\w+)`", table)) == set(CATALOG)


def test_the_auto_decoder(tmp_path, monkeypatch, capsys):
    """It learns the five discs, and running it again finds nothing left to do."""
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
    for _ in range(2):
        exec(compile(example, "docs/training.md", "exec"), {"__name__": "example"})
        assert float(capsys.readouterr().out.split()[-1]) < 0.02
    assert len((tmp_path / "discs" / "log.jsonl").read_text().splitlines()) == 15
