"""LoRAs in all the forms that people have: what fits is used, what does not is said."""

import json
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from moviola.core.errors import ConfigError, WeightsError
from moviola.models.rerender.diffusion import DiffusionConfig, DiffusionPainter, LoraConfig, loras
from moviola.models.rerender.diffusion.tiny import tiny_pipeline

pytest.importorskip("peft")


ENDS = ("attn1.to_q", "attn2.to_k", "attn1.to_out.0", "ff.net.2")


def layers(net, ends=ENDS):
    return [name for name, _ in net.named_modules() if name.endswith(ends)]


def pair(net, name, rank=2):
    generator = torch.Generator().manual_seed(len(name))
    weight = net.get_submodule(name).weight
    return (
        torch.randn(rank, *weight.shape[1:], generator=generator),
        torch.randn(weight.shape[0], rank, generator=generator),
    )


def peft_form(net, prefix, form="{}{}.lora_{}.weight", names=None):
    tensors = {}
    for name in names or layers(net):
        tensors[form.format(prefix, name, "A")], tensors[form.format(prefix, name, "B")] = pair(net, name)
    return tensors


def kohya_form(net, prefix="lora_unet_", alpha=1.0, names=None):
    tensors = {}
    for name in names or layers(net):
        stem = prefix + name.replace(".", "_")
        tensors[f"{stem}.lora_down.weight"], tensors[f"{stem}.lora_up.weight"] = pair(net, name)
        tensors[f"{stem}.alpha"] = torch.tensor(alpha)
    return tensors


def old_form(net, prefix):
    tensors = {}
    for name in layers(net, ENDS[:3]):
        block, _, end = name.partition(".attn")
        stem = f"{prefix}{block}.attn{end[0]}.processor.{end[2:].removesuffix('.0')}_lora"
        tensors[f"{stem}.down.weight"], tensors[f"{stem}.up.weight"] = pair(net, name)
    return tensors


@pytest.fixture
def add(tmp_path):
    """Return what puts tensors, written to a file, into a fresh pipeline, and gives it and the notes."""

    def use(tensors, *, kind: Any = "sd", weight=1.0, name="l.safetensors", metadata=None):
        save_file(tensors, tmp_path / name, metadata=metadata)
        pipeline = tiny_pipeline(kind, 0)
        return pipeline, loras.add_loras(pipeline, [LoraConfig(path=str(tmp_path / name), weight=weight)])

    return use


def changed(net, name, scale, down_up):
    """Whether the layer of a network adds scale * up @ down to what it has."""
    layer = net.get_submodule(name)
    x = torch.randn(3, layer.in_features, generator=torch.Generator().manual_seed(1))
    down, up = down_up
    with torch.no_grad():
        torch.testing.assert_close(
            layer(x), layer.base_layer(x) + scale * x @ down.T @ up.T, rtol=1e-4, atol=1e-4
        )


