"""The recipes of the drawn toys and of the authors' form."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from moviola.core.errors import ConfigError
from moviola.core.seeds import numpy_generator
from moviola.data.loader import FirstFrames
from moviola.models.textgan import GanClsGenerator, load_first_frame
from moviola.nn import captions
from moviola.recipes.base import DataConfig
from moviola.recipes.catalog import CATALOG, find
from moviola.recipes.train import next_command, train
from moviola.training import checkpoint

SHORT = ["trainer.steps=4", "trainer.save_every=2", "trainer.sample_every=4", "trainer.tensorboard=false"]
SMALL = ["model.width=32", "model.latent=8", "model.embedding=8", "critic.width=8", "data.count=24"]


def test_a_small_run_of_the_authors_form(tmp_path):
    """It fills the folder's `first`, with the captions' words, and previews what it draws."""
    run = find("textgan_faithful_debug")(None).with_overrides(SHORT)
    assert type(run).make(json.loads(run.to_json())) == run
    train(run, tmp_path / "m", quiet=True)
    network = load_first_frame(tmp_path / "m" / "first")
    assert isinstance(network, GanClsGenerator) and network.config.slots == run.data.open().grammar.sizes
    saved = load_file(str(tmp_path / "m" / "first" / "model.safetensors"))
    state = checkpoint.read(checkpoint.latest(tmp_path / "m" / "runs" / "first" / "checkpoints"))
    assert all(torch.equal(t, state["modules"]["first"][k].to(t.dtype)) for k, t in saved.items())
    assert len(list((tmp_path / "m" / "runs" / "first" / "samples").glob("*.png"))) == 1


def test_resume_is_bit_exact(tmp_path):
    """Two of four steps, then the rest."""
    for name, legs in (("a", (4,)), ("b", (2, 4))):
        for steps in legs:
            run = find("textgan_faithful_debug")(None).with_overrides([*SHORT, f"trainer.steps={steps}"])
            train(run, tmp_path / name, resume=True, quiet=True)
    folders = [checkpoint.latest(tmp_path / f / "runs/first/checkpoints") for f in "ab"]
    a, b = (load_file(str(folder / "state.safetensors")) for folder in folders)
    assert a.keys() == b.keys()
    assert all(torch.equal(t, b[k]) for k, t in a.items() if not k.startswith("rng"))


def test_the_authors_settings():
    """Adam 2e-4 and 0.5, gradients up to 10, 50 epochs of ranking, half the rate every 100 epochs."""
    run = find("textgan_faithful")(None)
    epoch = run.data.count // run.trainer.batch
    assert epoch * run.trainer.batch == run.data.count
    c = run.objective
    assert (c.learning_rate, c.betas[0], c.margin, c.ranking_steps) == (2e-4, 0.5, 0.2, 50 * epoch)
    assert run.trainer.clip == 10
    factors = [run.trainer.schedule.factor(100 * epoch * k + d, 1) for k in (1, 2) for d in (-1, 0)]
    assert factors == [1, 0.5, 0.5, 0.25]


def test_other_data_by_a_setting(tmp_path):
    """Slots, sizes and epochs follow the data and the batch, but for what is set besides."""
    run = find("textgan_faithful")(None)
    icons = run.with_overrides(["data.kind=icons", "data.size=32", "data.count=40", "trainer.batch=16"])
    assert icons.model.slots == DataConfig(kind="icons", count=40).open().grammar.sizes != run.model.slots
    assert (icons.model.size, icons.critic.size) == (32, 32)
    assert (icons.objective.ranking_steps, icons.trainer.schedule.every) == (150, 300)  # 3 steps an epoch
    set_besides = ["data.count=40", "objective.ranking_steps=7", "trainer.schedule.every=9"]
    run = run.with_overrides(set_besides)
    assert (run.objective.ranking_steps, run.trainer.schedule.every) == (7, 9)
    with pytest.raises(ConfigError, match=r"data\.cuont.*data\.count"):
        run.with_overrides(["data.cuont=40"])
    with pytest.raises(ConfigError, match=r"critic\.size"):
        run.with_overrides(["critic.size=32"]).build()


def test_icons_train(tmp_path):
    """The authors' form on icons, in small sizes, through the recipe."""
    settings = ["data.kind=icons", "data.size=16", "trainer.batch=4", "trainer.sample_every=0"]
    train(
        find("textgan_faithful")(None).with_overrides([*SHORT, *SMALL, *settings]),
        tmp_path / "m",
        quiet=True,
    )
    assert load_first_frame(tmp_path / "m" / "first").config.size == 16


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["digits", "icons"])
def test_drawn_toys(kind, tmp_path):
    """Our form on drawn digits and icons: a whole config, one step of it, a frame of the right size."""
    run = find(f"textgan_{kind}")(None)
    assert (run.data.kind, run.model.size, run.trainer.steps) == (kind, 64, 8000)
    few = ["trainer.steps=1", "trainer.batch=2", "trainer.sample_every=0", "trainer.save_every=0"]
    train(run.with_overrides(few), tmp_path / "m", quiet=True)
    network = load_first_frame(tmp_path / "m" / "first")
    with torch.no_grad():
        made = network(
            torch.ones(1, len(run.model.slots), dtype=torch.int64), torch.zeros(1, run.model.latent)
        )
    assert made.shape == (1, 3, 64, 64)


