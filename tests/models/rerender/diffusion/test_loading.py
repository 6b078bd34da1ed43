"""Loading from folders, files and names that do not exist."""

import json
import logging
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError, WeightsError
from moviola.core.quiet import quiet_libraries
from moviola.models.rerender.diffusion import (
    ControlConfig,
    DiffusionConfig,
    DiffusionPainter,
    LoraConfig,
    loading,
    pickles,
)

huggingface_hub = pytest.importorskip("huggingface_hub")


@pytest.fixture(scope="module")
def folders(tiny, tmp_path_factory):
    """A tiny model of each kind and a ControlNet for it, saved as diffusers saves them."""
    place = tmp_path_factory.mktemp("models")
    for kind in ("sd", "sdxl"):
        tiny(kind, 0).save_pretrained(place / kind)
        tiny(kind, 1).controlnet.save_pretrained(place / f"{kind}_tile")
    return place


def settings(folders, kind, **changes):
    control = ControlConfig(kind="tile", model=str(folders / f"{kind}_tile"), strength=0.6)
    values = {"model": str(folders / kind), "controls": (control,), "device": "cpu", "steps": 2, "size": None}
    values["scheduler"] = "own"  # diffusers carries over to another kind only what a file or a call has set
    return DiffusionConfig(**{**values, **changes})


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_a_saved_model_paints_as_the_one_in_memory(folders, tiny, clip, kind):
    config = settings(folders, kind)
    loaded = DiffusionPainter.load(config)
    name = "StableDiffusionXLControlNet" if kind == "sdxl" else "StableDiffusionControlNet"
    assert type(loaded.pipeline).__name__ == f"{name}Img2ImgPipeline"
    found, expected = (
        next(painter.paint(clip[:1], "a cat")) for painter in (loaded, DiffusionPainter(tiny(kind), config))
    )
    assert np.abs(found.astype(int) - expected).max() <= 1  # where weights lie in memory moves the last bits


def test_two_controlnets_and_none(folders):
    one = settings(folders, "sd").controls[0]
    both = DiffusionPainter.load(settings(folders, "sd", controls=(one, one)))
    assert len(both.sampler.nets) == 2
    assert DiffusionPainter.load(settings(folders, "sd", controls=())).sampler.nets == []


def test_lora_is_used_by_its_weight(folders, tiny, clip, tmp_path):
    """A LoRA whose product is known: the loaded weights' sum is what the network then computes with."""
    pytest.importorskip("peft")
    from safetensors.torch import save_file

    name = "up_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
    generator = torch.Generator().manual_seed(0)
    down, up = torch.randn(2, 8, generator=generator), torch.randn(8, 2, generator=generator)
    save_file(
        {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up}, tmp_path / "l.safetensors"
    )
    lora = LoraConfig(path=str(tmp_path / "l.safetensors"), weight=0.5)
    painter = DiffusionPainter.load(settings(folders, "sd", loras=(lora,)))
    layer = painter.pipeline.unet.get_submodule(name)
    plain = tiny("sd", 0).unet.get_submodule(name)
    x = torch.randn(3, 8, generator=generator)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), plain(x) + 0.5 * x @ down.T @ up.T, rtol=1e-4, atol=1e-5)
    assert next(painter.paint(clip[:1], "a cat")).shape == clip[0].shape


def one_line(config):
    with pytest.raises(WeightsError) as caught:
        DiffusionPainter.load(config)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_what_is_missing_is_said(folders, tmp_path, monkeypatch):
    def offline(*args, **options):
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    text = one_line(settings(folders, "sd", model="somebody/some-model"))
    assert "'somebody/some-model' is no folder and cannot be had from the hub" in text
    assert "give its folder" in text and "watercolor, works now" in text
    assert "no file or folder './nowhere'" in one_line(settings(folders, "sd", model="./nowhere"))
    (tmp_path / "empty").mkdir()
    assert "has no model_index.json" in one_line(settings(folders, "sd", model=str(tmp_path / "empty")))
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    assert "no file in safetensors" in one_line(
        settings(folders, "sd", model=str(tmp_path / "broken.safetensors"))
    )


