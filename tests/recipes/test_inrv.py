"""Recipes of INR-V: from no data and from videos, with frozen networks beside, resumed, under two processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from moviola.core.errors import ConfigError, InputError, WeightsError
from moviola.core.notes import Note
from moviola.core.paths import cache_dir
from moviola.core.video import Video
from moviola.data import codec
from moviola.metrics.i3d import I3DExtractor
from moviola.models.catalog import load_generator
from moviola.nn.pretrained.lpips import LPIPS
from moviola.recipes.catalog import find
from moviola.recipes.inrv import inrv_actions, inrv_paper, inrv_smileys, inrv_videos
from moviola.recipes.train import next_command, train
from moviola.training import checkpoint, frame_embeddings

SHORT = [
    "trainer.steps=4", "trainer.save_every=2", "trainer.sample_every=0", "trainer.batch=4", "trainer.tensorboard=false",
    "prior_steps=3",
]  # fmt: skip
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture
def videos(tmp_path, monkeypatch):
    """A folder of two clips of noise, one of them named in a list file."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "videos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, frames in (("a.npz", 30), ("b.npz", 20)):
        pixels = rng.integers(0, 256, (frames, 24, 40, 3), dtype=np.uint8)
        codec.write(Video(pixels, 12), folder / name)
    (folder / "list.txt").write_text("b.npz\t\tsome noise\n")
    return folder


def short(path=None, *changes: str):
    """The debug recipe, shorter."""
    return find("inrv_debug")(path).with_overrides([*SHORT, *changes])


def test_from_nothing_to_a_model_folder(tmp_path):
    """The folder draws videos, knows its clips, and what comes next is said."""
    run = short()
    train(run, tmp_path / "m", quiet=True)
    model = load_generator(tmp_path / "m")
    assert next(model.stream(0, 0, 5)).shape == (5, 3, 16, 16)
    assert len(model.config.captions) == 16 and torch.allclose(model.codes, model.codebook)
    assert model.row_of(model.config.captions[7]) == 7
    assert next_command(run, tmp_path / "m") == f"moviola sample {tmp_path / 'm'} -o DIR"


def test_resumed_is_the_uninterrupted_run(tmp_path):
    """Two steps, then two more: the same model folder, byte for byte."""
    train(short(), tmp_path / "whole", quiet=True)
    train(short(None, "trainer.steps=2"), tmp_path / "parts", quiet=True)
    train(short(), tmp_path / "parts", resume=True, quiet=True)
    whole, parts = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_it_learns(tmp_path):
    """The debug recipe as it stands: the loss falls well below that of the first steps."""
    run = find("inrv_debug")(None).with_overrides(
        ["trainer.log_every=5", "trainer.sample_every=0", "prior_steps=5"]
    )
    train(run, tmp_path / "m", quiet=True)
    log = [json.loads(line)["model/l1"] for line in (tmp_path / "m/runs/model/log.jsonl").open()]
    assert np.mean(log[-2:]) < 0.6 * log[0]


def test_anyones_videos(tmp_path, videos):
    """Files of any size and list files; too few frames are one line."""
    train(short(videos), tmp_path / "m", quiet=True)
    assert load_generator(tmp_path / "m").config.captions == ("a", "b")
    assert float(load_generator(tmp_path / "m").fps) == 12
    train(short(videos / "list.txt", "data.stride=2"), tmp_path / "n", quiet=True)
    assert load_generator(tmp_path / "n").config.captions == ("some noise",)
    train(short(videos, 'data.leave_out=["a*"]'), tmp_path / "o", quiet=True)
    assert load_generator(tmp_path / "o").config.captions == ("b",)
    with pytest.raises(InputError, match="no clip of 36 frames"):
        short(videos, "data.stride=5").build()


