"""`moviola studio`: it starts, says where, answers, and ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from moviola.cli.main import run


def _heeds_interrupts() -> None:
    """Undo that background jobs of a shell ignore ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_it_runs_until_it_is_stopped(tmp_path):
    """One JSON object says where it is; it answers there; ctrl-C ends it, and nothing but its own folder is left."""
    command = [sys.executable, "-m", "moviola", "studio", str(tmp_path), "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=_heeds_interrupts
    )
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    assert Path(said["folder"]) == tmp_path.resolve() and said["url"].startswith("http://127.0.0.1:")
    with urllib.request.urlopen(f"{said['url']}api/clips") as reply:
        assert json.load(reply) == {"clips": [], "folders": [], "left_out": 0}
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=120)
    assert (process.returncode, rest, errors) == (130, "", "moviola: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == [".moviola-studio"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere is no folder; make it first, or name another"),
        ([".", "--max-mb", "0"], "--max-mb is 0.0; it must be above 0"),
        ([".", "--token", "x"], "--token is 12 letters"),
        ([".", "--host", "not a host"], "cannot listen on not a host"),
        ([".", "--port", "99999"], "less than or equal to 65535"),
    ],
)
def test_wrong_options(words, said, tmp_path, monkeypatch, capsys):
    """One line, exit code 2."""
    monkeypatch.chdir(tmp_path)
    assert run(["studio", *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_without_its_libraries(tmp_path, monkeypatch, capsys):
    """The line says what to install."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run(["studio", str(tmp_path)]) == 2
    assert "studio needs Uvicorn" in capsys.readouterr().err
