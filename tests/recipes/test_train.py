"""Recipes: complete configs, model folders, resuming, and what does not fit."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from moviola.core.errors import ConfigError, OutputError, UnknownNameError, WeightsError
from moviola.core.video import Video
from moviola.models.textvideo import TextToVideo
from moviola.pipelines.generate import generate
from moviola.recipes.base import DataConfig
from moviola.recipes.catalog import CATALOG, FAMILIES, find
from moviola.recipes.train import train
from moviola.training import checkpoint

SHORT = [
    "trainer.steps=4",
    "trainer.save_every=2",
    "trainer.sample_every=4",
    "trainer.batch=4",
    "trainer.tensorboard=false",
]


def test_catalog():
    """Every recipe is a described function of its own name; wrong names meet the nearest."""
    assert {"textgan_debug", "nextframe_debug", "textgan_sprites", "nextframe_sprites"} <= set(CATALOG)
    for name in CATALOG:
        assert find(name).__name__ == name and find(name).__doc__
    for family, names in FAMILIES.items():
        module = importlib.import_module(f"moviola.recipes.{family}")
        assert tuple(recipe.__name__ for recipe in module.RECIPES) == names
    with pytest.raises(UnknownNameError, match="nextframe_debug"):
        find("nextframe_debgu")


DRAWN = ("_debug", "_toy", "_digits", "_icons", "textgan_faithful")  # they need no data


@pytest.mark.parametrize("name", [n for n in CATALOG if not n.endswith(DRAWN)])
def test_recipes_name_missing_data(name, tmp_path):
    """No path, or one that is not there: said before anything is built."""
    with pytest.raises(ConfigError, match="--data"):
        find(name)(None)
    with pytest.raises(ConfigError, match="no data at"):
        find(name)(tmp_path / "no")


@pytest.mark.parametrize(
    "name",
    [
        "textgan_sprites",
        "nextframe_sprites",
        "nextframe_sprites_concat",
        "textgan_actions",
        "nextframe_actions",
        "nextframe_faithful",
        "nextframe_unet3d",
        "nextframe_gan_actions",
        "nextframe_gan_authors",
    ],
)
def test_recipes_on_real_data(name, shared):
    """They are whole configs that build and survive JSON; one step's batch goes through the network."""
    kind = "sprites" if "sprites" in name else "weizmann"
    run = find(name)(shared / "media" / "datasets" / kind)
    run = run.with_overrides(["trainer.sample_every=0"])
    assert type(run).make(json.loads(run.to_json())) == run and run.recipe == name
    objective, samples = run.build()
    from moviola.core.seeds import numpy_generator
    from moviola.data.loader import collate

    batch = collate([samples.sample(numpy_generator(0, i)) for i in range(2)])
    with torch.no_grad():
        if run.part == "first":
            made = objective.modules["first"](batch["slots"], torch.zeros(2, run.model.latent))
        else:
            history = torch.zeros(2, run.model.history, 3, 64, 64)
            made = objective.modules["next"](history, batch["count"], batch["slots"])
    assert made.shape == (2, 3, 64, 64)


def test_both_parts_make_a_model(tmp_path):
    """Two runs into one folder: a model that loads, half precision, and the runs' files beside it."""
    out = tmp_path / "model"
    for name, part in (("textgan_debug", "first"), ("nextframe_debug", "next")):
        trained = train(find(name)(None).with_overrides(SHORT), out, quiet=True)
        assert (trained.output, trained.part, trained.steps, trained.resumed_from) == (out, part, 4, 0)
        run = out / "runs" / part
        assert {p.name for p in run.iterdir()} == {"run.json", "log.jsonl", "checkpoints", "samples"}
        assert list(checkpoint.steps(run / "checkpoints")) == [2, 4]
        state = checkpoint.read(checkpoint.latest(run / "checkpoints"))
        saved = load_file(str(out / part / "model.safetensors"))
        for key, tensor in saved.items():  # the averaged weights, halved
            assert torch.equal(tensor, state["ema"][part][key].to(tensor.dtype))
    model = TextToVideo.from_pretrained(out)
    assert (
        model.first is not None
        and model.config.size == 32
        and model.config.grammar.sizes == model.next.config.slots
    )


