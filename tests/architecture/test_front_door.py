"""The README's commands and the example scripts, run for real."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from moviola.cli.main import run
from moviola.data import codec

ROOT = Path(__file__).resolve().parents[2]


def readme_commands() -> list[list[str]]:
    """The moviola command lines of the README, in order, as words."""
    blocks = re.findall(
        r"^```bash\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.M | re.S
    )
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [
        words[1:] for line in lines if (words := shlex.split(line, comments=True)) and words[0] == "moviola"
    ]


def test_readme_commands_run(tmp_path, monkeypatch, capsys):
    """One after another in an empty folder they succeed, and the videos they name are there and of the said length."""
    monkeypatch.chdir(tmp_path)
    for words in readme_commands():
        assert run(words) == 0, f"moviola {shlex.join(words)}: {capsys.readouterr().err}"
        if words[0] == "generate":
            said = dict(itertools.pairwise(words))
            assert codec.probe(said["-o"]).frames == int(said.get("--frames", 16))
    assert (tmp_path / "digits.png").stat().st_size > 0


def test_readme_python_runs(tmp_path):
    """The Python block of the README prints the length, rate and shape of 16 frames of 64x64."""
    block = re.search(
        r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.M | re.S
    )
    assert block
    done = subprocess.run(
        [sys.executable, "-c", block[1]], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "16 8 (16, 64, 64, 3)\n"
    assert codec.probe(tmp_path / "walk.mp4").width == 256


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.name)
def test_example_runs(script, tmp_path):
    """Each example ends well in an empty folder and leaves something there."""
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert any(tmp_path.iterdir())
