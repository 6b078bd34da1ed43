"""`moviola data make | info | pack`, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moviola.cli.main import run
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.sources import open_source
from moviola.data.toys import digits, icons


@pytest.fixture
def call(capsys):
    """Run a command line; returns (exit code, stdout, stderr)."""

    def run_it(*words: object) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run_it


def ask(call, *words: object) -> dict:
    """Run with --json; it must succeed and print one object and nothing else."""
    code, out, err = call(*words, "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    return json.loads(out)


def refused(call, *words: object) -> str:
    """Run what must be refused; returns the one line."""
    code, out, err = call(*words)
    assert (code, out) == (2, "") and err.startswith("moviola: error: ") and err.count("\n") == 1
    return err


@pytest.mark.parametrize("format", ["npz", "frames", "mp4"])
def test_make_writes_clips_captions_and_truth(call, tmp_path, format):
    out = tmp_path / "set"
    found = ask(
        call, "data", "make", "icons", "-n", 3, out, "--size", "48x32", "--frames", 6, "--elements", "1-3",
        "--seed", 5, "--format", format, "--set", "periods=[4]",
    )  # fmt: skip
    assert (found["output"], found["clips"], found["seed"]) == (str(out), 3, 5)
    rows = [json.loads(line) for line in (out / "captions.jsonl").read_text().splitlines()]
    source = open_source(out)
    assert len(rows) == len(source) == 3 and [item.caption for item in source] == [
        row["caption"] for row in rows
    ]
    config = icons.Config(size=(32, 48), frames=6, elements=(1, 3), periods=(4,))
    for index, row in enumerate(rows):
        clip = icons.make(index, 5, config)
        video = source.read(index)
        assert video.frames.shape == (6, 32, 48, 3) and video.fps == 8
        worst = np.abs(video.frames.astype(int) - clip.video.frames).max()
        assert worst <= (3 if format == "mp4" else 0)
        assert row["caption"] == clip.caption and row["truth"]["period"] == 4
        for told, true in zip(row["truth"]["elements"], clip.truth["elements"], strict=True):
            np.testing.assert_allclose(told["centres"], true["centres"], atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]


def test_the_same_seed_makes_the_same_bytes_and_more_clips_do_not_change_them(call, tmp_path):
    for name, number in [("a", 2), ("b", 3)]:
        assert call("data", "make", "digits", "-n", number, tmp_path / name, "--size", 16, "-q")[:2] == (
            0,
            "",
        )
    for name in ("000000.mp4", "000001.mp4"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_make_into_an_empty_folder_and_what_it_says(call, tmp_path):
    (tmp_path / "set").mkdir()
    code, out, err = call(
        "data", "make", "digits", "-n", 1, tmp_path / "set", "--size", 16, "--format", "npz"
    )
    assert (code, out, err) == (0, f"{tmp_path / 'set'}: 1 clip of digits, with captions.jsonl\n", "")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["digit", "OUT"], "unknown toy 'digit'; did you mean digits?"),
        (["digits", "OUT", "--size", "0"], "--size '0' is no size; write 64, or 96x64"),
        (["digits", "OUT", "--size", "4"], "Config: size"),
        (["digits", "OUT", "--frames", "0"], "Config: frames"),
        (["digits", "OUT", "--elements", "many"], "--elements 'many' is no number; write 2, or 1-3"),
        (["digits", "OUT", "--elements", "4"], "Config: elements"),
        (["digits", "OUT", "--set", "perods=[3]"], "unknown setting 'perods'"),
        (["digits", "OUT", "--format", "mp5"], "unknown format 'mp5'; did you mean mp4?"),
        (["digits", "OUT", "--data", "none.gz"], "no IDX file at none.gz"),
        (["icons", "OUT", "--data", "none.gz"], "icons are drawn from nothing; leave --data away"),
        (["sprites", "OUT"], "give their folder with --data"),
        (["digits", "OUT/deeper"], "make it first"),
        (["digits", "FULL"], "exists and is not an empty folder; name a new one"),
        (["digits", "OUT", "-n", "0"], "see moviola data make --help"),
    ],
)
def test_make_refuses(call, tmp_path, words, says):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    places = {"OUT": tmp_path / "out", "OUT/deeper": tmp_path / "out/deeper", "FULL": tmp_path / "full"}
    assert says in refused(call, "data", "make", *(places.get(word, word) for word in words))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full"] and (tmp_path / "full/mine.txt").exists()


def test_an_interrupted_make_leaves_nothing(call, tmp_path, monkeypatch):
    def stop(index: int, seed: int, config: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(digits, "make", stop)
    code, out, err = call("data", "make", "digits", "-n", 2, tmp_path / "out")
    assert (code, out, err) == (130, "", "moviola: interrupted\n") and list(tmp_path.iterdir()) == []


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Two labels, one short clip, one cut and one that is no video, a caption, a stray file."""
    folder = tmp_path / "set"
    for name, frames in [("run/a.npz", 20), ("run/b.npz", 16), ("walk/c.npz", 3), ("walk/d.mp4", 30)]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(0).integers(0, 256, (frames, 16, 24, 3), dtype=np.uint8)
        codec.write(Video(pixels, fps=10), folder / name)
    whole = (folder / "walk/d.mp4").read_bytes()
    (folder / "walk/d.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    (folder / "walk/e.mp4").write_bytes(b"hello")
    (folder / "notes.xyz").write_text("x")
    (folder / "captions.jsonl").write_text('{"file": "run/a.npz", "caption": "someone runs"}\n')
    return folder


def test_info_counts_and_names(call, mixed, tmp_path):
    found = ask(call, "data", "info", mixed, "--sheet", tmp_path / "sheet.png")
    assert (found["clips"], found["layout"], found["captions"]) == (5, "videos", 1)
    assert found["frames"] == {"min": 3, "median": 16, "max": 20, "total": 39}
    assert found["seconds"] == pytest.approx({"min": 0.3, "median": 1.6, "max": 2.0, "total": 3.9})
    assert found["sizes"] == [{"size": "24x16", "clips": 3}] and found["rates"] == [{"fps": 10.0, "clips": 3}]
    assert found["labels"] == {"run": 2, "walk": 3}
    assert found["short"] == [{"name": "walk/c.npz", "frames": 3}]
    assert [entry["name"] for entry in found["broken"]] == ["walk/d.mp4", "walk/e.mp4"]
    assert all(entry["reason"] for entry in found["broken"])
    assert found["skipped"] == [{"name": "notes.xyz", "reason": "neither video nor image"}]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 8 * 90 and sheet.height > 3 * 90


def test_info_in_words(call, mixed):
    code, out, err = call("data", "info", mixed, "--min-frames", 18, "--fast")
    assert (code, err) == (0, "")
    for line in [
        "5 clips (videos)",
        "run (2), walk (3)",
        "1 of 5 clips",
        "run/b.npz: 16 frames",
        "walk/e.mp4: ",
    ]:
        assert line in out
    assert call("data", "info", mixed, "-q") == (0, "", "")


def test_info_finds_damage_that_headers_do_not_show(call, tmp_path):
    for k in range(3):
        (tmp_path / "clip").mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "clip" / f"{k}.png")
    (tmp_path / "clip/2.png").write_bytes(b"hello")
    assert ask(call, "data", "info", tmp_path, "--fast")["broken"] == []
    (broken,) = ask(call, "data", "info", tmp_path)["broken"]
    assert broken["name"] == "clip" and "2.png" in broken["reason"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["PATH/none"], "no such file or folder"),
        (["PATH/a.zip"], "is not a readable zip"),
        (["PATH/list.txt"], "list.txt line 1: no such file: gone.mp4"),
        (["PATH", "--layout", "strip"], "unknown layout 'strip'; did you mean strips"),
        (["PATH", "--sheet", "PATH/a.jpg"], "a contact sheet is a PNG; "),
        (["PATH", "--sheet", "PATH/no/a.png"], "make it first"),
        (["PATH", "--fps", "fast"], "a frame rate is a number"),
    ],
)
def test_info_refuses(call, tmp_path, words, says):
    codec.write(Video(np.zeros((2, 8, 8, 3), np.uint8), fps=5), tmp_path / "a.npz")
    (tmp_path / "a.zip").write_bytes(b"PK")
    (tmp_path / "list.txt").write_text("gone.mp4\n")
    assert says in refused(call, "data", "info", *(word.replace("PATH", str(tmp_path)) for word in words))


