"""The distances of all checkpoints of a run: of what they draw, from what the run trains on."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from moviola.cli.main import run
from moviola.core.errors import ConfigError, InputError, WeightsError
from moviola.core.ranges import from_network
from moviola.metrics.functional.frechet import frechet_from_features
from moviola.metrics.i3d import I3DExtractor
from moviola.models.inrv import InrvModel
from moviola.recipes.catalog import find
from moviola.recipes.checkpoints import score_checkpoints
from moviola.recipes.train import train
from moviola.training import checkpoint

SHORT = [
    "trainer.steps=4", "trainer.save_every=2", "trainer.sample_every=0", "trainer.batch=4", "trainer.tensorboard=false",
    "trainer.keep=5", "trainer.ema=0.5",
]  # fmt: skip


def colours(clip: np.ndarray) -> np.ndarray:
    """Mean and spread of each channel, float32 (6,)."""
    pixels = clip.reshape(-1, 3).astype(np.float32) / 255
    return np.concatenate([pixels.mean(0), pixels.std(0)])


@pytest.fixture(autouse=True)
def extractor(monkeypatch):
    """`colours` in place of I3D."""
    stand_in = lambda sample: {"logits": colours(sample.video.frames)}  # noqa: E731
    monkeypatch.setattr(I3DExtractor, "load", classmethod(lambda cls, *rest: stand_in))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A space of videos and a video GAN, two checkpoints each."""
    root = tmp_path_factory.mktemp("runs")
    train(find("inrv_debug")(None).with_overrides([*SHORT, "prior_steps=2"]), root / "inrv", quiet=True)
    train(find("freqmotion_debug")(None).with_overrides(SHORT), root / "freqmotion", quiet=True)
    return root


def test_a_space_of_videos(trained):
    """The Frechet distance of slerp samples of the averaged weights to the clips, computed by hand."""
    result = score_checkpoints(trained / "inrv", 6, seed=3, quiet=True)
    assert (result.recipe, result.n_real, result.n_fake) == ("inrv_debug", 6, 6)
    assert [one.step for one in result.checkpoints] == [2, 4]
    objective, _ = find("inrv_debug")(None).build()
    rows = np.linspace(0, 15, 6).round().astype(int)
    real = np.stack([colours(objective.clips.read(int(row))) for row in rows])
    for one in result.checkpoints:
        model = InrvModel(objective.model.config).eval()
        model.load_state_dict(checkpoint.read(one.path)["ema"]["model"])
        model.codes.copy_(model.codebook.detach())
        codes = model.draw(3, range(6), "slerp")
        clips = from_network(model.decode(codes, torch.arange(8.0)).detach()).numpy()
        fake = np.stack([colours(clip) for clip in clips])
        assert one.fvd == pytest.approx(frechet_from_features(real, fake), rel=1e-2)
    assert result.best == min(result.checkpoints, key=lambda one: one.fvd).step


def test_a_video_gan(trained):
    """The last checkpoint's videos are those of the model folder."""
    from moviola.models.catalog import load_generator

    result = score_checkpoints(trained / "freqmotion" / "runs" / "generator", 5, quiet=True)
    model = load_generator(trained / "freqmotion")
    clips = [from_network(torch.cat(list(model.stream(0, k, model.num_frames)))).numpy() for k in range(5)]
    fake = np.stack([colours(clip) for clip in clips])
    from moviola.core.seeds import numpy_generator

    _, samples = find("freqmotion_debug")(None).build()
    real = np.stack([colours(samples.sample(numpy_generator(0, "real", k))["frames"]) for k in range(5)])
    # the folder holds half-precision weights
    assert result.checkpoints[-1].fvd == pytest.approx(frechet_from_features(real, fake), rel=2e-2)
    assert result.folder.name == "generator" and result.n_real == 5


def test_printed(trained, capsys):
    """A line a checkpoint; one object with --json, the same figures."""
    words = ["evaluate", "--checkpoints", str(trained / "inrv"), "--num", "4", "--device", "cpu"]
    assert run(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "fvd of 4 videos of each checkpoint against 4 training clips (inrv_debug)"
    assert lines[1].split() == ["step", "fvd", "checkpoint"] and len(lines) == 4
    assert sum("lowest" in line for line in lines) == 1
    assert run([*words, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert [one["step"] for one in values["checkpoints"]] == [2, 4] and values["best"] in (2, 4)
    for line, one in zip(lines[2:], values["checkpoints"], strict=True):
        assert line.split()[:2] == [str(one["step"]), f"{one['fvd']:.2f}"]
    assert run([*words, "--quiet"]) == 0 and capsys.readouterr().out == ""


def test_other_data(trained, tmp_path):
    """A setting of the run can be changed; what does not exist is named."""
    assert score_checkpoints(trained / "inrv", 4, settings=["data.limit=16"], quiet=True).n_real == 4
    with pytest.raises(ConfigError, match="no data at"):
        score_checkpoints(trained / "inrv", 4, settings=[f"data.path={tmp_path / 'moved'}"], quiet=True)
    with pytest.raises(InputError, match="paht"):
        score_checkpoints(trained / "inrv", 4, settings=["data.paht=x"], quiet=True)


def test_runs_that_cannot_be_compared(trained, tmp_path, monkeypatch):
    """One line each."""
    with pytest.raises(InputError, match="holds no training run"):
        score_checkpoints(tmp_path, 4)
    with pytest.raises(ConfigError, match="at least 2 videos"):
        score_checkpoints(trained / "inrv", 1)
    (tmp_path / "run.json").write_text('{"recipe": "textgan_debug"}')
    with pytest.raises(InputError, match="a run of textgan_debug; checkpoints of freqmotion and inrv runs"):
        score_checkpoints(tmp_path, 4)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(InputError, match="no config of a run"):
        score_checkpoints(tmp_path, 4)
    text = (trained / "inrv/runs/model/run.json").read_text()
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InputError, match="holds no checkpoint"):
        score_checkpoints(tmp_path, 4)
    for name in ("first", "next"):
        (tmp_path / "two/runs" / name).mkdir(parents=True)
        (tmp_path / "two/runs" / name / "run.json").write_text(text)
    with pytest.raises(InputError, match="holds the runs first and next; give one of them"):
        score_checkpoints(tmp_path / "two", 4)

    def missing(cls, *rest):
        raise WeightsError('fvd needs the i3d weights: run "moviola models fetch i3d"')

    monkeypatch.setattr(I3DExtractor, "load", classmethod(missing))
    with pytest.raises(WeightsError, match="models fetch i3d"):
        score_checkpoints(trained / "inrv", 4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--num", "4"], "--num goes with --checkpoints RUN"),
        (["real", "fake", "--checkpoints", "x"], "leave REAL out"),
        (["--metrics", "kvd", "--checkpoints", "x"], "leave --metrics out"),
        (["--checkpoints", "x", "--sanity"], "leave --sanity out"),
        (["--checkpoints", "x"], "x holds no training run"),
    ],
)
def test_words_that_do_not_go_together(words, said, tmp_path, monkeypatch, capsys):
    """Exit 2 and one line."""
    monkeypatch.chdir(tmp_path)
    assert run(["evaluate", *words, "--device", "cpu"]) == 2
    printed = capsys.readouterr()
    assert said in printed.err and printed.err.count("\n") == 1 and printed.out == ""
