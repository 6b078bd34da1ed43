"""`moviola restyle`: what it prints, what it writes, and one line for every kind of bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from moviola.cli.main import run
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.pictures import write_png

pytest.importorskip("cv2")
SHARED = Path(os.environ.get("MOVIOLA_SHARED", Path(__file__).parents[3] / "shared"))


@pytest.fixture
def say(monkeypatch, capsys, tmp_path):
    """Run the verb in an empty folder that holds clip.mp4, 8 frames of 64x48."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    coarse = Video(rng.integers(0, 256, (1, 8, 12, 3), np.uint8), 10).resize(48, 80).frames[0]
    Video(np.stack([coarse[:, t : t + 64] for t in range(8)]), 10).save("clip.mp4")

    def call(*words: str):
        code = run(["restyle", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.mark.parametrize("output", ["frames/", "there", "there/"])
def test_a_folder_of_frames(say, tmp_path, output):
    """A path that ends in a slash, new or empty, or an empty folder."""
    (tmp_path / "there").mkdir()
    words = ["--painter", "ink", "--interval", "1", "--propagation", "warp"]
    assert say("clip.mp4", *words, "-o", output)[0] == 0 and say("clip.mp4", *words, "-o", "out.npz")[0] == 0
    assert np.array_equal(codec.read(output).frames, codec.read("out.npz").frames)
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == sorted({"there", output.strip("/")})


def test_a_video(say):
    """What is said of it, for people and for programs."""
    code, out, err = say("clip.mp4", "--painter", "ink", "-o", "out.mp4", "--propagation", "warp")
    assert (code, err) == (0, "")
    assert out.startswith("video   out.mp4 (8 frames of 64x48, ")
    words = [
        "--painter",
        "ink",
        "-o",
        "out.mp4",
        "--propagation",
        "warp",
        "--interval",
        "3",
        "--method",
        "uniform",
    ]
    code, out, err = say("clip.mp4", *words, "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert {k: found[k] for k in ("output", "frames", "fps", "width", "height", "painter", "keys", "notes")} == {
        "output": "out.mp4", "frames": 8, "fps": 10, "width": 64, "height": 48, "painter": "ink",
        "keys": [0, 3, 6], "notes": [],
    }  # fmt: skip
    assert codec.probe("out.mp4").frames == 8


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["clip.mp4", "--painter", "watercolour", "-o", "x.mp4"],
            "unknown painter 'watercolour'; did you mean watercolor",
        ),
        (["clip.mp4", "--painter", "diffusion", "-o", "x.mp4"], "needs a prompt"),
        (["clip.mp4", "a castle", "--model", "no/such", "-o", "x.mp4"], "no/such"),
        (["none.mp4", "--painter", "ink", "-o", "x.mp4"], "none.mp4"),
        (["clip.mp4", "--painter", "ink", "-o", "x.xyz"], "x.xyz"),
        (["clip.mp4", "--painter", "ink", "-o", "x.mp4", "--crop", "1,2"], "left,top,right,bottom"),
        (["clip.mp4", "--painter", "ink", "-o", "x.mp4", "--crop", "40,0,40,0"], "leaves nothing of 64x48"),
        (["clip.mp4", "--painter", "ink", "-o", "x.mp4", "--interval", "0"], "interval"),
        (
            ["clip.mp4", "--painter", "ink", "-o", "x.mp4", "--flow", "raft"],
            "needs the weights of RAFT-small; say",
        ),
        (
            ["clip.mp4", "--painter", "ink", "-o", "x.mp4", "--flow", "raft", "--set", "raft=no.pth"],
            "there is no file no.pth",
        ),
        (["clip.mp4", "--painter", "ink", "-o", "nodir/x.mp4"], "nodir does not exist; make it first"),
        (["clip.mp4", "--painter", "ink", "-o", "nodir/x.png", "--first-only"], "nodir does not exist"),
        (
            ["clip.mp4", "--painter", "ink", "-o", "./"],
            "the folder holds clip.mp4; name a new or empty folder",
        ),
        (["clip.mp4", "--painter", "ink", "-o", "x.mp4", "--method", "latent"], "--set keys.vae=NAME"),
        (
            ["clip.mp4", "--painter", "ink", "-o", "x.mp4", "--flow", "raft", "--set", "raft=clip.mp4"],
            "clip.mp4 holds no weights",
        ),
        (["clip.mp4", "--painter", "ink", "-o", "x.mp4", "--set", "keys.alpha=0.5"], "alpha"),
        (
            ["clip.mp4", "--painter", "ink", "-o", "x.mp4", "--invert-mask"],
            "--invert-mask needs a mask: --mask FILE",
        ),
        (["clip.mp4", "--painter", "ink", "-o", "x.mp4", "--mask", "none.png"], "none.png"),
        (
            ["clip.mp4", "--painter", "ink", "-o", "x.mp4", "--mask", "clip.mp4", "--mend"],
            "--mend would change what is outside the mask",
        ),
        (
            ["clip.mp4", "--painter", "ink", "-o", "x.mp4", "--mask", "clip.mp4", "--mask-feather", "-1"],
            "mask.feather",
        ),
        (
            ["clip.mp4", "--painter", "oil", "-o", "x.mp4", "--set", "oil.brush=9"],
            "oil.brush: Input should be less",
        ),
        (["clip.mp4", "--painter", "oil", "-o", "x.mp4", "--set", "oil.brsh=2"], "did you mean oil.brush?"),
        (
            ["clip.mp4", "--painter", "ink", "-o", "x.mp4", "--set", "ink.black=much"],
            "ink.black: Input should be a",
        ),
        (
            ["clip.mp4", "--painter", "cartoon", "-o", "x.mp4", "--set", "cartoon.shades=1"],
            "cartoon.shades: Input",
        ),
        (["clip.mp4", "--painter", "ink", "-o", "x.mp4", "--set", "keys.intervall=3"], "interval"),
        (["clip.mp4", "-o", "x.mp4", "--keys", "nowhere"], "nowhere is no folder"),
        (
            ["clip.mp4", "-o", "x.mp4", "--painter", "ink", "--keys", "."],
            "--painter has no effect with --keys",
        ),
        (
            ["clip.mp4", "-o", "x.mp4", "--keys", ".", "--interval", "4"],
            "--interval has no effect with --keys",
        ),
        (
            ["clip.mp4", "-o", "x.mp4", "--count", "2", "--interval", "4"],
            "--interval has no effect with --count",
        ),
        (["clip.mp4", "-o", "x.mp4", "--steps", "4"], "--steps has no effect with --painter watercolor"),
        (
            ["clip.mp4", "-o", "x.png", "--first-only", "--count", "4"],
            "--count has no effect with --first-only",
        ),
        (
            ["clip.mp4", "-o", "x.mp4", "--set", "method=flow"],
            "did you mean keys.method or propagation.method?",
        ),
        (["clip.mp4", "-o", "x.mp4", "--set", "interval=4"], "did you mean keys.interval?"),
        (["clip.mp4", "-o", "x.mp4", "--set", "keys.flow=lk"], "did you mean flow?"),
        (["clip.mp4", "--painter", "ink", "-o", "x.jpg", "--first-only"], "name a .png"),
        (
            [
                "clip.mp4",
                "a castle",
                "--painter",
                "diffusion",
                "-o",
                "x.mp4",
                "--control",
                "canny=0.5",
                "--control",
                "hed",
            ],
            "2 ControlNets (canny, hed) and 1 strength",
        ),
        (
            ["clip.mp4", "a castle", "--painter", "diffusion", "-o", "x.mp4", "--control", "canny=much"],
            "no number",
        ),
        (["clip.mp4", "a castle", "--painter", "diffusion", "-o", "x.mp4", "--model", "no/such"], "no/such"),
    ],
)
def test_one_line_for_bad_input(say, monkeypatch, words, line):
    """Exit 2, a line that names it, and nothing left behind."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code, out, err = say(*words)
    assert (code, out) == (2, "") and line in err
    assert err.startswith("moviola: error: ") and err.count("\n") == 1
    assert [p.name for p in Path.cwd().iterdir()] == ["clip.mp4"]


def test_settings_that_change_nothing_are_named(say):
    """From --set or a file: a note, since a file may be meant for several painters."""
    words = [
        "--set",
        "diffusion.steps=4",
        "--set",
        "keys.count=3",
        "--set",
        "keys.alpha=2",
        "--set",
        "raft=none.pth",
    ]
    code, out, err = say("clip.mp4", "--painter", "sketch", "-o", "out.mp4", *words, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["notes"] == [
        "not used with the painter sketch and these key frames: diffusion.steps, raft, keys.alpha"
    ]


def test_one_meaning_of_propagation(say):
    """--propagation is the setting propagation.method."""
    for words in (["--propagation", "linear"], ["--set", "propagation.method=linear"]):
        assert (
            say("clip.mp4", "--painter", "sketch", "-o", "out.mkv", "--lossless", "--count", "3", *words)[0]
            == 0
        )
        codec.read("out.mkv").save("fade.mkv" if words[0] == "--propagation" else "set.mkv", lossless=True)
    np.testing.assert_array_equal(codec.read("fade.mkv").frames, codec.read("set.mkv").frames)
    assert say("clip.mp4", "--painter", "sketch", "-o", "out.mkv", "--lossless", "--count", "3")[0] == 0
    assert not np.array_equal(codec.read("out.mkv").frames, codec.read("set.mkv").frames)


def test_an_interval_of_one_paints_every_frame(say):
    """Also where nothing or much changes."""
    code, out, _ = say("clip.mp4", "--painter", "sketch", "-o", "out.mp4", "--interval", "1", "--json")
    assert code == 0 and json.loads(out)["keys"] == list(range(8))


def test_a_broken_file(say):
    """A file that is no video is named."""
    Path("bad.mp4").write_bytes(b"no video at all" * 100)
    code, _, err = say("bad.mp4", "--painter", "ink", "-o", "out.mp4")
    assert code == 2 and "bad.mp4" in err


def test_resume_asks_to_be_said(say):
    """Work that is there is neither used nor lost without it."""
    words = ("clip.mp4", "--painter", "ink", "-o", "out.mp4", "--propagation", "warp", "--work", "work")
    assert say(*words)[0] == 0
    code, _, err = say(*words)
    assert code == 2 and "--resume goes on with it" in err
    assert say(*words, "--resume")[0] == 0


def settings_of(path: str, **given: object):
    """What the command makes of a config and of options."""
    from moviola.cli.restyle import _settings

    return _settings(Path(path), given, None, [])[0]


def test_keys_of_ones_own_name_no_painter(say, tmp_path):
    """No painter painted them, whatever the default is."""
    from moviola.data import codec
    from moviola.data.pictures import write_png

    (tmp_path / "mine").mkdir()
    write_png(tmp_path / "mine" / "000000_v2.png", codec.read(tmp_path / "clip.mp4").frames[0])
    code, out, _ = say("clip.mp4", "-o", "own.mp4", "--keys", "mine", "--propagation", "linear", "--json")
    assert code == 0 and json.loads(out)["painter"] is None and json.loads(out)["keys"] == [0]


def test_a_config_of_the_authors(say, tmp_path):
    """It is read as theirs; a misspelling of theirs is noted, any other key named with the nearest right one."""
    (tmp_path / "theirs.json").write_text(
        json.dumps(
            {"prompt": "a statue", "control_type": "canny", "color_perserve": False, "interval": 4, "seed": 7}
        )
    )
    code, out, err = say(
        "clip.mp4",
        "-o",
        "out.mp4",
        "--config",
        "theirs.json",
        "--painter",
        "sketch",
        "--propagation",
        "warp",
        "--json",
    )
    found = json.loads(out)
    assert (code, err, found["keys"]) == (0, "", [0, 4])
    assert any("color_perserve" in note for note in found["notes"])
    from moviola.pipelines.restyle.read import read_config

    assert read_config(tmp_path / "theirs.json")[0]["seed"] == 7
    assert settings_of("theirs.json").seed == 7 and settings_of("theirs.json", seed=0).seed == 0
    (tmp_path / "wrong.json").write_text(json.dumps({"control_type": "canny", "promt": "a statue"}))
    code, _, err = say("clip.mp4", "-o", "out.mp4", "--config", "wrong.json")
    assert code == 2 and "promt" in err and "prompt" in err


@pytest.mark.slow
def test_a_diffusion_model_from_end_to_end(say, tmp_path):
    """A tiny Stable Diffusion goes the way that a real one goes; stopped work goes on to the same bytes."""
    pytest.importorskip("diffusers")
    from moviola.core.quiet import quiet_libraries
    from moviola.models.rerender.diffusion.tiny import tiny_pipeline

    with quiet_libraries():
        tiny_pipeline("sd", 1).controlnet.save_pretrained(tmp_path / "control")
        tiny_pipeline("sd", 0).save_pretrained(tmp_path / "model")
    settings = {
        "diffusion": {"controls": [{"kind": "canny", "model": "control", "strength": 0.7}], "size": 32}
    }
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    words = [
        "clip.mp4", "a castle", "--painter", "diffusion", "--model", "model", "--config", "settings.json",
        "--steps", "6", "--propagation", "warp",
        "--method", "uniform", "--interval", "3", "--device", "cpu", "--lossless",
    ]  # fmt: skip
    code, _, err = say(*words, "-o", "one.mp4", "--work", "one")
    assert (code, err) == (0, "")
    plain, painted = codec.read("clip.mp4").frames[0], codec.read("one/painted/000000.png").frames[0]
    assert painted.shape == plain.shape and np.abs(painted.astype(int) - plain).mean() > 5
    Path("two").mkdir()
    assert say(*words, "-o", "two.mp4", "--work", "two")[0] == 0
    assert Path("one.mp4").read_bytes() == Path("two.mp4").read_bytes()
    code, _, err = say(*words, "-o", "no.mp4", "--set", 'pictures={"canny": "nowhere"}')
    assert code == 2 and "pictures.canny nowhere is no folder" in err
    Path("two/painted/000006.png").unlink()
    assert say(*words, "-o", "two.mp4", "--work", "two", "--resume")[0] == 0
    assert Path("one.mp4").read_bytes() == Path("two.mp4").read_bytes()
    killed_at("paint", "restyle", *words, "-o", "three.mp4", "--work", "three")
    assert say(*words, "-o", "three.mp4", "--work", "three", "--resume")[0] == 0
    assert Path("one.mp4").read_bytes() == Path("three.mp4").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(
    not (SHARED / "media/video").is_dir(), reason="no real clips at ../shared or $MOVIOLA_SHARED"
)
def test_twenty_frames_of_a_real_clip(say):
    """As many frames, as large, as fast, and the key frames are as they were painted."""
    source = codec.read(SHARED / "media/video/woman-960x506-25fps.mp4", 0, 20, size=(126, 240))
    source.save("real.mkv", lossless=True)
    code, out, err = say(
        "real.mkv", "--painter", "watercolor", "-o", "out.mkv", "--lossless", "--json", "--work", "work"
    )
    found = json.loads(out)
    assert (code, err) == (0, "")
    result = codec.read("out.mkv")
    assert result.frames.shape == (20, 126, 240, 3) and result.fps == source.fps
    for key in found["keys"]:
        painted = codec.read(f"work/painted/{key:06d}.png").frames[0]
        np.testing.assert_array_equal(result.frames[key], painted)


KILLED = """
import os, sys
from moviola.pipelines.restyle.work import Work

