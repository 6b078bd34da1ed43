"""Recipes of the frequency-based motion GAN: from no data and from videos, resumed, under two processes."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from moviola.core.errors import ConfigError, InputError
from moviola.core.video import Video
from moviola.data import codec
from moviola.models.catalog import load_generator
from moviola.recipes.catalog import find
from moviola.recipes.freqmotion import freqmotion_paper, freqmotion_toy
from moviola.recipes.train import next_command, train
from moviola.training import checkpoint
from moviola.training.distributed import Place
from moviola.training.loop import Trainer

SHORT = [
    "trainer.steps=4", "trainer.save_every=2", "trainer.sample_every=0", "trainer.batch=4", "trainer.tensorboard=false",
    "objective.r1_every=2",
]  # fmt: skip


def test_from_nothing_to_a_model_folder(tmp_path):
    """The folder draws videos, and what comes next is said."""
    run = find("freqmotion_debug")(None).with_overrides(SHORT)
    train(run, tmp_path / "m", quiet=True)
    model = load_generator(tmp_path / "m")
    assert next(model.stream(0, 0, 5)).shape == (5, 3, 16, 16)
    assert next_command(run, tmp_path / "m") == f"moviola sample {tmp_path / 'm'} -o DIR"


def test_resumed_is_the_uninterrupted_run(tmp_path):
    """Two steps, then two more: the same model folder, byte for byte."""
    recipe = find("freqmotion_debug")
    train(recipe(None).with_overrides(SHORT), tmp_path / "whole", quiet=True)
    train(recipe(None).with_overrides([*SHORT, "trainer.steps=2"]), tmp_path / "parts", quiet=True)
    train(recipe(None).with_overrides(SHORT), tmp_path / "parts", resume=True, quiet=True)
    whole, parts = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


def under_torchrun(torchrun, out: Path, *settings: str, resume: bool = False) -> dict:
    """Train the recipe in two processes; what the first one said."""
    words = [w for s in (*SHORT, "trainer.threads=1", *settings) for w in ("--set", s)]
    words += ["--resume"] if resume else []
    train_words = ["-m", "moviola", "train", "freqmotion_debug", "-o", str(out), "--json", "--device", "cpu"]
    return json.loads(torchrun(*train_words, *words).stdout)


def weights_of(out: Path) -> dict[str, torch.Tensor]:
    """The tensors of a model folder."""
    return load_file(out / "model.safetensors")


def logged(out: Path) -> list[int]:
    """The steps that a run wrote into its log."""
    lines = (out / "runs" / "generator" / "log.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


@pytest.mark.slow
def test_two_processes_then_one(torchrun, tmp_path, one_thread):
    """What one process takes over is what two wrote, and from there its own resuming is exact."""
    out, copy = tmp_path / "m", tmp_path / "copy"
    said = under_torchrun(torchrun, out, "trainer.steps=2", "trainer.log_every=1")
    assert said["steps"] == 2 and logged(out) == [1, 2]
    shutil.copytree(out, copy)
    written = weights_of(out)
    one = find("freqmotion_debug")(None).with_overrides([*SHORT, "trainer.log_every=1"])
    # nothing left to do: the model folder is written again from the checkpoint
    assert train(one.with_overrides(["trainer.steps=2"]), copy, resume=True, quiet=True).resumed_from == 2
    assert all(torch.equal(written[k], v) for k, v in weights_of(copy).items())
    assert train(one, out, resume=True, quiet=True).resumed_from == 2
    assert logged(out) == [1, 2, 3, 4]
    for steps in (3, 4):
        train(one.with_overrides([f"trainer.steps={steps}"]), copy, resume=True, quiet=True)
    straight, parts = weights_of(out), weights_of(copy)
    assert all(torch.equal(straight[k], parts[k]) for k in straight)
    assert not all(torch.equal(straight[k], written[k]) for k in straight)


@pytest.mark.slow
def test_one_process_then_two(torchrun, tmp_path, one_thread, monkeypatch):
    """Two processes go on from one's checkpoint as two trainers in this process that take the mean of gradients."""
    out, copy = tmp_path / "m", tmp_path / "copy"
    run = find("freqmotion_debug")(None).with_overrides([*SHORT, "trainer.log_every=1"])
    train(run.with_overrides(["trainer.steps=2"]), out, quiet=True)
    shutil.copytree(out, copy)
    assert under_torchrun(torchrun, out, "trainer.log_every=1", resume=True)["resumed_from"] == 2
    assert logged(out) == [1, 2, 3, 4]
    pair = in_threads(run, copy / "runs" / "generator", monkeypatch)
    tensors, _ = checkpoint.flatten(
        checkpoint.read(out / "runs" / "generator" / "checkpoints" / "step-00000004")
    )
    for trainer in pair:
        for name, tensor in checkpoint.flatten(trainer.state())[0].items():
            if not name.startswith("rng"):
                assert torch.allclose(tensor, tensors[name], rtol=1e-4, atol=1e-6), name