def test_intervals_of_one_long_video(tmp_path, videos):
    """Each is a clip of the model, by its name; the file is given as it is, or in a list."""
    train(short(videos / "a.npz", "data.interval=10"), tmp_path / "m", quiet=True)
    model = load_generator(tmp_path / "m")
    assert model.config.captions == ("a @0", "a @10", "a @20") and model.row_of("a @10") == 1
    run = short(videos, "data.interval=10", 'data.leave_out=["b*"]', "data.hold_out=3", "data.limit=3")
    assert run.data.open(16, 16, 8).captions == ("a @0", "a @10")
    held = run.with_overrides(["data.leave_out=[]"]).data.open(16, 16, 8, held=True)
    assert held.captions == ("a @20",)
    run = short(videos / "list.txt", "data.interval=8")
    with pytest.warns(Note, match="4 of 20 frames"):
        assert run.data.open(16, 16, 8).captions == ("some noise @0", "some noise @8")
    with pytest.raises(InputError, match="leaves no file to train on") as raised:
        short(videos, 'data.leave_out=["*"]').build()
    assert "\n" not in str(raised.value)


def test_intervals_that_cannot_be(tmp_path, videos, capsys):
    """On the command line: exit code 2, and one line."""
    from moviola.cli.main import run

    for value, words in (("-1", "data.interval"), ("4", "b.npz has no clip of 36 frames")):
        changes = ["--set", f"data.interval={value}", "--set", "data.stride=5"]
        assert (
            run(["train", "inrv_debug", "--data", str(videos / "b.npz"), "-o", str(tmp_path / "m"), *changes])
            == 2
        )
        (line,) = capsys.readouterr().err.splitlines()
        assert words in line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["objective.clip_frames=9"], "clip_frames 9 is more than the model's 8"),
        (["model.decoder=conv"], "draws whole frames"),
        (["objective.lpips=0.7"], "compares whole frames"),
        (["objective.lpips=0.7", "objective.points=0"], "at least 31 px, not 16x16"),
        (["model.condition=8"], "set data.embedder"),
        (["model.encoder=[]"], "needs an encoder"),
        (["keep=best"], "set objective.fvd_every"),
        (["model.height=32"], "set model.height and model.width alike"),
    ],
)
def test_settings_that_do_not_fit(changes, words):
    """One line each."""
    with pytest.raises(ConfigError, match=words) as raised:
        short(None, *changes).build()
    assert "\n" not in str(raised.value)


# -- frozen networks ----------------------------------------------------------------------------------


LARGE = [
    "model.height=32",
    "model.width=32",
    "objective.points=0",
    "objective.lpips=0.5",
    "objective.clip_frames=2",
]


def test_the_perceptual_loss_without_its_weights(tmp_path, monkeypatch):
    """What is missing, and how to give it or do without."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(
        WeightsError, match=r"--set perceptual\.backbone=FILE, or set objective\.lpips=0"
    ) as raised:
        short(None, *LARGE).build()
    assert "\n" not in str(raised.value)
    with pytest.raises(WeightsError, match=r"nothing\.pth"):
        short(None, *LARGE, f"perceptual.backbone={tmp_path / 'nothing.pth'}").build()


def test_the_perceptual_loss(tmp_path):
    """With both parts as files: its term is in the log, its network is not in the checkpoints."""
    torch.manual_seed(0)
    state = LPIPS("alex").state_dict()
    torch.save({k: v for k, v in state.items() if k.startswith("features.")}, tmp_path / "backbone.pth")
    heads = {
        f"lin{k}.model.1.weight": torch.rand_like(state[f"heads.{k}"])[None, :, None, None] for k in range(5)
    }
    torch.save(heads, tmp_path / "heads.pth")
    files = [f"perceptual.backbone={tmp_path / 'backbone.pth'}", f"perceptual.heads={tmp_path / 'heads.pth'}"]
    train(short(None, *LARGE, *files, "trainer.log_every=1"), tmp_path / "m", quiet=True)
    log = [json.loads(line) for line in (tmp_path / "m/runs/model/log.jsonl").open()]
    for line in log:
        expected = line["model/l1"] + 0.5 * line["model/lpips"] + 1e-4 * line["model/kl"]
        assert line["model/lpips"] > 0 and line["model/loss"] == pytest.approx(expected, rel=1e-3)
    state = checkpoint.read(checkpoint.latest(tmp_path / "m/runs/model/checkpoints"))
    assert not any("lpips" in key or "features" in key for key in state["modules"]["model"])


class Colours:
    """Stands in for a frame network: each frame's mean colour, and counts its videos."""

    videos = 0

    def __call__(self, video):
        Colours.videos += 1
        return (video.frames.mean((1, 2)) / 255).astype(np.float32)