@pytest.mark.parametrize("kind", ["digits", "icons"])
def test_a_mismatched_caption_is_of_another_clip(kind):
    """The frame is the first one of a clip with its caption; the other caption is another one of the data."""
    clips = DataConfig(kind=kind, size=32, count=24).open()
    samples = FirstFrames(clips)
    made = [clips.of(index) for index in range(24)]
    known = {tuple(clip.slots) for clip in made}
    pairs = {(tuple(clip.slots), clip.read(np.array([0]))[0].tobytes()) for clip in made}
    for n in range(60):
        sample = samples.sample(numpy_generator(0, n))
        assert (tuple(sample["slots"]), sample["frame"].tobytes()) in pairs
        assert tuple(sample["other"]) in known
        assert not np.array_equal(sample["other"], sample["slots"])


def test_what_comes_next(tmp_path):
    """The command that goes on names a recipe that exists."""
    from moviola.models.textvideo import write_manifest

    for name in ("textgan_debug", "textgan_faithful_debug", "textgan_digits"):
        run = find(name)(None)
        write_manifest(run.manifest(), tmp_path / name)
        assert next_command(run, tmp_path / name).split()[2] in CATALOG


def test_sentences_learn_by_the_grammar_of_the_data(monkeypatch):
    """`--set model.caption_encoder=sentence` needs no more: the data's grammar says the texts, also to the critic."""
    said = []

    def encode(captions):
        said.extend(captions)
        return np.ones((len(captions), 384), np.float32)

    monkeypatch.setattr(captions, "_minilm", lambda: encode)
    pairs = ["model.caption_encoder=sentence", "critic.caption_encoder=sentence", "trainer.sample_every=0"]
    run = find("textgan_debug")(None).with_overrides(pairs)
    objective, samples = run.build()
    sample = samples.sample(numpy_generator(0, 0))
    for name in ("first", "critic"):
        objective.modules[name].caption(torch.from_numpy(sample["slots"])[None])
    assert said == [run.data.open().grammar.caption(sample["slots"])] * 2


def test_sentences_without_their_network(monkeypatch, tmp_path):
    """A run stops before it has written a model, with the line that says what to fetch."""
    from moviola.core.errors import WeightsError
    from moviola.nn.pretrained import store

    def missing(name, asked):
        raise WeightsError(f"{asked} needs the {name} weights")

    captions._minilm.cache_clear()
    monkeypatch.setattr(store, "find_weights", missing)
    run = find("textgan_faithful_debug")(None).with_overrides([*SHORT, "model.caption_encoder=sentence"])
    with pytest.raises(WeightsError, match="minilm"):
        train(run, tmp_path / "m", quiet=True)
    assert not [p for p in (tmp_path / "m").rglob("*") if p.is_file()]