def in_threads(run, folder: Path, monkeypatch) -> list[Trainer]:
    """Two trainers that go on from a checkpoint, each in a thread, and wait for each other's gradients."""
    barrier, held = threading.Barrier(2, timeout=120), {}

    def mean(parameters, world):
        own = list(parameters)
        held[threading.get_ident()] = [None if p.grad is None else p.grad.clone() for p in own]
        barrier.wait()
        first, second = held.values()
        for p, a, b in zip(own, first, second, strict=True):
            p.grad = None if a is None else (a + b) / 2
        barrier.wait()

    monkeypatch.setattr("moviola.training.loop.average_gradients", mean)
    monkeypatch.setattr("moviola.training.loop.average_scalars", lambda values, place: values)
    monkeypatch.setattr("moviola.training.loop.any_rank", lambda flag, place: flag)
    monkeypatch.setattr("moviola.training.loop.broadcast", lambda modules, world: None)
    places = [Place(rank, 2, torch.device("cpu")) for rank in (0, 1)]
    trainers = [Trainer(run.trainer, *run.build(), folder, place, quiet=True) for place in places]
    assert all(trainer.resume() for trainer in trainers)
    threads = [threading.Thread(target=trainer.run) for trainer in trainers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return trainers


@pytest.fixture
def one_thread():
    """As the processes of torchrun have."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_anyones_videos(tmp_path, monkeypatch):
    """Files of any size; a folder without a video of enough frames says how many are needed and how many there are."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "videos").mkdir()
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (20, 24, 40, 3), dtype=np.uint8)
    codec.write(Video(frames, 12), tmp_path / "videos" / "a.npz")
    recipe = find("freqmotion_debug")
    train(recipe(tmp_path / "videos").with_overrides(SHORT), tmp_path / "m", quiet=True)
    assert load_generator(tmp_path / "m").height == 16
    with pytest.raises(InputError, match="no video of 31 frames, which 16 frames at a stride of 2 need"):
        train(
            recipe(tmp_path / "videos").with_overrides([*SHORT, "data.stride=2"]), tmp_path / "n", quiet=True
        )


def test_discriminators_must_fit():
    """Another size, more frames than the model makes, a name that is taken."""
    for change in ("critic.time.size=32", "critic.time.frames=17"):
        run = find("freqmotion_debug")(None)
        widths = ["critic.time.widths=[8,8,8,8]"] if "size" in change else []
        with pytest.raises(ConfigError, match=r"critic\.time"):
            run.with_overrides([change, *widths]).build()


def test_a_second_run_can_begin_the_motion_anew(tmp_path):
    """With `start` the generator is the trained one, but for the parts named `fresh`; without it they are refused."""
    first = find("freqmotion_debug")(None)
    trained = first.build()[0].generator
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(1.0)
    trained.save_pretrained(tmp_path / "first")
    second = first.model_copy(update={"start": tmp_path / "first", "fresh": ("banks",)})
    own, untrained = second.build()[0].generator.state_dict(), first.build()[0].generator.state_dict()
    for name, value in trained.state_dict().items():
        assert torch.equal(own[name], (untrained[name] if name.startswith("banks.") else value)), name
    with pytest.raises(ConfigError, match="set start to its folder"):
        first.model_copy(update={"fresh": ("banks",)}).build()


def test_settings_of_the_paper(tmp_path):
    """Batch 8, Adam 2e-3 (in the objective's defaults), EMA 0.5^(8 / 10000), R1 10 every 16, latents of 512."""
    run = freqmotion_paper(tmp_path)
    assert (run.model.size, run.model.content, run.model.motion, run.model.features) == (256, 512, 512, 512)
    assert (run.objective.r1, run.objective.r1_every, run.objective.learning_rate) == (10.0, 16, 2e-3)
    assert run.trainer.ema == pytest.approx(0.99944561, abs=1e-7)
    assert {c.kind for c in run.critic.values()} == {"image", "video"}


def test_banks_of_the_toy_hold_its_frequencies():
    """0.90, 1.80 and 3.59 radians a time unit, each in a bank of its own."""
    run = freqmotion_toy()
    for speed, (low, high) in zip((2, 4, 8), run.model.ranges, strict=True):
        assert low < run.data.toy.omega(speed) < high