FORMS = {
    "unet.": lambda net: peft_form(net, "unet."),
    "transformer.": lambda net: peft_form(net, "transformer."),
    "base_model.model.": lambda net: peft_form(net, "base_model.model."),
    "no prefix": lambda net: peft_form(net, ""),
    "both, inside": lambda net: peft_form(net, "base_model.model.unet."),
    "both, outside": lambda net: peft_form(net, "unet.base_model.model."),
    "with the adapter's name": lambda net: peft_form(net, "", "{}{}.lora_{}.default.weight"),
    "ComfyUI": lambda net: peft_form(net, "diffusion_model."),
    "old": lambda net: old_form(net, "unet."),
    "old, no prefix": lambda net: old_form(net, ""),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_prefix_is_used_whole(form, add):
    net = tiny_pipeline("sd", 0).unet
    tensors = FORMS[form](net)
    pipeline, notes = add(tensors, weight=0.5)
    assert notes == []
    names = layers(net, ENDS[:3] if "old" in form else ENDS)
    assert len(names) == len(tensors) // 2
    for name in names:
        changed(pipeline.unet, name, 0.5, pair(net, name))


def test_kohyas_alpha_counts_and_so_does_a_weight_below_zero(add):
    net = tiny_pipeline("sd", 0).unet
    pipeline, notes = add(kohya_form(net, alpha=1.0), weight=-0.5)
    assert notes == []
    for name in layers(net):
        changed(pipeline.unet, name, -0.5 * 1.0 / 2, pair(net, name))


def test_layers_of_several_ranks_and_alphas(add):
    net = tiny_pipeline("sd", 0).unet
    first, second = layers(net)[:2]
    tensors = {}
    for name, rank, alpha in ((first, 1, 3.0), (second, 4, 2.0)):
        stem = "lora_unet_" + name.replace(".", "_")
        tensors[f"{stem}.lora_down.weight"], tensors[f"{stem}.lora_up.weight"] = pair(net, name, rank)
        tensors[f"{stem}.alpha"] = torch.tensor(alpha)
    pipeline, _ = add(tensors)
    changed(pipeline.unet, first, 3.0, pair(net, first, 1))
    changed(pipeline.unet, second, 0.5, pair(net, second, 4))


@pytest.mark.parametrize("ends", [("q_proj", "out_proj", "fc1"), ("q_proj",), ("fc1",)])
@pytest.mark.parametrize("form", ["peft", "kohya"])
def test_text_encoders(form, ends, add):
    """Whatever layers are trained, and whether the library calls the encoder text_model or not."""
    net = tiny_pipeline("sd", 0).text_encoder
    names = layers(net, ends)
    bare = [name.removeprefix("text_model.") for name in names]
    make = {"peft": peft_form, "kohya": kohya_form}[form]
    prefix = {"peft": "text_encoder.text_model.", "kohya": "lora_te_text_model_"}[form]
    source = getattr(net, "text_model", net)
    pipeline, notes = add(make(source, prefix, names=bare))
    assert notes == []
    for name, short in zip(names, bare, strict=True):
        changed(pipeline.text_encoder, name, 1.0 if form == "peft" else 0.5, pair(source, short))


def test_as_diffusers_loads_it(add, tmp_path):
    """Forms that the library knows, both text encoders of SDXL among them: the networks give the same."""
    reference = tiny_pipeline("sdxl", 0)
    tensors = kohya_form(reference.unet)
    for prefix, net in (("lora_te1_", reference.text_encoder), ("lora_te2_", reference.text_encoder_2)):
        source = getattr(net, "text_model", net)
        tensors |= kohya_form(
            source, f"{prefix}text_model_", 1.5, layers(source, ("q_proj", "out_proj", "fc1"))
        )
    pipeline, notes = add(tensors, kind="sdxl")
    assert notes == []
    reference.load_lora_weights(str(tmp_path), weight_name="l.safetensors", adapter_name="x")
    with torch.no_grad():
        for name in ("text_encoder", "text_encoder_2"):
            ids = torch.arange(16)[None]
            found, expected = (
                getattr(p, name)(ids, output_hidden_states=True).hidden_states[-1]
                for p in (pipeline, reference)
            )
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    for name in layers(reference.unet):
        found, expected = (p.unet.get_submodule(name) for p in (pipeline, reference))
        x = torch.randn(2, found.in_features, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            torch.testing.assert_close(found(x), expected(x), rtol=1e-4, atol=1e-4)


def test_names_of_the_first_release(add):
    """SDXL's blocks as they were called first: input_blocks.1 is the first of the way down."""
    net = tiny_pipeline("sdxl", 0).unet
    place = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    first = "input_blocks.1.1.transformer_blocks.0.attn1.to_q"
    down, up = pair(net, place)
    forms = (
        {
            f"lora_unet_{first.replace('.', '_')}.lora_{part}.weight": value
            for part, value in (("down", down), ("up", up))
        },
        {f"diffusion_model.{first}.lora_{part}.weight": value for part, value in (("A", down), ("B", up))},
    )
    for tensors in forms:
        pipeline, notes = add(tensors, kind="sdxl")
        assert notes == []
        changed(pipeline.unet, place, 1.0, (down, up))


def test_alpha_beside_the_file_and_in_its_header(add, tmp_path):
    """What peft writes beside its file, and diffusers into it, counts: alpha / r, with rank stabilization / sqrt(r)."""
    net = tiny_pipeline("sd", 0).unet
    name = layers(net)[0]
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 2, "lora_alpha": 8}))
    pipeline, _ = add(peft_form(net, "base_model.model."), name="adapter_model.safetensors")
    changed(pipeline.unet, name, 4.0, pair(net, name))
    header = {"unet.r": 2, "unet.lora_alpha": 3, "unet.use_rslora": True, "unet.alpha_pattern": {}}
    pipeline, _ = add(peft_form(net, "unet."), metadata={"lora_adapter_metadata": json.dumps(header)})
    changed(pipeline.unet, name, 3 / 2**0.5, pair(net, name))


