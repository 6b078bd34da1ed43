"""`moviola edit motion`, `edit project` and `edit spectrum` as a person or a program uses them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from moviola.cli.main import run
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.toys.sinusoid import Config, make
from moviola.models.catalog import load_banded
from moviola.models.freqmotion import FreqMotionConfig, FreqMotionGenerator


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model folder with three banks, untrained."""
    torch.manual_seed(0)
    config = FreqMotionConfig(
        size=16, fps=8, content=4, motion=4, style=8, content_layers=1, features=8,
        ranges=((0.8, 1.0), (1.7, 1.9), (3.4, 3.8)), widths=(4, 4, 4),
    )  # fmt: skip
    return str(FreqMotionGenerator(config).save_pretrained(tmp_path_factory.mktemp("models") / "m"))


def complaint(capsys, *words) -> str:
    """The one line on stderr of a call that ends with 2."""
    assert run([*words]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_unedited_is_what_sample_draws(model, tmp_path, capsys):
    """The same frames as `moviola sample` of that seed; JSON names bands and gains."""
    assert (
        run(
            [
                "edit",
                "motion",
                model,
                "--seed",
                "3",
                "--frames",
                "10",
                "--json",
                "-o",
                str(tmp_path / "a.npz"),
            ]
        )
        == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert (report["frames"], report["width"], report["height"], report["fps"]) == (10, 16, 16, 8.0)
    assert report["bands"]["gains"] == {"low": 1.0, "mid": 1.0, "high": 1.0}
    words = ["sample", model, "-o", str(tmp_path / "s"), "--num", "1", "--seed", "3", "--frames", "10"]
    assert run([*words, "--format", "npz", "--quiet"]) == 0
    ours, sampled = codec.read(tmp_path / "a.npz").frames, codec.read(tmp_path / "s" / "00000.npz").frames
    assert np.array_equal(ours, sampled)


def test_bands_removed_kept_altered(model, tmp_path):
    """Keeping one band is removing the others; each edit is another video; upscaling repeats pixels."""

    def draw(name, *options):
        path = tmp_path / f"{name}.npz"
        assert run(["edit", "motion", model, "--frames", "12", "-o", str(path), "--quiet", *options]) == 0
        return codec.read(path).frames

    kept, removed = draw("k", "--keep", "low"), draw("r", "--remove", "mid", "--remove", "high")
    assert np.array_equal(kept, removed)
    assert np.array_equal(draw("g", "--gain", "mid=0", "--gain", "high=0"), kept)
    plain = draw("p")
    assert np.array_equal(draw("same", "--alter", "low=0", "--alter", "high=0"), plain)
    assert not np.array_equal(draw("altered", "--alter", "low=7"), plain)
    assert np.array_equal(draw("large", "--upscale", "2")[:, ::2, ::2], plain)
    still = draw("still", "--keep", "low", "--gain", "low=0")
    assert np.array_equal(still, np.broadcast_to(still[:1], still.shape))


def test_time_of_samples(model, tmp_path):
    """--fps draws instants between, --time a span, --loop ends where it begins."""

    def draw(name, *options):
        words = ["sample", model, "-o", str(tmp_path / name), "--num", "1", "--format", "npz", "--quiet"]
        assert run([*words, *options]) == 0
        return codec.read(tmp_path / name / "00000.npz")

    plain, dense = draw("a", "--time", "0:1"), draw("b", "--time", "0:1", "--fps", "32")
    assert (len(plain), len(dense), dense.fps) == (8, 32, 32)
    assert np.abs(dense.frames[::4].astype(int) - plain.frames).max() <= 1
    loop = draw("c", "--time", "0:4", "--loop").frames.astype(int)
    steps = np.abs(np.diff(loop, axis=0)).mean(axis=(1, 2, 3))
    assert np.abs(loop[0] - loop[-1]).mean() <= steps.max() * 1.01


def test_a_sheet_and_a_grid(model, tmp_path):
    """Both are written; the grid holds N x N videos with two pixels between."""
    from PIL import Image

    words = [
        "edit",
        "motion",
        model,
        "--frames",
        "8",
        "--grid",
        "2",
        "--sheet",
        str(tmp_path / "s.png"),
        "--quiet",
    ]
    assert run([*words, "-o", str(tmp_path / "g.npz")]) == 0
    assert codec.read(tmp_path / "g.npz").frames.shape == (8, 34, 34, 3)
    assert Image.open(tmp_path / "s.png").width == 8 * 36 - 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--remove", "hgih"], "low, mid, high"),
        (["--alter", "low"], "low=7"),
        (["--gain", "low=much"], "low=7"),
        (["--edges", "3,1"], "ascend"),
        (["--edges", "2,2"], "ascend"),
        (["--edges", "a"], "list of numbers"),
        (["--edges", "1", "--bands", "2"], "leave --bands"),
        (["--time", "4:1"], "begins before it ends"),
        (["--time", "soon"], "two seconds"),
        (["--frames", "0"], "at least 1"),
        (["--toward", "1", "--interpolation", "cubic"], "slerp or lerp"),
        (["--amount", "0.3"], "give --toward"),
        (["--upscale", "0"], "at least 1"),
        (["--gain", "low=nan"], "finite"),
    ],
)
def test_options_that_are_none(model, tmp_path, capsys, options, words):
    """One line, exit 2, nothing written."""
    assert words in complaint(capsys, "edit", "motion", model, "-o", str(tmp_path / "x.npz"), *options)
    assert list(tmp_path.iterdir()) == []


