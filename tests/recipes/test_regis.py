"""Recipes of the refiners: what they train on, what they leave, and that every default is what it says."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError
from moviola.core.seeds import numpy_generator
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.corrupt import Mixture
from moviola.models.catalog import load_refiner
from moviola.recipes import regis
from moviola.recipes.catalog import find
from moviola.recipes.train import train

QUICK = [
    "trainer.steps=2",
    "trainer.save_every=2",
    "trainer.sample_every=0",
    "trainer.tensorboard=false",
    "data.count=4",
]


def quick(name, *changes):
    return find(name)(None).with_overrides([*QUICK, *changes])


def write_pairs(folder, seed=0, size=32):
    """Two pairs of a real and a brighter clip."""
    rng = np.random.default_rng(seed)
    for side in ("real", "generated"):
        (folder / side).mkdir(parents=True)
    for i in range(2):
        frames = rng.integers(0, 200, (9, size, size, 3), np.uint8)
        codec.write(Video(frames, 8), folder / "real" / f"{i}.npz")
        codec.write(Video(frames + np.uint8(40), 8), folder / "generated" / f"{i}.npz")
    return folder


@pytest.mark.parametrize("name", ["regis_u_debug", "regis_vq_debug", "regis_fuse_debug"])
def test_debug_recipes_leave_a_refiner(name, tmp_path):
    """A model folder by itself, which `load_refiner` reads."""
    train(quick(name), tmp_path / "refiner", quiet=True)
    network = load_refiner(tmp_path / "refiner")
    video = (
        torch.rand(1, network.config.frames, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    )
    assert network.refine(video).shape == video.shape
    saved = json.loads((tmp_path / "refiner" / "runs" / "refiner" / "run.json").read_text())
    assert saved["recipe"] == name


@pytest.mark.parametrize("recipe", regis.RECIPES, ids=lambda r: r.__name__)
def test_recipes_survive_their_own_json(recipe, tmp_path):
    """A run written and read is the same run."""
    run = recipe(tmp_path)
    assert type(run).make(json.loads(run.to_json())) == run


def test_sizes_of_the_documents(tmp_path):
    """The `_videos` recipes have the originals' sizes."""
    u, vq, fuse = (find(f"regis_{name}_videos")(tmp_path).model for name in ("u", "vq", "fuse"))
    assert (u.dim, u.multipliers, u.frames) == (64, (1, 2, 4, 8), 16)
    assert (vq.codes, vq.code_width, vq.hidden, vq.layers, vq.downsample) == (2048, 256, 240, 4, (4, 4, 4))
    assert (fuse.width, fuse.blocks, fuse.patch, fuse.stride, fuse.frames) == (512, 8, 7, 3, 8)


def test_pairs_are_trained_on(tmp_path):
    """With `paired` of 1 every sample is a real clip and its brighter version; 0 never is."""
    folder = write_pairs(tmp_path / "pairs")
    for paired in (1.0, 0.0):
        data = regis.RefinerDataConfig(path=folder, paired=paired, mixture=Mixture.of("pixels"))
        samples = data.open(4, 32, text=False)
        for i in range(4):
            made = samples.sample(numpy_generator(0, i))
            assert ((made["flawed"].astype(int) - made["clean"] == 40).all()) == bool(paired)


def test_several_folders_of_pairs(tmp_path, monkeypatch):
    """Both are drawn from."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    for i in (0, 1):
        write_pairs(tmp_path / "all" / str(i), seed=i)
    samples = regis.RefinerDataConfig(path=tmp_path / "all", paired=1.0).open(4, 32, text=False)
    means = {round(float(samples.sample(numpy_generator(0, i))["clean"].mean()), 3) for i in range(24)}
    assert len(samples.sets) == 2 and len(means) > 2


def test_crops_and_a_mixture_from_a_file(tmp_path):
    """Pieces of the asked size; the mixture that `moviola data match` writes."""
    (tmp_path / "mixture.json").write_text(Mixture.of("low-bit", strength=(1, 1)).to_json())
    run = quick("regis_u_debug", "data.crop=16", f"data.mixture={tmp_path / 'mixture.json'}")
    made = run.data.open(4, 32, text=True).sample(numpy_generator(0, 0))
    assert made["clean"].shape == (4, 16, 16, 3) and made["tokens"].any()
    assert len(np.unique(made["flawed"])) < 20


def test_adapters(tmp_path):
    """With `lora` the base stays, adapters are kept beside, and the merged network is a plain one that differs."""
    pytest.importorskip("peft")
    train(quick("regis_u_debug"), tmp_path / "base", quiet=True)
    run = quick("regis_u_debug", f"start={tmp_path / 'base'}", "lora=2", "objective.learning_rate=0.01")
    train(run, tmp_path / "mine", quiet=True)
    assert (tmp_path / "mine" / "lora" / "adapter_model.safetensors").is_file()
    base, mine = (load_refiner(tmp_path / name) for name in ("base", "mine"))
    before, after = base.state_dict(), mine.state_dict()
    assert before.keys() == after.keys()
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert moved and all(before[key].dim() > 1 for key in moved)  # weights of layers, no norms and biases
    with pytest.raises(ConfigError, match="give its folder as start"):
        quick("regis_u_debug", "lora=2").build()


def test_no_data(tmp_path):
    """The path is named, also where it comes by `--set`."""
    run = quick("regis_u_debug", f"data.path={tmp_path / 'none'}")
    with pytest.raises(ConfigError, match=r"no data at .*none; give --data an existing folder"):
        run.build()