def test_pipelines_of_other_kinds(folders, tmp_path):
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    assert "is a FluxPipeline" in one_line(settings(folders, "sd", model=str(tmp_path)))


def test_a_damaged_part_is_named(folders, tmp_path):
    shutil.copytree(folders / "sd", tmp_path / "sd")
    (tmp_path / "sd" / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"nothing")
    assert "the model cannot be loaded from" in one_line(settings(folders, "sd", model=str(tmp_path / "sd")))
    net = ControlConfig(kind="tile", model=str(tmp_path))
    assert "the ControlNet 'tile': cannot be loaded" in one_line(settings(folders, "sd", controls=(net,)))
    lora = LoraConfig(path=str(tmp_path / "sd"))
    assert "LoRA" in one_line(settings(folders, "sd", loras=(lora,)))


def test_missing_weights_are_no_random_ones(folders, tmp_path, capfd):
    """The library would draw what a file lacks at random; and it says nothing on the screen."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(folders / "sd", tmp_path / "sd")
    path = tmp_path / "sd" / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    del tensors["conv_out.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    assert "lacks some of its weights" in one_line(settings(folders, "sd", model=str(tmp_path / "sd")))
    DiffusionPainter.load(settings(folders, "sd"))
    assert capfd.readouterr() == ("", "")


PICKLED = ("ckpt", "pt", "pth", "bin")


@pytest.mark.parametrize("extension", PICKLED)
def test_pickles_are_refused_with_the_command_that_converts_them(extension, folders, tmp_path):
    """Before they are opened: whatever they hold."""
    path = tmp_path / f"it is.{extension}"
    path.write_bytes(b"nothing")
    for given in (
        settings(folders, "sd", model=str(path)),
        settings(folders, "sd", controls=(ControlConfig(kind="tile", model=str(path)),)),
        settings(folders, "sd", loras=(LoraConfig(path=str(path)),)),
        settings(folders, "sd", loras=(LoraConfig(path=str(tmp_path)),)),
        settings(folders, "sd", controls=(ControlConfig(kind="tile", model=str(tmp_path)),)),
    ):
        text = one_line(given)
        assert "is pickled, and pickles are not loaded; convert it once, by: python -c" in text


def test_the_command_converts(tmp_path):
    from safetensors.torch import load_file

    weight = torch.arange(6.0).reshape(2, 3)
    torch.save({"state_dict": {"a": weight.T, "b": weight}, "step": 3}, tmp_path / "it is.ckpt")
    command = shlex.split(pickles.conversion(tmp_path / "it is.ckpt"))
    subprocess.run([sys.executable, *command[1:]], check=True)
    found = load_file(tmp_path / "it is.safetensors")
    assert sorted(found) == ["a", "b"] and torch.equal(found["a"], weight.T)


def test_a_single_file_without_a_network(folders, tmp_path, monkeypatch):
    """Its settings and tokenizer are in no single file."""

    def no_network(*given, **options):
        raise OSError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "model_info", no_network)
    source = folders / "sd" / "unet" / "diffusion_pytorch_model.safetensors"
    (tmp_path / "one.safetensors").write_bytes(source.read_bytes())
    text = one_line(settings(folders, "sd", model=str(tmp_path / "one.safetensors")))
    assert "is a single file without settings and tokenizer" in text and "give a folder of diffusers" in text
    assert "service" not in text


class Single:
    """Stands for a class of the libraries that reads single files, its settings here or on the hub."""

    def __init__(self, here: bool) -> None:
        self.here, self.asked = here, []

    def from_single_file(self, path, **options):
        self.asked.append(options)
        if not self.here and options.get("local_files_only"):
            raise OSError("not in the cache")
        return "loaded"


def test_a_single_file_whose_settings_are_here_needs_no_network(folders, monkeypatch):
    path = str(folders / "sd" / "unet" / "diffusion_pytorch_model.safetensors")
    options = {"dtype": torch.float32, "use_safetensors": True}
    monkeypatch.setattr(huggingface_hub, "model_info", lambda *given, **options: pytest.fail("asked"))
    single = Single(here=True)
    assert loading.load_part(single, path, options, "the model") == "loaded"
    assert single.asked == [{"torch_dtype": torch.float32, "local_files_only": True}]
    monkeypatch.setattr(huggingface_hub, "model_info", lambda *given, **options: None)
    single = Single(here=False)
    assert loading.load_part(single, path, options, "the model") == "loaded"
    assert single.asked[-1] == {"torch_dtype": torch.float32}


def test_controlnets_of_another_base_are_refused(folders, tmp_path):
    """Before a frame is painted; the line names what differs."""
    for kind, other, widths in (("sd", "sdxl", "64, the model's 32"), ("sdxl", "sd", "32, the model's 64")):
        net = ControlConfig(kind="tile", model=str(folders / f"{other}_tile"))
        with pytest.raises(ConfigError, match=f"another base model: its width of the text is {widths}"):
            DiffusionPainter.load(settings(folders, kind, controls=(net,)))
    path = tmp_path / "nine"
    shutil.copytree(folders / "sd_tile", path)
    values = json.loads((path / "config.json").read_text())
    values = {
        key: value for key, value in values.items() if key not in ("in_channels", "_use_default_values")
    }
    (path / "config.json").write_text(json.dumps({**values, "in_channels": 9}))
    from safetensors.torch import load_file, save_file

    tensors = load_file(path / "diffusion_pytorch_model.safetensors")
    tensors["conv_in.weight"] = tensors["conv_in.weight"][:, [0, 1, 2, 3, 0, 1, 2, 3, 0]].contiguous()
    save_file(tensors, path / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})
    net = ControlConfig(kind="tile", model=str(path))
    with pytest.raises(ConfigError, match="its number of latent channels is 9, the model's 4"):
        DiffusionPainter.load(settings(folders, "sd", controls=(net,)))


class Hub:
    """Stands for a class of the libraries: what it was asked, and whether the machine or the hub has it."""

    def __init__(self, here: bool) -> None:
        self.here, self.asked = here, []

    def from_pretrained(self, name, **options):
        self.asked.append(options)
        if not self.here and options.get("local_files_only"):
            raise OSError("not in the cache")
        return "loaded"


def test_what_is_here_needs_no_network(monkeypatch):
    """The hub is not asked."""
    monkeypatch.setattr(huggingface_hub, "model_info", lambda *given, **options: pytest.fail("asked"))
    hub = Hub(here=True)
    assert loading.load_part(hub, "some/model", {"use_safetensors": True}, "the model") == "loaded"
    assert hub.asked == [{"use_safetensors": True, "local_files_only": True}]


def test_what_is_not_here_comes_from_the_hub(monkeypatch):
    """Where there is a network; where there is none, one question settles it, in one line."""
    monkeypatch.setattr(huggingface_hub, "model_info", lambda *given, **options: None)
    hub = Hub(here=False)
    assert loading.load_part(hub, "some/model", {}, "the model") == "loaded"
    assert hub.asked == [{"local_files_only": True}, {}]

    def no_network(*given, **options):
        raise OSError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "model_info", no_network)
    hub = Hub(here=False)
    with pytest.raises(
        WeightsError, match=r"the model 'some/model' is no folder and cannot be had .*not known"
    ) as caught:
        loading.load_part(hub, "some/model", {}, "the model")
    assert hub.asked == [{"local_files_only": True}] and "\n" not in str(caught.value)
    with pytest.raises(WeightsError, match="not known"):
        loading.from_hub("some/model", "config.json", "the model")


def test_the_hubs_warnings_stay_off_the_terminal(capfd):
    """They come into the list."""
    with quiet_libraries() as heard:
        logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 1s [Retry 1/5].")
    assert heard == ["Retrying in 1s [Retry 1/5]."]
    assert capfd.readouterr() == ("", "")