finish = Work.finish

def then_die(self, stage, mark, key=None):
    finish(self, stage, mark, key)
    if stage == sys.argv[1]:
        os._exit(9)  # nothing is cleaned up, as by kill -9

Work.finish = then_die
from moviola.cli.main import run
run(sys.argv[2:])
"""


def killed_at(stage: str, *words: str) -> None:
    """Run the command in a process of its own, which ends where a stage has finished its first piece."""
    done = subprocess.run([sys.executable, "-c", KILLED, stage, *words], capture_output=True, text=True)
    assert done.returncode == 9, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["select", "paint", "carry"])
def test_killed_in_the_middle_and_resumed_gives_the_same_bytes(say, stage):
    """Twenty frames, real ones where there are any; the process dies without a word."""
    clip = SHARED / "media/video/woman-960x506-25fps.mp4"
    if clip.exists():
        codec.read(clip, 0, 20, size=(96, 184)).save("clip.mkv", lossless=True)
    else:
        Video(np.concatenate([codec.read("clip.mp4").frames] * 3)[:20], 10).save("clip.mkv", lossless=True)
    words = ("clip.mkv", "--painter", "oil", "--interval", "6", "--propagation", "patch")
    assert say(*words, "-o", "whole.mp4")[0] == 0
    killed_at(stage, "restyle", *words, "-o", "out.mp4", "--work", "work")
    assert not Path("out.mp4").exists()
    assert say(*words, "-o", "out.mp4", "--work", "work", "--resume")[0] == 0
    assert Path("out.mp4").read_bytes() == Path("whole.mp4").read_bytes()


def test_a_mask(say, tmp_path):
    """Repainted inside, and inverted outside; the rest is the input."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, 32:] = 255
    write_png(tmp_path / "mask.png", picture)
    words = ["clip.mp4", "--painter", "ink", "--interval", "1", "--mask", "mask.png", "--quiet"]
    assert say(*words, "-o", "right.npz")[0] == 0
    assert say(*words, "--invert-mask", "--mask-feather", "3", "-o", "left.npz")[0] == 0
    before, right, left = (codec.read(name).frames for name in ("clip.mp4", "right.npz", "left.npz"))
    assert (
        np.array_equal(right[:, :, :32], before[:, :, :32]) and (right[:, :, 32:] != before[:, :, 32:]).any()
    )
    assert np.array_equal(left[:, :, 32:], before[:, :, 32:]) and (left[:, :, :32] != before[:, :, :32]).any()