@pytest.mark.parametrize("clips", [4, 20])
@pytest.mark.parametrize("part", ["first", "next"])
def test_videos_of_ones_own(tmp_path, monkeypatch, part, clips):
    """Short captioned clips, few or enough to hold some out: trains, previews, and generates from its captions."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "data"
    data.mkdir()
    for k in range(clips):
        Video(np.full((3, 32, 32, 3), 10 * k, np.uint8), 10).save(data / f"{k}.gif")
    lines = [
        json.dumps({"file": f"{k}.gif", "caption": f"a {'dark' if k < 9 else 'light'} square"})
        for k in range(clips)
    ]
    (data / "captions.jsonl").write_text("\n".join(lines))
    sizes = ["data.size=32", "model.size=32", "model.widths=[8,8,8,8]", "model.condition=8"]
    sizes += ["critic.size=32", "critic.widths=[8,8,8,8]"] if part == "first" else []
    recipe = find({"first": "textgan_videos", "next": "nextframe_videos"}[part])
    train(recipe(data).with_overrides([*SHORT, *sizes]), tmp_path / "m", quiet=True)
    assert len(list((tmp_path / "m" / "runs" / part / "samples").glob("*.png"))) == 1
    if part == "next":
        video = generate("a dark square", model=tmp_path / "m", image=data / "0.gif", frames=5)
        assert video.frames.shape == (5, 32, 32, 3)


@pytest.mark.parametrize("channels_last", ["false", "true"])
@pytest.mark.parametrize("name", [n for n in CATALOG if n.endswith("_debug")])
def test_bf16(tmp_path, name, channels_last):
    """Every family takes a step in bf16 on a CPU: losses and gradients are finite, and so are the weights."""
    few = ["trainer.steps=1", "trainer.batch=2", "trainer.sample_every=0", "trainer.tensorboard=false"]
    few += ["trainer.precision=bf16", f"trainer.channels_last={channels_last}"]
    trained = train(find(name)(None).with_overrides(few), tmp_path / "m", quiet=True)
    state = checkpoint.read(checkpoint.latest(tmp_path / "m" / "runs" / trained.part / "checkpoints"))
    weights = [tensor for module in state["modules"].values() for tensor in module.values()]
    assert trained.steps == 1 and all(tensor.isfinite().all() for tensor in weights)


def test_resume_through_the_recipe_is_bit_exact(tmp_path):
    """Stopped after the second of four steps by asking for two, then resumed for four."""
    recipe = find("nextframe_debug")
    train(recipe(None).with_overrides(SHORT), tmp_path / "a", quiet=True)
    train(recipe(None).with_overrides([*SHORT, "trainer.steps=2"]), tmp_path / "b", quiet=True)
    trained = train(recipe(None).with_overrides(SHORT), tmp_path / "b", resume=True, quiet=True)
    assert trained.resumed_from == 2
    tensors = [
        load_file(str(checkpoint.latest(tmp_path / f / "runs/next/checkpoints") / "state.safetensors"))
        for f in "ab"
    ]
    assert all(torch.equal(t, tensors[1][k]) for k, t in tensors[0].items() if not k.startswith("rng"))
    assert (tmp_path / "a/next/model.safetensors").read_bytes() == (
        tmp_path / "b/next/model.safetensors"
    ).read_bytes()


def test_folders_that_are_taken(tmp_path):
    """A run is not overwritten, a changed network not resumed, another model's folder not shared."""
    run = find("nextframe_debug")(None).with_overrides(SHORT)
    train(run, tmp_path / "m", quiet=True)
    with pytest.raises(OutputError, match="--resume"):
        train(run, tmp_path / "m", quiet=True)
    with pytest.raises(ConfigError, match="another model"):
        train(run.with_overrides(["model.condition=16"]), tmp_path / "m", resume=True, quiet=True)
    other = find("textgan_debug")(None).with_overrides(
        [*SHORT, "data.size=16", "model.size=16", "critic.size=16"]
    )
    with pytest.raises(WeightsError, match="another size"):
        train(other, tmp_path / "m", quiet=True)