def test_frame_embeddings(tmp_path, videos, monkeypatch):
    """Computed once and then read; the model's condition takes their size, its codes hold both."""
    monkeypatch.setattr(frame_embeddings, "load_embedder", lambda *rest: (Colours(), {"network": "colours"}))
    Colours.videos = 0
    for name in ("m", "n"):
        train(short(videos, "data.embedder=colours"), tmp_path / name, quiet=True)
        assert Colours.videos == 2
    model = load_generator(tmp_path / "m")
    assert model.config.condition == 3 and model.condition.gru.input_size == 3
    objective, _ = short(videos, "data.embedder=colours").build()
    expected = [objective.clips.read(k).mean((1, 2)) / 255 for k in range(2)]
    assert np.allclose(objective.embeddings.float(), np.stack(expected), atol=1e-3)
    with torch.no_grad():
        joined = model.condition(model.codebook, objective.embeddings.float())
    assert torch.allclose(model.codes, joined, atol=5e-3)
    (path,) = (tmp_path / "cache" / "embeddings").iterdir()
    path.write_bytes(b"half a file")
    short(videos, "data.embedder=colours").build()
    assert Colours.videos == 4
    with pytest.raises(ConfigError, match=r"model\.condition is 5; the embeddings of data\.embedder have 3"):
        short(videos, "data.embedder=colours", "model.condition=5").build()


def test_no_embedder(videos):
    """A name that is neither a folder nor of the hub is one line."""
    with pytest.raises(InputError, match=r"data\.embedder") as raised:
        short(videos, "data.embedder=no such folder").build()
    assert "\n" not in str(raised.value)


def test_the_offline_embedder(videos, monkeypatch):
    """Pooled features of efficientnet-lite0, as the metrics have them."""
    from moviola.nn.pretrained.store import locate

    with monkeypatch.context() as outside:
        outside.delenv("MOVIOLA_CACHE")
        weights = cache_dir() / "weights"
    if weights.is_dir():
        cache_dir().mkdir(exist_ok=True)
        (cache_dir() / "weights").symlink_to(weights)
    if locate("efficientnet-lite0")[0] == "missing":
        pytest.skip("the weights are not here: moviola models fetch efficientnet-lite0")
    objective, _ = short(videos, "data.embedder=efficientnet-lite0").build()
    assert objective.embeddings.shape == (2, 8, 1280) and objective.model.config.condition == 1280