def test_dora(add):
    """Liu et al. 2024, equation 5: m (W + B A) / |W + B A|, a norm for each output."""
    net = tiny_pipeline("sd", 0).unet
    name = layers(net)[0]
    down, up = pair(net, name)
    magnitude = torch.rand(up.shape[0], generator=torch.Generator().manual_seed(2))
    stem = f"unet.{name}"
    tensors = {
        f"{stem}.lora_A.weight": down,
        f"{stem}.lora_B.weight": up,
        f"{stem}.lora_magnitude_vector": magnitude,
    }
    pipeline, notes = add(tensors)
    layer = pipeline.unet.get_submodule(name)
    merged = layer.base_layer.weight.detach() + up @ down
    expected = magnitude[:, None] * merged / merged.norm(dim=1, keepdim=True)
    x = torch.randn(3, down.shape[1], generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(layer(x), x @ expected.T, rtol=1e-4, atol=1e-4)
    assert notes == []
    other = f"unet.{layers(net)[1]}"
    tensors[f"{other}.lora_A.weight"], tensors[f"{other}.lora_B.weight"] = pair(net, layers(net)[1])
    pipeline, notes = add(tensors)
    assert len(notes) == 1 and "DoRA magnitudes of 1 layers" in notes[0]
    changed(pipeline.unet, name, 1.0, (down, up))


@pytest.mark.parametrize("form", ["peft", "kohya"])
def test_a_part_that_does_not_fit_is_counted(form, add):
    net = tiny_pipeline("sd", 0).unet
    tensors = peft_form(net, "unet.") if form == "peft" else kohya_form(net)
    whole, count = dict(tensors), len(layers(net))
    mid = [name for name in layers(net) if name.startswith("mid_block")]
    for key, value in whole.items():
        if "mid_block" in key:
            name = key.replace("mid_block", "up_blocks.9" if form == "peft" else "up_blocks_9")
            tensors[name] = value.clone()
    pipeline, notes = add(tensors)
    assert len(notes) == 1 and "\n" not in notes[0]
    assert f"LoRA l.safetensors: {len(mid)} of its {count + len(mid)} layers do not fit" in notes[0]
    assert sum(bool(getattr(m, "lora_A", ())) for m in pipeline.unet.modules()) == count


def test_half_of_a_layer_and_other_tensors_are_counted(add):
    net = tiny_pipeline("sd", 0).unet
    tensors = kohya_form(net)
    count = len(layers(net))
    del tensors["lora_unet_" + layers(net)[0].replace(".", "_") + ".lora_up.weight"]
    _, notes = add({**tensors, "bundle_emb.x.string_to_param.*": torch.zeros(2, 4)})
    assert f"2 of its {count + 1} layers do not fit" in notes[0] and "bundle_emb.x" in notes[0]


def test_what_does_not_fit_at_all_is_refused(add):
    net = tiny_pipeline("sd", 0).unet
    flux = {
        key.replace("down_blocks", "single_blocks"): v for key, v in peft_form(net, "transformer.").items()
    }
    only = {key: value for key, value in flux.items() if "single_blocks" in key}
    with pytest.raises(WeightsError, match=rf"another kind of model: none of its {len(only) // 2} layers"):
        add(only)
    with pytest.raises(WeightsError, match=r"is no LoRA: it holds a\.b"):
        add({"a.b": torch.zeros(2)})
    loha = {key.replace("lora_down", "hada_w1_a"): v for key, v in kohya_form(net).items() if "down.w" in key}
    with pytest.raises(WeightsError, match="LyCORIS"):
        add(loha)
    wide = {
        k: torch.zeros(2, 99) if k.endswith("attn2.to_k.lora_A.weight") else v
        for k, v in peft_form(net, "").items()
    }
    with pytest.raises(WeightsError, match=r"another base model: 4 of its \d+ layers .*99 in .*has 32"):
        add(wide)


def test_precision_is_the_networks(add, tmp_path):
    net = tiny_pipeline("sd", 0).unet
    save_file(peft_form(net, "unet."), tmp_path / "l.safetensors")
    pipeline = tiny_pipeline("sd", 0).to(torch.float16)
    loras.add_loras(pipeline, [LoraConfig(path=str(tmp_path))])
    assert {weight.dtype for weight in pipeline.unet.parameters()} == {torch.float16}


def test_a_folder_of_several(tmp_path):
    net = tiny_pipeline("sd", 0).unet
    for name in "ab":
        save_file(peft_form(net, "unet."), tmp_path / f"{name}.safetensors")
    notes = []
    assert loras.find_lora(str(tmp_path), notes).name == "a.safetensors"
    assert len(notes) == 1 and "2 files" in notes[0]
    save_file(peft_form(net, "unet."), tmp_path / "pytorch_lora_weights.safetensors")
    assert (
        loras.find_lora(str(tmp_path), notes).name == "pytorch_lora_weights.safetensors" and len(notes) == 1
    )


def test_two_loras_add_up(tmp_path):
    net = tiny_pipeline("sd", 0).unet
    name = layers(net)[0]
    save_file(peft_form(net, "unet."), tmp_path / "l.safetensors")
    pipeline = tiny_pipeline("sd", 0)
    both = [LoraConfig(path=str(tmp_path / "l.safetensors"), weight=weight) for weight in (0.75, -0.5)]
    loras.add_loras(pipeline, both)
    changed(pipeline.unet, name, 0.25, pair(net, name))


def test_weights_and_their_range():
    assert LoraConfig(path="x", weight=-1).weight == -1
    with pytest.raises((ConfigError, ValueError)):
        LoraConfig(path="x", weight=-5)


def test_the_painter_says_it(tmp_path):
    tiny_pipeline("sd", 0).save_pretrained(tmp_path / "sd")
    net = tiny_pipeline("sd", 0).unet
    save_file({**peft_form(net, ""), "strange": torch.zeros(1)}, tmp_path / "l.safetensors")
    given = LoraConfig(path=str(tmp_path / "l.safetensors"))
    config = DiffusionConfig(
        model=str(tmp_path / "sd"), device="cpu", steps=10, scheduler="own", loras=(given,)
    )
    notes = DiffusionPainter.load(config).notes
    assert [note for note in notes if "do not fit" in note] == notes[:1]
