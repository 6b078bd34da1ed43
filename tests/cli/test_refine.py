"""`moviola refine`, and `generate --refine`: what they print, and one line for every kind of bad input."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from moviola.cli.main import run
from moviola.core.errors import UnknownNameError
from moviola.core.video import Video
from moviola.data import codec


class Half:
    """Halves the contrast; takes windows of 8 frames of 16x16."""

    value_range = (-1.0, 1.0)
    config = SimpleNamespace(
        family="half", channels=3, frames=8, size=16, multiple=4, classes=("run",), text=False
    )

    def refine(self, video, mask=None, condition=None):
        """See `Refiner`."""
        return 0.5 * video


@pytest.fixture
def say(monkeypatch, capsys, tmp_path):
    """Run a verb in an empty folder that holds clip.mp4 and clips/; model "half" is known."""

    def load_refiner(name, device="cpu"):
        if name != "half":
            raise UnknownNameError.of("model", str(name), ["half"])
        return Half()

    monkeypatch.setattr("moviola.models.catalog.load_refiner", load_refiner)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    (tmp_path / "clips").mkdir()
    for name in ("clip.mp4", "clips/a.mp4", "clips/b.mp4"):
        Video(rng.integers(0, 256, (12, 16, 16, 3), np.uint8), 10).save(tmp_path / name)

    def call(line: str):
        code = run([line.split()[0], "--device", "cpu", *line.split()[1:]])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_a_video(say):
    """What is said of it."""
    code, out, err = say("refine clip.mp4 -o out.npz --model half")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "video  out.npz (12 frames of 16x16, 2 passes)"
    expected = codec.read("clip.mp4").frames
    for _ in range(2):
        expected = np.rint((expected / 127.5 - 1) / 2 * 127.5 + 127.5)
    assert np.array_equal(codec.read("out.npz").frames, expected)


def test_json(say):
    """The promised keys."""
    code, out, _ = say("refine clip.mp4 -o out.mp4 --model half --iterations 1 --size whole --json")
    said = json.loads(out)
    assert code == 0 and said.pop("seconds") > 0
    assert said == {
        "output": "out.mp4", "frames": 12, "fps": 10.0, "width": 16, "height": 16, "iterations": 1, "notes": []
    }  # fmt: skip


def test_json_of_a_set(say):
    """The sum, what is common, and each."""
    code, out, _ = say("refine clips -o out --model half --json")
    said = json.loads(out)
    assert code == 0 and (said["frames"], said["fps"], said["width"], said["iterations"]) == (24, 10.0, 16, 2)
    assert [video["output"] for video in said["videos"]] == ["out/a.mp4", "out/b.mp4"] and said[
        "skipped"
    ] == []
    assert len(codec.read("out/b.mp4")) == 12


def test_trace(say):
    """Figures of each pass, and the folder."""
    code, out, _ = say("refine clip.mp4 -o out.mp4 --model half -n 1 --trace t")
    assert code == 0 and [line.split()[0] for line in out.splitlines()] == [
        "pass",
        "pass",
        "video",
        "trace",
        "took",
    ]
    assert "passes" in json.loads(say("refine clip.mp4 -o out.mp4 --model half -n 1 --trace t --json")[1])


def test_quiet_and_zero(say):
    """Nothing but the file; 0 passes are a copy and said."""
    assert say("refine clip.mp4 -o out.mp4 --model half --quiet") == (0, "", "")
    code, out, _ = say("refine clip.mp4 -o copy.mp4 --model half --iterations 0")
    assert code == 0 and "copy" in out
    assert Path("copy.mp4").read_bytes() == Path("clip.mp4").read_bytes()


def test_auto(say):
    """Halving a hundred times over changes less and less."""
    said = json.loads(say("refine clip.mp4 -o out.mp4 --model half --iterations auto --json")[1])
    assert 4 <= said["iterations"] <= 8 and "stopped by itself" in said["notes"][0]


def test_skip_bad(say, tmp_path):
    """The rest is refined, what is left out is named."""
    (tmp_path / "clips/bad.mp4").write_bytes(b"no video")
    code, out, _ = say("refine clips -o out --model half --skip-bad")
    assert code == 0 and out.splitlines()[0].startswith("skipped bad.mp4: ") and "(2 of them)" in out


BAD = {
    "negative": ("refine clip.mp4 -o out.mp4 --model half --iterations -1", "--iterations is -1"),
    "no number": ("refine clip.mp4 -o out.mp4 --model half --iterations x", "auto or a whole number"),
    "model": ("refine clip.mp4 -o out.mp4 --model halff", "did you mean half"),
    "corruption": ("refine clip.mp4 -o out.mp4 --model half --corruption blok", "did you mean blocks"),
    "class": ("refine clip.mp4 -o out.mp4 --model half --class rum", "did you mean run"),
    "text": ("refine clip.mp4 -o out.mp4 --model half --text dog", "without text"),
    "known": ("refine clip.mp4 -o out.mp4 --model half --keep-known", "needs a corruption"),
    "size": ("refine clip.mp4 -o out.mp4 --model half --size tils", "'tile'"),
    "overlap": ("refine clip.mp4 -o out.mp4 --model half --window-overlap 5", "0 to 4"),
    "missing": ("refine nothing.mp4 -o out.mp4 --model half", "nothing.mp4"),
    "extension": ("refine clip.mp4 -o out.xyz --model half", ".xyz"),
    "no folder": ("refine clip.mp4 -o no/out.mp4 --model half", "make it first"),
    "bad clip": ("refine damaged -o out --model half", "bad.mp4"),
    "held out": (
        "refine clip.mp4 -o out.mp4 --model half --iterations auto --held-out clips",
        "single video",
    ),
    "suffix": ("refine clip.mp4 -o out.mp4 --model half --suffix .mkv", "name the output"),
    "metric": ("refine clips -o out --model half --iterations auto --held-out damaged --metric fvdd", "fvd"),
    "idle metric": ("refine clips -o out --model half --iterations auto --metric motion", "--held-out REAL"),
    "idle strength": (
        "refine clip.mp4 -o out.mp4 --model half --strength 0.9",
        "--strength is that of --corruption",
    ),
    "mixture's strength": (
        "refine clip.mp4 -o out.mp4 --model half --corruption m.json --strength 0.9",
        "strengths of its own",
    ),
    "idle threshold": (
        "refine clip.mp4 -o out.mp4 --model half --threshold 2",
        "--iterations auto, not for 2",
    ),
    "idle limit": ("refine clip.mp4 -o out.mp4 --model half -n 3 --limit 2", "--iterations auto, not for 3"),
    "two ways to stop": (
        "refine clips -o out --model half --iterations auto --held-out clips --threshold 1",
        "has no effect with --held-out",
    ),
    "layout of one": ("refine clip.mp4 -o out.mp4 --model half --layout videos", "--layout is for a set"),
    "bad of one": ("refine clip.mp4 -o out.mp4 --model half --skip-bad", "--skip-bad is for a set"),
    "device": ("refine clip.mp4 -o out.mp4 --model half --device tpu", "tpu"),
    "hub only": ("generate person -o out.mp4 --steps 4", "--steps is for hub:NAME"),
    "refine": ("generate person -o out.mp4 --refine -1", "--refine is -1"),
    "refiner": ("generate person -o out.mp4 --refine 1 --refiner halff", "did you mean half"),
    "idle refiner": ("generate person -o out.mp4 --refiner half", "no effect without --refine N"),
    "hub size": ("generate person -o out.mp4 --model hub:x --size 64", "WIDTHxHEIGHT"),
    "hub image": ("generate person -o out.mp4 --model hub:x --image clip.mp4", "from the text alone"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(say, tmp_path, case):
    """Exit 2, one line, nothing written."""
    line, said = BAD[case]
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/a.mp4").write_bytes((tmp_path / "clip.mp4").read_bytes())
    (tmp_path / "damaged/bad.mp4").write_bytes(b"no video")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = say(line)
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1, err
    assert sorted(tmp_path.rglob("*")) == before


def test_generate_refined(say, tiny_folder):
    """Every frame goes through the refiner before it is enlarged; said in the JSON."""
    line = f"generate walks -o NAME --model {tiny_folder} --frames 20 --seed 3 --json"
    plain, halved = line.replace("NAME", "plain.npz"), line.replace("NAME", "half.npz")
    assert "refined" not in json.loads(say(plain)[1])
    code, out, err = say(halved + " --refine 1 --refiner half --upscale 2")
    assert (code, err) == (0, "") and json.loads(out)["refined"] == {"model": "half", "iterations": 1}
    assert json.loads(out)["width"] == 64
    assert json.loads(out)["notes"] == [
        "half was trained at 16x16; frames of 32x32 were refined in 9 overlapping tiles"
    ]
    expected = np.rint((codec.read("plain.npz").frames / 127.5 - 1) / 2 * 127.5 + 127.5)
    assert np.array_equal(codec.read("half.npz").frames[:, ::2, ::2], expected)


def test_generate_from_the_hub(say, monkeypatch):
    """The options arrive, video k has seed + k, and what the pipeline says is said."""
    asked = []

    class Pipeline:
        def generate(self, request):
            asked.append(request)
            video = Video(np.full((3, 8, 12, 3), request.seed, np.uint8), Fraction(8))
            return SimpleNamespace(video=video, notes=(f"seed {request.seed}",))

    loaded = []
    monkeypatch.setattr(
        "moviola.pipelines.hub.load_hub", lambda name, device: loaded.append(name) or Pipeline()
    )
    line = "generate panda --model hub:me/panda -o p.npz --size 12x8 --steps 4 --guidance 7.5 --num 2 --seed 5 --json"
    code, out, err = say(line)
    said = json.loads(out)
    assert (code, err) == (0, "") and loaded == ["hub:me/panda"] and said["outputs"] == ["p-0.npz", "p-1.npz"]
    assert (said["width"], said["height"], said["fps"], said["notes"]) == (12, 8, 8.0, ["seed 5"])
    assert [(r.prompt, r.size, r.steps, r.guidance, r.seed) for r in asked] == [
        ("panda", (8, 12), 4, 7.5, seed) for seed in (5, 6)
    ]
    assert (codec.read("p-1.npz").frames == 6).all()