def test_folders_that_cannot_be_made(tmp_path):
    """The parent must exist; a file is no folder."""
    run = find("nextframe_debug")(None).with_overrides(SHORT)
    with pytest.raises(OutputError, match="no folder"):
        train(run, tmp_path / "no" / "m")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot make"):
        train(run, tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("nextframe_debug", ["model.slots=[3,3]"], "slots"),
        ("nextframe_debug", ["model.size=64"], "32 wide and the network's 64"),
        ("nextframe_debug", ["data.size=64"], "64 wide and the network's 32"),
        ("nextframe_gan_debug", ["objective.pixel.pool=2"], "pool"),
        ("textgan_debug", ["critic.slots=[3]"], "critic"),
        ("textgan_debug", ["critic.size=64"], "critic"),
        ("textgan_debug", ["trainer.accumulate=3"], "accumulate"),
        ("nextframe_gan_debug", ["critic.size=64"], "critic.size is 64 and model.size 32"),
        ("nextframe_gan_debug", ["objective.critic_steps=3"], "critic_steps 3"),
    ],
)
def test_settings_that_do_not_fit(name, changes, words, tmp_path):
    """Said in one line before training, not as an index out of range in its middle."""
    run = find(name)(None).with_overrides([*SHORT, *changes])
    with pytest.raises(ConfigError, match=words) as error:
        train(run, tmp_path / "m", quiet=True)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("kind", ["digits", "icons"])
def test_held_out_scenes_share_the_words(kind):
    """Those held out are said in the words of the training clips, and are other pictures."""
    data = DataConfig(kind=kind, size=32, count=12)
    clips, held = data.open(), data.open(held=True)
    assert held.grammar == clips.grammar
    mine, other = clips.of(3), held.of(3)
    assert not np.array_equal(mine.read(np.arange(24)), other.read(np.arange(24)))


@pytest.mark.parametrize("part", ["next", "first"])
def test_a_run_starts_from_a_trained_part(part, tmp_path):
    """With `start`, a run of no steps ends with the given weights (and with others without it)."""
    name = "nextframe_debug" if part == "next" else "textgan_debug"
    train(find(name)(None).with_overrides(SHORT), tmp_path / "one", quiet=True)
    rate = ["objective.learning_rate=1e-12", "trainer.steps=1", "trainer.sample_every=0"]
    if part == "next":
        rate.append("objective.weight_decay=0")
    start = [f"start={tmp_path / 'one' / part}"]
    train(find(name)(None).with_overrides([*SHORT, *rate, *start]), tmp_path / "two", quiet=True)
    train(find(name)(None).with_overrides([*SHORT, *rate]), tmp_path / "three", quiet=True)
    one, two, three = (load_file(tmp_path / n / part / "model.safetensors") for n in ("one", "two", "three"))
    apart = [max(float((one[k].float() - x[k].float()).abs().max()) for k in one) for x in (two, three)]
    assert apart[0] < 1e-3 < apart[1]
    with pytest.raises(WeightsError, match="nowhere"):
        train(find(name)(None).with_overrides([*SHORT, "start=nowhere"]), tmp_path / "four", quiet=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("objective.flow=1", "objective.flow needs a network with model.affine"),
        ("objective.warp=1", "objective.warp needs a network with model.affine"),
        (
            "objective.history_dropout=0.1",
            "objective.history_dropout needs a network with model.memory, model.affine",
        ),
        ("other_look=0.1", "other_look needs a network with model.memory, model.affine or model.periods"),
        ("other_past=0.1", "other_past needs a network with model.memory, model.affine or model.periods"),
    ],
)
def test_terms_without_what_they_teach_are_refused(change: str, message: str):
    """A weight that would do nothing is an error, in one line."""
    run = find("nextframe_digits")(None).with_overrides(
        ["model.affine=0", "model.memory=0", "model.periods=[]", "objective.warp=0", "objective.flow=0",
         "objective.history_dropout=0", "other_look=0", change]
    )  # fmt: skip
    with pytest.raises(ConfigError, match=message):
        run.build()
