"""`moviola edit` in a space of videos: every task end to end, walks, the map, novel videos, and bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from moviola.cli.common import spread_lists
from moviola.cli.main import run
from moviola.core.seeds import seeded
from moviola.core.video import Video
from moviola.data import codec
from moviola.models.inrv import InrvConfig, InrvModel

TASKS = ("invert", "inpaint", "predict", "frame-interpolate", "sparse", "upsample")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model folder of 8 frames of 16x16, untrained, with an encoder and a prior."""
    config = InrvConfig(
        frames=8, height=16, width=16, fps=8, latent=8, decoder="low-rank", hidden=16, layers=2, rank=2, head_hidden=16,
        head_layers=2, encoder=(4, 8), prior=16, init_std=1.0,
        captions=("crying face", "grinning face", "winking face", "sleeping face"),
    )  # fmt: skip
    with seeded(0, "weights"):
        network = InrvModel(config)
    with torch.no_grad():
        network.codes.copy_(network.codebook)
    return str(network.save_pretrained(tmp_path_factory.mktemp("models") / "space"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A clip of the model's shape."""
    y, x = np.mgrid[:16, :16]
    frames = np.stack([(128 + 100 * np.sin((x + y + 3 * t) / 5)).astype(np.uint8) for t in range(8)])
    path = tmp_path_factory.mktemp("clips") / "clip.npz"
    return str(Video(np.repeat(frames[..., None], 3, axis=-1), 8).save(path))


def told(capsys, *words) -> dict:
    """The JSON of a call that ends well."""
    assert run([*map(str, words), "--json", "--device", "cpu"]) == 0
    return json.loads(capsys.readouterr().out)


def complaint(capsys, *words) -> str:
    """The one line on stderr of a call that ends with 2."""
    assert run([*map(str, words)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("task", TASKS)
def test_every_task(task, model, clip, tmp_path, capsys):
    """A video of the promised shape, figures by part, the film; what was observed is kept."""
    out = tmp_path / "out.npz"
    film = tmp_path / "film.npz"
    report = told(
        capsys, "edit", task, clip, "--model", model, "-o", out, "--steps", 3, "--starts", 2, "--film", film
    )
    assert (report["frames"], report["fps"], report["width"], report["height"]) == (8, 8.0, 16, 16)
    assert report["output"] == str(out) and report["seconds"] > 0 and report["task"] == task
    assert set(report["amortised"]) == set(report["model"]) == {"psnr", "ssim"}
    assert (report["psnr"]["unobserved"] is None) == (task == "invert")
    result, source = codec.read(out).frames, codec.read(clip).frames
    counts = {
        "invert": 2048,
        "inpaint": 1024,
        "predict": 256,
        "frame-interpolate": 512,
        "sparse": 512,
        "upsample": 512,
    }
    assert report["observed"] == counts[task]
    kept = {"inpaint": np.s_[:, :8], "predict": np.s_[:1], "frame-interpolate": np.s_[[0, 7]]}
    if task in kept:
        assert np.array_equal(result[kept[task]], source[kept[task]]) and report["psnr"]["observed"] == 100
    assert codec.probe(film).width == 4 * 128 + 3 * 4


def test_any_size_and_rate(model, clip, tmp_path, capsys):
    """--size and --fps draw more of the same seconds; --plain draws the model's own picture."""
    report = told(
        capsys, "edit", "inpaint", clip, "--model", model, "-o", tmp_path / "a.npz", "--steps", 2, "--starts", 1,
        "--size", "40x24", "--fps", "20", "--plain",
    )  # fmt: skip
    assert codec.read(tmp_path / "a.npz").frames.shape == (20, 24, 40, 3)
    assert (report["frames"], report["fps"], report["width"], report["height"]) == (20, 20.0, 40, 24)
    assert "every pixel is the model's" in report["description"] and report["psnr"] == report["model"]["psnr"]


def test_masks_truth_and_samples(model, clip, tmp_path, capsys):
    """A mask hides what is to be judged by --truth alone; --samples writes results that differ."""
    mask = np.zeros((1, 16, 16, 3), np.uint8)
    mask[:, 2:6, 3:8] = 255
    Video(mask, 1).save(tmp_path / "mask.png")
    words = ["edit", "inpaint", clip, "--model", model, "-o", tmp_path / "m.npz", "--steps", 2, "--starts", 1]
    words += ["--mask", tmp_path / "mask.png"]
    report = told(capsys, *words)
    assert report["observed"] == 8 * (256 - 20) and report["psnr"]["unobserved"] is None
    assert told(capsys, *words, "--truth", clip)["psnr"]["unobserved"] > 0
    many = told(
        capsys,
        "edit",
        "predict",
        clip,
        "--model",
        model,
        "-o",
        tmp_path / "p.npz",
        "--steps",
        2,
        "--samples",
        3,
    )
    assert many["outputs"] == [str(tmp_path / name) for name in ("p.npz", "p-2.npz", "p-3.npz")]
    frames = [codec.read(path).frames for path in many["outputs"]]
    assert many["diversity"] > 0 and not np.array_equal(frames[0], frames[1])
    assert all(np.array_equal(one[0], frames[0][0]) for one in frames)


def test_for_people(model, clip, tmp_path, capsys):
    """One line says what is kept and what is invented; a note says what became of a clip of another shape."""
    codec.read(clip).resize(20, 30).save(tmp_path / "wide.npz")
    words = ["edit", "predict", str(tmp_path / "wide.npz"), "--model", model, "-o", str(tmp_path / "o.mp4")]
    assert run([*words, "--steps", "2", "--starts", "1", "--free", "heads"]) == 0
    printed = capsys.readouterr()
    assert "kept: the first frame" in printed.out and "invented: the 7 frames after" in printed.out
    assert "cropped to 20x20, resized to 16x16" in printed.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.mp4", "wide.npz"]


def test_a_picture_is_continued(model, clip, tmp_path, capsys):
    """The observed frames alone are enough, and nothing is judged."""
    codec.read(clip)[:1].save(tmp_path / "first.png")
    words = ["--model", model, "-o", tmp_path / "o.npz", "--steps", 2, "--starts", 1]
    report = told(capsys, "edit", "predict", tmp_path / "first.png", *words)
    assert report["frames"] == 8 and report["psnr"]["unobserved"] is None


def test_walks_and_the_map(model, clip, tmp_path, capsys):
    """Clips by caption, by number and from a file; a grid; a page."""
    words = ["edit", "interpolate", "--model", model, "--steps", 2, "--starts", 1]
    report = told(
        capsys, *words, "--between", "Crying face", 1, clip, "-o", tmp_path / "w.npz", "--size", "12x10"
    )
    assert report["between"] == ["Crying face", "1", clip] and report["frames"] == 16
    assert codec.read(tmp_path / "w.npz").frames.shape == (16, 10, 12, 3)
    report = told(capsys, *words, "--between", 0, "--between", 3, "--grid", 3, "-o", tmp_path / "g.npz")
    assert (report["width"], report["frames"]) == (3 * 16 + 2 * 2, 8)
    assert told(capsys, "edit", "map", model, "-o", tmp_path / "map.html")["clips"] == 4
    assert "winking face" in (tmp_path / "map.html").read_text(encoding="utf-8")


def test_novel_videos(model, tmp_path, capsys):
    """`moviola sample` draws at any size and by any method, and goes on where it was."""
    words = ["sample", model, "--num", 2, "--format", "npz"]
    report = told(capsys, *words, "-o", tmp_path / "s", "--size", "20x12", "--method", "slerp", "--fps", 16)
    assert (report["frames"], report["fps"], report["width"], report["height"]) == (16, 16.0, 20, 12)
    assert "size" in complaint(capsys, *words, "-o", tmp_path / "s", "--method", "slerp", "--fps", 16)
    assert told(capsys, *words, "-o", tmp_path / "p")["width"] == 16
    assert "mixture" in complaint(capsys, *words, "-o", tmp_path / "x", "--method", "mixtur")
    assert "spaces of videos" in complaint(
        capsys, "sample", "sprites", "-o", tmp_path / "x", "--method", "slerp"
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["interpolate", "--between", "0", "4"], "clips 0 to 3"),
        (["interpolate", "--between", "0", "-1"], "clips 0 to 3"),
        (["interpolate", "--between", "0"], "2 clips or more"),
        (["interpolate", "--between", "0", "grining face"], "did you mean grinning face"),
        (["interpolate", "--between", "0", "none.mp4"], "no file none.mp4"),
        (["interpolate", "--between", "0", "1", "--size", "0x8"], "px, not 0x8"),
        (["interpolate", "--between", "0", "1", "--interpolation", "cubic"], "slerp, lerp"),
        (["interpolate", "--between", "0", "1", "--grid", "1"], "at least 2"),
        (["interpolate", "--between", "0", "1", "--grid", "3", "--seconds", "2"], "leave --seconds"),
        (["interpolate", "--between", "0", "1", "--fps", "0"], "frame rate"),
        (["invert", "CLIP", "--size", "16"], "WIDTHxHEIGHT"),
        (["invert", "CLIP", "--size", "0x0"], "px, not 0x0"),
        (["invert", "CLIP", "--fps", "-1"], "frame rate"),
        (["invert", "CLIP", "--steps", "-1"], "--steps is -1"),
        (["invert", "CLIP", "--starts", "0"], "--starts is 0"),
        (["invert", "CLIP", "--free", "tails"], "it is heads"),
        (["invert", "SHORT"], "8 or more are needed"),
        (["invert", "none.mp4"], "none.mp4"),
        (["invert", "CLIP", "--truth", "SHORT"], "the truth has 5 frames"),
        (["inpaint", "CLIP", "--mask", "MASK"], "20x16"),
        (["predict", "CLIP", "--known", "8"], "1 to 7"),
        (["predict", "CLIP", "--samples", "0"], "--samples is 0"),
        (["predict", "CLIP", "--samples", "2", "--free", "heads"], "leave --samples"),
        (["sparse", "CLIP", "--share", "1.5"], "between 0 and 1"),
        (["upsample", "CLIP", "--from", "32x32"], "no lower resolution"),
        (["map", "MODEL", "--limit", "1"], "--limit is 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input(words, line, model, clip, tmp_path, tmp_path_factory, capsys):
    """One line, exit 2, nothing written."""
    sources = tmp_path_factory.mktemp("sources")
    codec.read(clip)[:5].save(sources / "short.npz")
    Video(np.zeros((1, 16, 20, 3), np.uint8), 1).save(sources / "mask.png")
    names = {"CLIP": clip, "SHORT": sources / "short.npz", "MASK": sources / "mask.png", "MODEL": model}
    typed = [str(names.get(word, word)) for word in words]
    chosen = [] if words[0] == "map" else ["--model", model]
    suffix = "html" if words[0] == "map" else "npz"
    assert line in complaint(capsys, "edit", *typed, *chosen, "-o", tmp_path / f"o.{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_models_of_other_families(clip, tmp_path, capsys):
    """The line says what was given, and what fits."""
    for words in (["invert", clip], ["interpolate", "--between", "0", "1"]):
        line = complaint(capsys, "edit", *words, "--model", "sprites", "-o", tmp_path / "o.npz")
        assert "sprites is a generator" in line and "spaces of videos are" in line
    assert "spaces of videos" in complaint(capsys, "edit", "map", "regis-u", "-o", tmp_path / "o.html")
    assert ".html" in complaint(capsys, "edit", "map", "sprites", "-o", tmp_path / "o.png")


def test_lists_on_the_command_line():
    """Values of a list go on until the next option; numbers below 0 are values."""
    words = ["--between", "a", "b", "-1", "-o", "x", "--between", "c", "IN"]
    expected = [
        "--between",
        "a",
        "--between",
        "b",
        "--between",
        "-1",
        "-o",
        "x",
        "--between",
        "c",
        "--between",
        "IN",
    ]
    assert spread_lists(words, ("--between",)) == expected
    assert spread_lists(words, ()) == words