def test_models_without_bands(tmp_path, capsys):
    """A text-to-video model, a refiner; span and loop of a model that draws frame after frame."""
    out = str(tmp_path / "x.mp4")
    assert "whose motion has bands" in complaint(capsys, "edit", "motion", "sprites", "-o", out)
    assert "whose motion has bands" in complaint(capsys, "edit", "motion", "regis-u", "-o", out)
    line = complaint(capsys, "sample", "sprites", "-o", str(tmp_path / "s"), "--num", "1", "--loop")
    assert "continuous clock" in line


def test_spectrum_of_a_clip(model, tmp_path, capsys):
    """Shapes that swing with 16 frames at 8 frames a second: half a cycle a second, pi in the model's unit."""
    clip = make(0, 0, Config(frames=64, motion="sine", speeds=(7.0,), fps=8)).video
    clip.save(tmp_path / "a.npz")
    words = ["edit", "spectrum", str(tmp_path / "a.npz"), "--model", model, "--plot", str(tmp_path / "p.png")]
    assert run([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    top = int(np.argmax(report["power"]))
    assert report["frequencies"][top] == pytest.approx(0.5) and report["omega"][top] == pytest.approx(
        np.pi, rel=1e-6
    )
    assert report["bands"]["high"] > 0.8 * sum(report["bands"].values())
    assert (tmp_path / "p.png").stat().st_size > 1000
    assert run(words) == 0
    printed = capsys.readouterr().out
    assert "0.500 Hz" in printed and "bands" in printed


def test_projecting_and_editing_a_clip(model, tmp_path, capsys):
    """A clip that the model drew is found; its codes draw the projection again, and are edited as a drawn video's."""
    from PIL import Image

    clip, out, codes = (str(tmp_path / name) for name in ("clip.npz", "p.npz", "c.safetensors"))
    words = ["edit", "motion", model, "--seed", "3", "--frames", "10", "--quiet"]
    assert run([*words, "-o", clip]) == 0
    fit = [
        "--seed",
        "3",
        "--starts",
        "1",
        "--steps",
        "1",
        "--rate",
        "1e-6",
        "--sheet",
        str(tmp_path / "s.png"),
    ]
    assert run(["edit", "project", clip, "--model", model, "-o", out, "--save", codes, "--json", *fit]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["frames"], report["fps"], report["width"], report["start"]) == (10, 8.0, 16, 0)
    assert report["psnr"] > 45 and report["motion"] == pytest.approx(1, abs=0.1) and report["notes"] == []
    assert report["codes"] == codes and Image.open(tmp_path / "s.png").size == (8 * 18 - 2, 2 * 18 - 2)
    assert np.abs(codec.read(out).frames.astype(int) - codec.read(clip).frames).max() <= 2

    def edited(name, *options):
        path = str(tmp_path / name)
        assert run(["edit", "motion", model, "-o", path, "--quiet", *options]) == 0
        return codec.read(path).frames.astype(int)

    assert np.array_equal(edited("again.npz", "--codes", codes), codec.read(out).frames)
    assert len(edited("long.npz", "--codes", codes, "--time", "0:3")) == 24
    for change in (["--remove", "high"], ["--alter", "low=7"], ["--content", "4"], ["--grid", "2"]):
        seed = "3" if "--grid" in change else "0"
        projected = edited("e.npz", "--codes", codes, "--seed", seed, *change)
        drawn = edited("d.npz", "--seed", "3", "--frames", "10", *change)
        assert np.abs(projected - drawn).max() <= 2


def test_clips_that_project_badly(model, tmp_path, capsys):
    """One that stands still is noted on stderr, one that is longer than the model's clips on stdout."""
    frames = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8).repeat(20, axis=0)
    Video(frames, 8).save(tmp_path / "still.npz")
    words = [
        "edit",
        "project",
        str(tmp_path / "still.npz"),
        "--model",
        model,
        "--steps",
        "1",
        "--starts",
        "1",
    ]
    assert run([*words, "-o", str(tmp_path / "p.npz")]) == 0
    printed = capsys.readouterr()
    assert "still.npz: its frames are nearly alike" in printed.err
    assert "the first 16 of 20 frames" in printed.out and "psnr" in printed.out


def test_what_cannot_be_projected(model, tmp_path, capsys):
    """One line, exit 2, nothing written."""
    make(0, 0, Config(frames=5)).video.save(tmp_path / "clip.npz")
    make(0, 0, Config(frames=1)).video.save(tmp_path / "one.npz")
    clip, out = str(tmp_path / "clip.npz"), str(tmp_path / "p.gif")
    before = sorted(tmp_path.iterdir())
    for words, line in (
        ([clip, "--model", "sprites", "-o", out], "whose motion has bands"),
        ([clip, "--model", model, "-o", out, "--frames", "6"], "too few frames: 5; this projection needs 6"),
        (
            [str(tmp_path / "one.npz"), "--model", model, "-o", out],
            "too few frames: 1; this projection needs 2",
        ),
        ([str(tmp_path / "none.mp4"), "--model", model, "-o", out], "no such file"),
        ([clip, "--model", model, "-o", out, "--frames", "1"], "needs 2 or more"),
        ([clip, "--model", model, "-o", out, "--fps", "99"], "at most 50 frames a second"),
        ([clip, "--model", model, "-o", out, "--steps", "0"], "at least 1"),
        ([clip, "--model", model, "-o", out, "--rate", "nan"], "learning rate"),
        ([clip, "--model", model, "-o", out, "--save", str(tmp_path / "c.npz")], ".safetensors"),
        (
            [clip, "--model", model, "-o", out, "--save", str(tmp_path / "no" / "c.safetensors")],
            "does not exist; make",
        ),
    ):
        assert line in complaint(capsys, "edit", "project", *words)
        assert sorted(tmp_path.iterdir()) == before


def test_codes_that_cannot_be_edited(model, tmp_path, capsys):
    """Of another model, of none, missing; options that contradict them."""
    torch.manual_seed(1)
    other = str(FreqMotionGenerator(load_banded(model).config).save_pretrained(tmp_path / "other"))
    make(0, 0, Config(frames=4)).video.save(tmp_path / "clip.npz")
    codes, out = str(tmp_path / "c.safetensors"), str(tmp_path / "x.npz")
    words = ["edit", "project", str(tmp_path / "clip.npz"), "--model", model, "--steps", "1", "--starts", "1"]
    assert run([*words, "-o", str(tmp_path / "p.npz"), "--save", codes, "--quiet"]) == 0
    for source, line, *options in (
        (other, "codes of another model", "--codes", codes),
        (model, "holds no codes", "--codes", f"{model}/model.safetensors"),
        (model, "no codes at", "--codes", str(tmp_path / "none.safetensors")),
        (model, "damaged or no safetensors", "--codes", str(tmp_path / "clip.npz")),
        (model, "leave one of them out", "--codes", codes, "--seed", "1"),
        (model, "use lerp", "--codes", codes, "--toward", "1", "--interpolation", "slerp"),
    ):
        assert line in complaint(capsys, "edit", "motion", source, "-o", out, *options)
    assert not (tmp_path / "x.npz").exists()