def test_pack_builds_the_cache_once(call, mixed, tmp_path, monkeypatch):
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    assert "walk/d.mp4" in refused(call, "data", "pack", mixed, "--size", 8)
    found = ask(call, "data", "pack", mixed, "--size", "8", "--skip-broken", "--max-frames", 4)
    assert (found["clips"], found["bytes"]) == (3, (4 + 4 + 3) * 8 * 8 * 3)
    assert [entry["name"] for entry in found["skipped"]] == ["walk/d.mp4", "walk/e.mp4"]
    assert Path(found["output"]).parent == tmp_path / "cache/clips"
    code, out, _ = call("data", "pack", mixed, "--size", "8", "--skip-broken", "--max-frames", 4)
    assert code == 0 and out.startswith(f"{found['output']}: 3 clips, 0.0 MB\n  left out walk/d.mp4: ")
    assert "fit" in refused(call, "data", "pack", mixed, "--size", 8, "--fit", "squash")
    assert "--size" in refused(call, "data", "pack", mixed, "--fit", "stretch")


def test_info_of_the_weizmann_strips(call, shared, tmp_path):
    found = ask(call, "data", "info", shared / "media/datasets/weizmann", "--sheet", tmp_path / "s.png")
    assert (found["clips"], found["layout"], found["broken"], found["short"]) == (56, "strips", [], [])
    assert set(found["labels"].values()) == {14} and found["frames"]["min"] == 51


def test_cut_a_grid(call, tmp_path):
    """Two by two cells become four clips; a grid that does not divide is one line."""
    frames = np.zeros((3, 32, 64, 3), np.uint8)
    frames[:, :16, 32:] = 200
    codec.write(Video(frames, fps=8), tmp_path / "grid.npz")
    found = ask(call, "data", "cut", tmp_path / "grid.npz", tmp_path / "cells", "--rows", 2, "--columns", 2)
    assert found == {"output": str(tmp_path / "cells"), "clips": 4}
    means = [video.frames.mean() for video in map(open_source(tmp_path / "cells").read, range(4))]
    assert np.allclose(means, [0, 200, 0, 0], atol=2)
    assert "64x32" in refused(
        call, "data", "cut", tmp_path / "grid.npz", tmp_path / "b", "--rows", 3, "--columns", 2
    )
