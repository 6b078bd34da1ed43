"""`moviola generate`: files, JSON, notes, and every kind of bad input."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from PIL import Image

from moviola.cli.main import run
from moviola.data import codec

PROMPT = "a person with red hair walks"


@pytest.fixture
def say(tiny_folder, capsys, tmp_path):
    """Run generate with the tiny model; return (exit code, stdout, stderr)."""

    def call(
        *words: object,
        prompt: str = PROMPT,
        model: object = tiny_folder,
        output: object = tmp_path / "out.mp4",
    ):
        code = run(
            [
                "generate",
                prompt,
                "-o",
                str(output),
                "--model",
                str(model),
                "--device",
                "cpu",
                *map(str, words),
            ]
        )
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_a_video(say, tmp_path):
    """The file, and what was asked, drawn and written."""
    code, out, err = say("--frames", 5, "--fps", 10, "--upscale", 2)
    assert (code, err) == (0, "")
    lines = [line.split(None, 1) for line in out.splitlines()]
    assert [line[0] for line in lines] == ["asked", "drawn", "video", "took"]
    assert lines[0][1] == PROMPT and "red hair" in lines[1][1] and str(tmp_path / "out.mp4") in lines[2][1]
    video = codec.read(tmp_path / "out.mp4")
    assert video.frames.shape == (5, 64, 64, 3) and video.fps == 10


def test_json(say, tmp_path):
    """One object: the promised keys, the caption and the notes."""
    code, out, err = say("--json", prompt=PROMPT + " zzzz")
    said = json.loads(out)
    assert (code, err) == (0, "") and out.count("\n") == 1
    assert {k: said[k] for k in ("output", "frames", "fps", "width", "height")} == {
        "output": str(tmp_path / "out.mp4"),
        "frames": 6,
        "fps": 12.5,
        "width": 32,
        "height": 32,
    }
    assert said["seconds"] > 0 and "red hair" in said["caption"]
    assert said["notes"] == ["'zzzz' is not known and was ignored"]


def test_quiet(say, tmp_path):
    """Nothing but the file."""
    assert say("--quiet") == (0, "", "") and (tmp_path / "out.mp4").is_file()


def test_notes_are_told(say):
    """On stdout, once each, before the result."""
    _, out, _ = say("--num", 2, prompt=PROMPT + " zzzz")
    assert out.splitlines()[0] == "note: 'zzzz' is not known and was ignored" and out.count("zzzz' is") == 1


def test_num(say, tmp_path):
    """FILE-0, FILE-1 ...: each is the sample of that index, whatever their number."""
    code, out, _ = say("--num", 3, "--json", output=tmp_path / "v.npz")
    said = json.loads(out)
    files = [tmp_path / f"v-{k}.npz" for k in range(3)]
    assert code == 0 and said["outputs"] == [str(f) for f in files] and said["output"] == str(files[0])
    assert len(said["captions"]) == 3
    assert say("--num", 2, output=tmp_path / "w.npz")[0] == say(output=tmp_path / "x.npz")[0] == 0
    frames = {f.name: codec.read(f).frames for f in tmp_path.glob("*.npz")}
    assert sorted(frames) == ["v-0.npz", "v-1.npz", "v-2.npz", "w-0.npz", "w-1.npz", "x.npz"]
    assert np.array_equal(frames["v-1.npz"], frames["w-1.npz"])
    assert np.array_equal(frames["v-0.npz"], frames["x.npz"])
    assert not np.array_equal(frames["v-0.npz"], frames["v-1.npz"])


def test_seed(say, tmp_path):
    """The same seed writes the same bytes, another one other frames."""
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert say("--seed", seed, output=tmp_path / f"{name}.mp4")[0] == 0
    a, b, c = ((tmp_path / f"{n}.mp4").read_bytes() for n in "abc")
    assert a == b != c


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".webp", ".npz", ".png"])
def test_formats(say, tmp_path, suffix):
    """Whatever the codec writes."""
    assert say("--frames", 3, output=tmp_path / f"x{suffix}")[0] == 0
    assert codec.read(tmp_path / f"x{suffix}").frames.shape == (3, 32, 32, 3)


def test_frame_folders(say, tmp_path):
    """A name that ends with a slash is a folder of frames; with --num one folder each."""
    assert say("--frames", 3, output=f"{tmp_path}/frames/")[0] == 0
    assert codec.read(tmp_path / "frames").frames.shape == (3, 32, 32, 3)
    code, out, _ = say("--frames", 2, "--num", 2, "--json", output=f"{tmp_path}/many/")
    folders = json.loads(out)["outputs"]
    assert code == 0 and [len(codec.read(f)) for f in folders] == [2, 2]


def test_sheet(say, tmp_path):
    """A PNG beside the video, named in both reports."""
    code, out, _ = say("--sheet", tmp_path / "s.png")
    assert code == 0 and f"sheet  {tmp_path / 's.png'}" in out
    with Image.open(tmp_path / "s.png") as picture:
        assert picture.format == "PNG" and picture.size[0] >= 6 * 32 and picture.size[1] >= 32
    assert json.loads(say("--sheet", tmp_path / "s.png", "--json")[1])["sheet"] == str(tmp_path / "s.png")


def test_image(say, tmp_path):
    """Resized with a note; the first frame is the picture."""
    Image.new("RGB", (90, 50), (200, 100, 0)).save(tmp_path / "in.png")
    code, out, _ = say("--image", tmp_path / "in.png", output=tmp_path / "x.npz")
    assert code == 0 and "note: the image was brought from 90x50 to 32x32" in out
    assert (codec.read(tmp_path / "x.npz").frames[0] == (200, 100, 0)).all()


BAD = {
    "empty prompt": ({"prompt": ""}, [], "the prompt is empty"),
    "blank prompt": ({"prompt": "  ..."}, [], "the prompt is empty"),
    "unknown words": ({"prompt": "xyzzy wlaks"}, [], "did you mean walks"),
    "contradiction": ({"prompt": "walks waves"}, [], "two things of the action"),
    "unknown model": ({"model": "spritez"}, [], "unknown model 'spritez'"),
    "no model folder": ({"model": "no/model"}, [], "no model folder"),
    "no frames": ({}, ["--frames", 0], "--frames is 0; it must be at least 1"),
    "frames no number": ({}, ["--frames", "many"], "many"),
    "no enlargement": ({}, ["--upscale", 0], "--upscale is 0"),
    "no videos": ({}, ["--num", 0], "--num is 0"),
    "no rate": ({}, ["--fps", 0], "frame rate"),
    "endless rate": ({}, ["--fps", "inf"], "frame rate"),
    "no image": ({}, ["--image", "no.png"], "no.png"),
    "no device": ({}, ["--device", "tpu"], "tpu"),
    "later words unknown": ({}, ["--then", "wlaks"], "did you mean walks"),
    "later prompt empty": ({}, ["--then", "waves", "--then", ""], "--then, number 2: the prompt is empty"),
    "later contradiction": ({}, ["--then", "walks waves"], "two things of the action"),
    "then of a pipeline": ({"model": "hub:a/b"}, ["--then", "waves"], "--then is for"),
    "then of another family": ({"model": "inrv-smileys"}, ["--then", "waves"], "--then is for"),
    "join without then": ({}, ["--join", "cut"], "no effect without --then"),
    "unknown join": ({}, ["--then", "waves", "--join", "fade"], "cut, carry"),
    "negative seed": ({}, ["--seed", -1], "seed"),
    "sheet no png": ({}, ["--sheet", "x.jpg"], ".png"),
    "unknown extension": ({"output": "x.mkvv"}, [], ".mkvv"),
    "missing folder": ({"output": "no/such/x.mp4"}, [], "no/such"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(say, tmp_path, monkeypatch, case):
    """Exit 2, one line on stderr, nothing on stdout, nothing written."""
    monkeypatch.chdir(tmp_path)
    arguments, words, expected = BAD[case]
    before = sorted(p for p in tmp_path.rglob("*"))
    code, out, err = say(*words, **arguments)
    assert (code, out) == (2, "") and expected in err, err
    assert err.startswith("moviola: error: ") and err.count("\n") == 1
    assert sorted(p for p in tmp_path.rglob("*")) == before


def test_unknown_extension_names_the_known(say):
    """mp4, gif and the others."""
    _, _, err = say(output="x.xyz")
    assert ".mp4" in err and ".gif" in err


@pytest.mark.parametrize("content", [b"this is no picture", b"\x89PNG\r\n\x1a\n", b""])
def test_an_image_that_is_none(say, tmp_path, content):
    """Named; an existing output stands as it was."""
    (tmp_path / "x.png").write_bytes(content)
    (tmp_path / "out.mp4").write_bytes(b"precious")
    code, out, err = say("--image", tmp_path / "x.png")
    assert (code, out) == (2, "") and "x.png" in err and err.count("\n") == 1
    assert (tmp_path / "out.mp4").read_bytes() == b"precious"


@pytest.mark.parametrize(("fault", "code"), [(KeyboardInterrupt, 130), (RuntimeError("broken"), 1)])
def test_existing_output_survives_a_failure(say, tmp_path, monkeypatch, fault, code):
    """Stopped in the middle of generating: the old file stands and nothing is left beside it."""
    from moviola.models.nextframe import NextFrameUNet

    (tmp_path / "out.mp4").write_bytes(b"precious")
    before = sorted(os.listdir(tmp_path))
    forward, calls = NextFrameUNet.forward, []

    def fail(self, *arguments):
        calls.append(1)
        if len(calls) == 40:
            raise fault
        return forward(self, *arguments)

    monkeypatch.setattr(NextFrameUNet, "forward", fail)
    got, out, err = say("--frames", 80)
    assert (got, out) == (code, "") and err.count("\n") == 1
    assert (tmp_path / "out.mp4").read_bytes() == b"precious" and sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("part", ["next", "first"])
def test_damaged_model(say, tiny_folder, part):
    """Truncated weights are named."""
    path = tiny_folder / part / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    code, _, err = say()
    assert code == 2 and str(path) in err and err.count("\n") == 1


def test_then(say, tmp_path):
    """One film: frames a part, the captions told and in JSON, the first part as it is alone."""
    words = ["--frames", 4, "--then", "right", "--then", "waves"]
    code, out, err = say(*words, output=tmp_path / "film.npz", prompt="red hair walks left")
    assert (code, err) == (0, "")
    assert [line.split(None, 1)[0] for line in out.splitlines()] == [
        "asked",
        "drawn",
        "then",
        "then",
        "video",
        "took",
    ]
    assert "(from frame 4)" in out and "(from frame 8)" in out and "(12 frames of 32x32)" in out
    assert say("--frames", 4, output=tmp_path / "one.npz", prompt="red hair walks left")[0] == 0
    film, one = (codec.read(tmp_path / f"{name}.npz").frames for name in ("film", "one"))
    assert len(film) == 12 and np.array_equal(film[:4], one)
    said = json.loads(say(*words, "--json", prompt="red hair walks left")[1])
    assert said["frames"] == 12 and [part["first_frame"] for part in said["parts"]] == [0, 4, 8]
    assert [part["caption"] for part in said["parts"]] == [
        "a person with red hair walks left",
        "a person with red hair walks right",
        "a person with red hair waves right",
    ]
    many = json.loads(say(*words, "--num", 2, "--json", prompt="walks left")[1])
    assert [[part["frames"] for part in parts] for parts in many["all_parts"]] == [[4, 4, 4]] * 2
    assert many["parts"] == many["all_parts"][0] and "parts" not in json.loads(say("--json")[1])


def test_then_from_an_image_and_refined(say, tmp_path):
    """With a first frame given, and each part refined as it is alone."""
    Image.new("RGB", (32, 32), (200, 100, 0)).save(tmp_path / "in.png")
    given = ["--frames", 3, "--image", tmp_path / "in.png"]
    assert say(*given, "--then", "waves", output=tmp_path / "film.npz")[0] == 0
    film = codec.read(tmp_path / "film.npz").frames
    assert len(film) == 6 and (film[0] == (200, 100, 0)).all() and not (film[3] == (200, 100, 0)).all()
    polish = ["--frames", 4, "--refine", 1, "--refiner", "regis-u"]
    assert say(*polish, "--then", "waves", output=tmp_path / "two.npz")[0] == 0
    assert say(*polish, output=tmp_path / "one.npz")[0] == 0
    two, one = (codec.read(tmp_path / f"{name}.npz").frames for name in ("two", "one"))
    assert len(two) == 8 and np.array_equal(two[:4], one)


@pytest.mark.parametrize(("model", "noted"), [("sprites", False), ("actions", True)])
def test_refining_what_the_refiner_does_not_know_is_noted(say, tmp_path, model, noted):
    """regis-u was trained on the clips of sprites; it refines others all the same where it is asked for by name."""
    prompt = "a person walks" if model == "sprites" else "a person waves one hand"
    words = ["--frames", 2, "--refine", 1, "--refiner", "regis-u"]
    code, _, err = say(*words, model=model, prompt=prompt, output=tmp_path / "x.npz")
    line = "moviola: note: regis-u is a refiner for the clips of sprites; what actions draws is other footage"
    assert code == 0 and (line in err) == noted
    assert err.count("note: regis-u") == noted
    assert say(*words, "-q", model=model, prompt=prompt, output=tmp_path / "y.npz")[2] == ""


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("actions", "is a refiner for the clips of sprites"),
        ("sprites", "was not measured to better the clips of sprites"),
    ],
)
def test_what_the_usual_refiner_does_not_better_is_left_alone(say, tmp_path, model, reason):
    """Without --refiner, a clip comes out as it was generated, and a note says so; JSON says not refined."""
    words = {"model": model, "prompt": "a person walks" if model == "sprites" else "a person waves one hand"}
    code, out, err = say("--frames", 3, "--refine", 2, "--json", **words, output=tmp_path / "x.npz")
    assert code == 0 and "refined" not in json.loads(out)
    assert f"regis-u {reason}; what {model} draws is left as it is; --refiner regis-u refines it all" in err
    assert say("--frames", 3, **words, output=tmp_path / "y.npz")[0] == 0
    x, y = (codec.read(tmp_path / f"{name}.npz").frames for name in "xy")
    assert np.array_equal(x, y)