class Growing:
    """Stands in for I3D: the real clips have small features, drawn ones larger and larger ones."""

    calls = 0

    def __call__(self, sample):
        Growing.calls += 1
        rng = np.random.default_rng(Growing.calls)
        return {"logits": rng.standard_normal(2).astype(np.float32) + Growing.calls // 3}


def test_the_best_weights_become_the_model(tmp_path, monkeypatch):
    """Where the run is to keep them; else the last ones do, and the folder of the best stands beside."""
    monkeypatch.setattr(I3DExtractor, "load", classmethod(lambda cls, *rest: Growing()))
    toy = ["model.frames=10", "objective.fvd_every=1", "objective.fvd_samples=3", "trainer.ema=0.5"]
    for name, changes in (("best", ["keep=best"]), ("last", []), ("first", ["trainer.steps=1"])):
        Growing.calls = 0
        train(short(None, *toy, *changes), tmp_path / name, quiet=True)
    best, last, first = (load_file(tmp_path / n / "model.safetensors") for n in ("best", "last", "first"))
    held = json.loads((tmp_path / "last/runs/model/best/best.json").read_text())
    assert held["step"] == 1
    for key in ("codebook", "decoder.hyper.last.weight"):
        assert torch.equal(best[key], first[key]) and not torch.equal(best[key], last[key])
    assert torch.equal(best["codes"], best["codebook"])


# -- recipes as they stand ----------------------------------------------------------------------------


def test_settings_of_the_paper(videos):
    """A latent of 64 up to 2,000 videos, ten octaves, 0.7 LPIPS, Adam 1e-4, stages of 10 to 10,000."""
    run = inrv_paper(videos)
    m, c = run.model, run.objective
    assert (m.frames, m.height, m.width, m.latent, m.octaves, m.nyquist) == (25, 100, 100, 64, 10, False)
    assert (m.decoder, m.hidden, m.layers, m.grid, m.init_std) == ("hyper", 256, 4, "corners", 0.01)
    assert (c.lpips, c.learning_rate, c.latent_rate, c.points, c.clip_frames) == (0.7, 1e-4, 1e-4, 0, 0)
    assert [stage.videos for stage in c.stages] == [10, 100, 1000, 10_000]
    assert sum(stage.steps for stage in c.stages) < run.trainer.steps
    many = videos / "many.txt"
    for k in range(2001):
        os.link(videos / "a.npz", videos / f"{k}.npz")
    many.write_text("".join(f"{k}.npz\n" for k in range(2001)))
    assert inrv_paper(many).model.latent == 128


def test_the_others(tmp_path, videos):
    """They need data; the actions leave one person out, in any folder."""
    from moviola.data.sources import open_source

    for recipe in (inrv_paper, inrv_smileys, inrv_videos, inrv_actions):
        with pytest.raises(ConfigError, match="give --data PATH"):
            recipe(None)
        with pytest.raises(ConfigError, match="no data at"):
            recipe(tmp_path / "nothing")
    small = ["model.height=16", "model.width=16", "model.encoder=[4,4]", "model.widths=[8,6,4]"]
    objective, _ = inrv_videos(videos).with_overrides(small).build()
    assert objective.model.config.captions == ("a", "b")
    strips = tmp_path / "strips"
    for folder in ("bend", "wave"):
        (strips / folder).mkdir(parents=True)
        for number in range(3, 7):
            frames = np.zeros((60, 16, 16, 3), np.uint8)
            picture = frames.transpose(1, 0, 2, 3).reshape(16, -1, 3)
            from PIL import Image

            Image.fromarray(picture).save(strips / folder / f"{number:03d}.png")
    assert len(open_source(strips)) == 8
    objective, _ = inrv_actions(strips).with_overrides(small).build()
    assert objective.model.config.captions == ("bend/003", "bend/006", "wave/003", "wave/006")


# -- two processes ------------------------------------------------------------------------------------


def torchrun(*words: str) -> None:
    """Run two CPU processes; fail with what they said."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*TORCHRUN, *words], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    """With half the batch each, stages, encoder and all; and one process goes on with what two have begun."""
    changes = [*SHORT, 'objective.stages=[{"videos":5,"steps":2}]', "trainer.ema=0.5", "prior_steps=0"]

    def words(folder: str, *more: str) -> list[str]:
        pairs = [word for change in [*changes, *more] for word in ("--set", change)]
        return ["train", "inrv_debug", "-o", str(tmp_path / folder), "--device", "cpu", "--quiet", *pairs]

    def state(folder: str, step: int) -> dict[str, torch.Tensor]:
        path = tmp_path / folder / "runs/model/checkpoints" / f"step-{step:08d}"
        return load_file(path / "state.safetensors")

    from moviola.cli.main import run

    assert run(words("one", "trainer.batch=8")) == 0
    torchrun("-m", "moviola", *words("two", "trainer.batch=4", "trainer.steps=2"))
    assert run([*words("two", "trainer.batch=8"), "--resume"]) == 0
    for step in (2, 4):
        one, two = state("one", step), state("two", step)
        assert one.keys() == two.keys()
        for key in one:
            if key.startswith("rng"):
                continue
            # Adam divides by the root of the second moment: where that is rounding alone, so is the step
            far = (one[key].float() - two[key].float()).abs() > 2e-4 + 1e-3 * one[key].float().abs()
            assert float(far.float().mean()) < 0.01, key
    # each row of the codebook was used in the same steps
    used = [
        [value for key, value in state(name, 4).items() if key.endswith("/step") and value.dim() == 2]
        for name in ("one", "two")
    ]
    assert len(used[0]) == 1 and used[0][0].shape == (16, 1) and torch.equal(used[0][0], used[1][0])
