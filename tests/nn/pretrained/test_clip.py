"""CLIP, by a tiny random model, against what the transformers library itself makes of the same pictures and texts."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from moviola.core.errors import InputError, WeightsError
from moviola.core.video import Video
from moviola.nn.pretrained.clip import load_clip
from moviola.nn.pretrained.hub import HubSource, fingerprint

transformers = pytest.importorskip("transformers")
WORDS = ["a", "red", "blue", "square", "circle", "moves", "left", "right"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A CLIP model with random weights, its tokenizer and its preparation, as transformers saves them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    path = tmp_path_factory.mktemp("tiny-clip")
    special = ["<pad>", "<s>", "</s>", "<unk>"]
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate([*special, *WORDS])}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(path)
    shared = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        text_config={**shared, "vocab_size": 12, "max_position_embeddings": 9, "eos_token_id": 2},
        vision_config={**shared, "image_size": 16, "patch_size": 4},
        projection_dim=12,
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = transformers.CLIPModel(config)
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape)
    model.save_pretrained(path)
    transformers.CLIPImageProcessor(
        size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}
    ).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def clip(folder):
    """The model through our loader."""
    return load_clip(folder)


@pytest.mark.parametrize("shape", [(24, 40), (41, 23), (16, 16), (9, 12)])
def test_pictures_are_prepared_as_by_transformers(clip, folder, formula, shape):
    """Resized, cut and normalised pictures equal those of CLIPImageProcessor to a rounding of a byte."""
    frames = np.stack([formula.picture(48, seed)[: shape[0], : shape[1]] for seed in (0, 1)])
    processor = transformers.CLIPImageProcessor.from_pretrained(folder)
    theirs = processor(images=list(frames), return_tensors="pt")["pixel_values"]
    ours = clip.prepare(Video(frames, 8))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_cosines_are_those_of_transformers(clip, folder, formula):
    """Frames against texts: the model's own logits without their scale."""
    frames = np.stack([formula.picture(16, seed) for seed in range(20)])
    texts = ["a red square moves left", "a blue circle", "red", "something never heard of"]
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        out = model(
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
            pixel_values=clip.prepare(Video(frames, 8)),
        )
    theirs = (out.logits_per_image / model.logit_scale.exp()).detach()
    with torch.inference_mode():
        ours = clip.frames(Video(frames, 8)) @ clip.texts(texts).T
    assert ours == pytest.approx(theirs.numpy(), abs=1e-5)
    assert np.ptp(ours) > 0.05


def test_long_texts_are_cut_off(clip):
    """What lies beyond the longest text the model takes makes no difference."""
    long = "a red square moves left a blue circle moves right"
    assert clip.texts([long]) == pytest.approx(clip.texts([long + " left left left"]), abs=1e-6)
    assert clip.texts(["a red"]) != pytest.approx(clip.texts(["a blue"]), abs=1e-3)


def test_identity_names_weights_and_preparation(clip, folder):
    """The fingerprint follows the weights, the preparation stands beside it."""
    model = transformers.CLIPModel.from_pretrained(folder)
    identity = clip.identity()
    assert identity["network"] == f"CLIP {folder.name}"
    assert identity["sha256"] == fingerprint(model)
    assert "bicubic 16 crop 16" in identity["resize"]
    model.logit_scale.data += 1e-6
    assert identity["sha256"] != fingerprint(model)


def test_a_model_without_some_weights_is_refused(folder, tmp_path):
    """transformers would draw the missing weights at random; we name them."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["visual_projection.weight"]
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"is no CLIPModel: it lacks visual_projection\.weight"):
        load_clip(tmp_path)


def test_pickled_weights_are_not_read(folder, tmp_path):
    """A folder with `pytorch_model.bin` alone is refused."""
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="clip-score: cannot load") as caught:
        load_clip(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["./nowhere", "/no/where", "a/b/c", " "])
def test_what_is_neither_folder_nor_hub_name(text):
    """A path that is not there is not looked for on the hub."""
    with pytest.raises(WeightsError, match=r"tmp-con: no file or folder .*a hub name"):
        HubSource.of(text, "tmp-con")


def test_a_folder_that_is_no_model(tmp_path):
    """A folder without config.json."""
    with pytest.raises(WeightsError, match=r"has no config\.json"):
        load_clip(tmp_path)


def test_hub_out_of_reach(monkeypatch):
    """A hub name that cannot be had: one line that says what to do."""

    def away(*args, **kwargs):
        raise OSError("We couldn't connect\nto anything")

    monkeypatch.setattr(transformers.CLIPModel, "from_pretrained", away)
    monkeypatch.setattr("huggingface_hub.model_info", away)
    with pytest.raises(
        WeightsError, match="'some/clip' is no folder and cannot be had from the hub"
    ) as caught:
        load_clip("some/clip")
    assert "\n" not in str(caught.value)


def test_without_transformers(monkeypatch):
    """One line that says what to install."""
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        InputError, match=r"^clip-score needs transformers; run in .*: pip install .*\[evaluate\]'$"
    ):
        load_clip("some/clip")


def test_nothing_is_written_on_the_terminal(folder, capfd):
    """No progress bar and no report of the library."""
    load_clip(folder)
    out, err = capfd.readouterr()
    assert out == "" and err == ""
    assert json.loads((folder / "config.json").read_text())["model_type"] == "clip"
