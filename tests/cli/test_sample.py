"""`moviola sample`: a folder of videos, JSON, and every kind of bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from moviola.cli.main import run
from moviola.data import codec
from moviola.data.sources import open_source


@pytest.fixture
def say(tiny_folder, capsys, tmp_path):
    """Run sample with the tiny model into `out`; return (exit code, stdout, stderr)."""

    def call(*words: object, model: object = tiny_folder, output: object = tmp_path / "out"):
        code = run(["sample", str(model), "-o", str(output), "--device", "cpu", *map(str, words)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_a_folder(say, tmp_path):
    """Numbered videos with captions; a second call draws nothing, a larger one what is missing."""
    code, out, err = say("--num", 2, "--frames", 3)
    assert (code, err) == (0, "") and f"videos    {tmp_path / 'out'} (2 of 3 frames of 32x32)" in out
    items = list(open_source(tmp_path / "out"))
    assert [item.name for item in items] == ["00000.mp4", "00001.mp4"] and all(item.caption for item in items)
    stamp = (tmp_path / "out" / "00000.mp4").stat().st_mtime_ns
    assert json.loads(say("--num", 2, "--frames", 3, "--json")[1])["drawn"] == 0
    _, out, _ = say("--num", 3, "--frames", 3)
    assert "2 of them were there already" in out
    assert (tmp_path / "out" / "00000.mp4").stat().st_mtime_ns == stamp
    assert len(open_source(tmp_path / "out")) == 3


def test_json(say, tmp_path):
    """One object with the promised keys."""
    code, out, err = say("--num", 2, "--frames", 4, "--fps", 10, "--prompt", "red hair walks zzzz", "--json")
    told = json.loads(out)
    assert (code, err) == (0, "") and out.count("\n") == 1 and told.pop("seconds") > 0
    assert told == {
        "output": str(tmp_path / "out"),
        "videos": 2,
        "drawn": 2,
        "frames": 4,
        "fps": 10.0,
        "width": 32,
        "height": 32,
        "notes": ["'zzzz' is not known and was ignored"],
        "captions": str(tmp_path / "out" / "captions.csv"),
    }


def test_a_share_of_the_videos(say, tmp_path):
    """Two runs that begin at different numbers fill one folder with what one run draws; the captions are of all."""
    words = ("--frames", 2, "--seed", 4, "--format", "npz")
    assert say(*words, "--num", 3, output=tmp_path / "whole")[0] == 0
    for first in (2, 0):
        code, out, _ = say(*words, "--num", 1, "--first", first, "--json")
        assert code == 0 and json.loads(out)["drawn"] == 1
    assert [item.name for item in open_source(tmp_path / "out")] == ["00000.npz", "00002.npz"]
    rows = [(tmp_path / name / "captions.csv").read_text().splitlines() for name in ("out", "whole")]
    assert rows[0] == [rows[1][0], rows[1][1], rows[1][3]]
    for name in ("00000.npz", "00002.npz"):
        ours, theirs = (codec.read(tmp_path / folder / name).frames for folder in ("out", "whole"))
        assert np.array_equal(ours, theirs)


def test_the_same_as_generate(say, tiny_folder, tmp_path):
    """Video n is sample n of `generate --num`, of the same prompt and seed."""
    assert say("--num", 2, "--prompt", "red hair walks", "--seed", 4, "--format", "npz", "--quiet") == (
        0,
        "",
        "",
    )
    line = ["generate", "red hair walks", "--model", str(tiny_folder), "--num", "2", "--seed", "4"]
    assert run([*line, "-o", str(tmp_path / "g.npz"), "--device", "cpu", "--quiet"]) == 0
    for k in range(2):
        ours, theirs = (codec.read(p) for p in (tmp_path / "out" / f"0000{k}.npz", tmp_path / f"g-{k}.npz"))
        assert np.array_equal(ours.frames, theirs.frames) and ours.fps == theirs.fps


def test_captions_and_sheet(say, tmp_path):
    """Lines of a file in turn; a contact sheet beside."""
    (tmp_path / "told.txt").write_text("red hair walks left\nblue hair waves right\n")
    words = ("--captions", tmp_path / "told.txt", "--sheet", tmp_path / "s.png", "--frames", 2, "--num", 3)
    code, out, _ = say(*words, "--format", "png-folders")
    assert code == 0 and f"sheet     {tmp_path / 's.png'}" in out
    captions = [item.caption for item in open_source(tmp_path / "out")]
    assert captions[0] == captions[2] and "red hair" in captions[0] and "blue hair" in captions[1]
    with Image.open(tmp_path / "s.png") as picture:
        assert picture.size == (2 * 32 + 2, 3 * 32 + 4)


BAD = {
    "a refiner": (["--num", 1], {"model": "regis-u"}, "regis-u is a refiner; generators are"),
    "unknown model": ([], {"model": "spritez"}, "unknown model 'spritez'"),
    "no videos": (["--num", 0], {}, "--num is 0"),
    "no frames": (["--frames", 0], {}, "--frames is 0"),
    "no rate": (["--fps", -1], {}, "fps is -1"),
    "format": (["--format", "mp5"], {}, "did you mean mp4"),
    "gif too fast": (["--format", "gif", "--fps", 60], {}, "at most 50"),
    "sheet": (["--sheet", "x.jpg"], {}, ".png"),
    "sheet's folder": (["--sheet", "no/x.png"], {}, "make it first"),
    "hub only": (["--steps", 4], {}, "--steps is for hub:NAME"),
    "prompt": (["--prompt", "xyzzy"], {}, "no word of the prompt is known"),
    "captions": (["--captions", "none.txt"], {}, "none.txt cannot be read"),
    "no parent": ([], {"output": "no/such/out"}, "make it first"),
    "taken": ([], {"output": "."}, "neither empty nor a folder of samples"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(say, tmp_path, monkeypatch, case):
    """Exit 2, one line on stderr, nothing on stdout, nothing written."""
    monkeypatch.chdir(tmp_path)
    words, how, expected = BAD[case]
    before = sorted(tmp_path.rglob("*"))
    code, out, err = say(*words, **how)
    assert (code, out) == (2, "") and expected in err, err
    assert err.startswith("moviola: error: ") and err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
