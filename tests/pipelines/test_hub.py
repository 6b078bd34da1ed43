"""Text-to-video pipelines of diffusers: tiny random ones, built here, saved, and read back by the adapter."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import moviola as mv
from moviola.core.errors import ConfigError, InputError, PromptError, WeightsError
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.sources import open_source
from moviola.pipelines import hub, hub_files
from moviola.pipelines.hub import HubPipeline, Request, generate_from_hub, load_hub
from moviola.pipelines.hub_generator import HubGenerator, HubSettings

LACKS = "diffusers is not installed"
PROMPT = "a red cat"


# -- tiny pipelines ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def diffusers():
    """The library; its tests are skipped where it is missing."""
    pytest.importorskip("accelerate", reason=LACKS)
    pytest.importorskip("transformers", reason=LACKS)
    return pytest.importorskip("diffusers", reason=LACKS)


def clip_parts(folder: Path):
    """A CLIP tokenizer that spells words, and a text encoder of width 16."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    config = CLIPTextConfig(
        bos_token_id=52,
        eos_token_id=53,
        pad_token_id=53,
        hidden_size=16,
        intermediate_size=16,
        num_attention_heads=2,
        num_hidden_layers=1,
        vocab_size=54,
        max_position_embeddings=16,
    )
    return CLIPTokenizer.from_pretrained(str(folder), model_max_length=16), CLIPTextModel(config)


def word_tokenizer():
    """A tokenizer of six words, as a stand-in for T5's."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {w: i for i, w in enumerate(["<pad>", "</s>", "<unk>", *PROMPT.split()])}
    made = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=16
    )


def t5_encoder(multilingual: bool = False):
    """A T5 (or umT5) encoder of width 16."""
    import transformers

    kind = "UMT5" if multilingual else "T5"
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=8, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2
    )
    return getattr(transformers, f"{kind}EncoderModel")(config)


def picture_vae(d):
    """Half the size in space, none in time."""
    return d.AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        latent_channels=4,
        norm_num_groups=4,
    )


def modelscope(d, folder: Path):
    """The kind of ModelScope and VideoFusion."""
    tokenizer, encoder = clip_parts(folder)
    unet = d.UNet3DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
        up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    return d.TextToVideoSDPipeline(
        vae=picture_vae(d), text_encoder=encoder, tokenizer=tokenizer, unet=unet, scheduler=d.DDIMScheduler()
    )


def animatediff(d, folder: Path):
    """A picture network with motion modules."""
    tokenizer, encoder = clip_parts(folder)
    unet = d.UNet2DConditionModel(
        block_out_channels=(8, 8),
        layers_per_block=1,
        sample_size=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        norm_num_groups=2,
    )
    motion = d.MotionAdapter(
        block_out_channels=(8, 8),
        motion_layers_per_block=1,
        motion_norm_num_groups=2,
        motion_num_attention_heads=2,
    )
    return d.AnimateDiffPipeline(
        vae=picture_vae(d),
        text_encoder=encoder,
        tokenizer=tokenizer,
        unet=unet,
        motion_adapter=motion,
        scheduler=d.DDIMScheduler(beta_schedule="linear", clip_sample=False),
    )


def cogvideox(d, folder: Path):
    """Four frames in one latent, and 49 frames by default."""
    vae = d.AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=2,
        temporal_compression_ratio=4,
    )
    transformer = d.CogVideoXTransformer3DModel(
        num_attention_heads=4,
        attention_head_dim=8,
        in_channels=4,
        out_channels=4,
        time_embed_dim=2,
        text_embed_dim=16,
        num_layers=1,
        sample_width=2,
        sample_height=2,
        sample_frames=9,
        max_text_seq_length=226,
    )
    return d.CogVideoXPipeline(
        tokenizer=word_tokenizer(),
        text_encoder=t5_encoder(),
        vae=vae,
        transformer=transformer,
        scheduler=d.DDIMScheduler(),
    )


def ltx(d, folder: Path):
    """The frame rate is an argument."""
    four, five = (True, True, False, False), (1, 1, 1, 1, 1)
    vae = d.AutoencoderKLLTXVideo(
        latent_channels=8,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=five,
        decoder_layers_per_block=five,
        spatio_temporal_scaling=four,
        decoder_spatio_temporal_scaling=four,
        decoder_inject_noise=(False,) * 5,
        upsample_residual=(False,) * 4,
        upsample_factor=(1,) * 4,
        patch_size=1,
        patch_size_t=1,
        encoder_causal=True,
        decoder_causal=False,
    )
    transformer = d.LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        num_layers=1,
        caption_channels=16,
    )
    return d.LTXPipeline(
        tokenizer=word_tokenizer(),
        text_encoder=t5_encoder(),
        vae=vae,
        transformer=transformer,
        scheduler=d.FlowMatchEulerDiscreteScheduler(),
    )


def wan(d, folder: Path):
    """Four frames in one latent; numbers of frames that do not fit are rounded down by the library."""
    vae = d.AutoencoderKLWan(
        base_dim=3,
        z_dim=16,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    )
    transformer = d.WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        text_dim=16,
        freq_dim=16,
        ffn_dim=16,
        num_layers=1,
        rope_max_seq_len=32,
    )
    return d.WanPipeline(
        tokenizer=word_tokenizer(),
        text_encoder=t5_encoder(multilingual=True),
        vae=vae,
        transformer=transformer,
        scheduler=d.FlowMatchEulerDiscreteScheduler(shift=7.0),
    )


BUILDERS = {f.__name__: f for f in (modelscope, animatediff, cogvideox, ltx, wan)}
SIZES = {"ltx": (32, 64)}  # height, width; elsewhere 16, 32


@pytest.fixture(scope="session")
def saved(diffusers, tmp_path_factory):
    """Build and save a tiny pipeline once: from its name to its folder."""
    from moviola.core.seeds import seeded

    root, done = tmp_path_factory.mktemp("hub"), {}

    def make(name: str) -> Path:
        if name not in done:
            with hub_files.quiet_libraries(), seeded(0, name):
                BUILDERS[name](diffusers, root / "words").save_pretrained(root / name)
            done[name] = root / name
        return done[name]

    return make


@pytest.fixture
def copied(saved, tmp_path):
    """A copy of the ModelScope-like pipeline's folder, to be damaged."""
    return Path(shutil.copytree(saved("modelscope"), tmp_path / "copy"))


# -- what comes out ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_each_kind_makes_what_is_asked(saved, name):
    """Frames, size and seed as asked, whatever the argument is called and however the frames are packed."""
    height, width = SIZES.get(name, (16, 32))
    loaded = load_hub(f"hub:{saved(name)}")
    made = loaded.generate(Request(PROMPT, frames=6, size=(height, width), steps=2, guidance=2.0, seed=3))
    assert made.video.frames.shape == (6, height, width, 3)
    assert made.notes == ()
    assert made.video.fps == {"ltx": 25, "wan": 16}.get(name, 8)
    again = loaded.generate(Request(PROMPT, frames=6, size=(height, width), steps=2, guidance=2.0, seed=3))
    other = loaded.generate(Request(PROMPT, frames=6, size=(height, width), steps=2, guidance=2.0, seed=4))
    assert np.array_equal(again.video.frames, made.video.frames)
    assert not np.array_equal(other.video.frames, made.video.frames)


def test_the_same_as_the_library_itself(saved, diffusers):
    """Bit for bit the pictures that diffusers gives with its own loader, generator and rounding."""
    ours = generate_from_hub(str(saved("modelscope")), PROMPT, frames=3, steps=2, guidance=4.0, seed=11)
    with hub_files.quiet_libraries():
        pipeline = diffusers.DiffusionPipeline.from_pretrained(str(saved("modelscope")))
        pipeline.set_progress_bar_config(disable=True)
        theirs = pipeline(
            PROMPT,
            num_frames=3,
            num_inference_steps=2,
            guidance_scale=4.0,
            generator=torch.Generator().manual_seed(11),
            output_type="pil",
        ).frames[0]
    assert np.array_equal(ours.frames, np.stack([np.asarray(picture) for picture in theirs]))


def test_defaults_are_the_pipelines_own(saved):
    """16 frames at the network's sample size; the library's 8 frames a second, or the user's."""
    video = generate_from_hub(str(saved("modelscope")), PROMPT, steps=1)
    assert video.frames.shape == (16, 16, 16, 3) and video.fps == 8
    assert generate_from_hub(str(saved("modelscope")), PROMPT, frames=1, steps=1, fps=12.5).fps == 12.5


def test_the_prompt_matters_and_the_global_seed_does_not(saved):
    """Two texts give two videos; what others drew before changes nothing."""
    loaded = load_hub(str(saved("modelscope")))
    one = loaded.generate(Request(PROMPT, frames=2, steps=2)).video.frames
    torch.rand(5)
    state = torch.get_rng_state()
    same = loaded.generate(Request(PROMPT, frames=2, steps=2)).video.frames
    other = loaded.generate(Request("zzz xq", frames=2, steps=2)).video.frames
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert torch.equal(state, torch.get_rng_state())


def test_long_texts_are_said(saved):
    """What the text encoder cannot read is named, of the prompt and of the negative prompt: 14 letters are read."""
    loaded = load_hub(str(saved("modelscope")))
    notes = loaded.generate(
        Request("abcdefghijklmnopq", frames=1, steps=1, negative="zyxwvutsrqponmlk")
    ).notes
    cut = "is longer than the text encoder reads; left out"
    assert [note.partition(cut)[0] for note in notes] == ["the prompt ", "the negative prompt "]
    assert [note.partition(": ")[2].replace(" ", "") for note in notes] == ['"opq"', '"lk"']
    assert loaded.generate(Request("abc", frames=1, steps=1, negative="abcdefghijklmn")).notes == ()


def test_a_negative_prompt_changes_the_video(saved):
    """It is what the library makes of it; a model of ours refuses it."""
    loaded = load_hub(str(saved("modelscope")))
    plain, without = (
        loaded.generate(Request(PROMPT, frames=1, steps=2, guidance=5.0, negative=text)).video.frames
        for text in ("", "zzz")
    )
    assert not np.array_equal(plain, without)
    with pytest.raises(ConfigError, match="negative"):
        mv.generate("a person walks", negative="rain")


def test_nothing_on_the_terminal(saved, capfd):
    """No bars, deprecations or reports of the libraries."""
    generate_from_hub(str(saved("modelscope")), PROMPT, frames=1, steps=1)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize("quiet", [True, False])
def test_bars_on_a_terminal(saved, tmp_path, quiet):
    """Steps are shown on a terminal, and with -q nothing is."""
    command = [sys.executable, "-m", "moviola", "generate", PROMPT, "--model", f"hub:{saved('modelscope')}"]
    more = ["--frames", "1", "--steps", "1", "-o", str(tmp_path / "o.mp4"), *(["-q"] if quiet else [])]
    ours, theirs = os.openpty()
    with subprocess.Popen([*command, *more], stdout=theirs, stderr=theirs, stdin=theirs) as process:
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # how Linux says that nobody writes any more
            while piece := os.read(ours, 4096):
                said += piece
    os.close(ours)
    assert process.returncode == 0
    assert (said == b"") if quiet else (b"1/1" in said)


def test_nothing_in_a_new_process(saved, tmp_path):
    """The libraries speak when a class of theirs is looked at for the first time."""
    command = [sys.executable, "-m", "moviola", "generate", PROMPT, "--model", f"hub:{saved('animatediff')}"]
    more = ["--frames", "1", "--steps", "1", "--size", "32x16", "-o", str(tmp_path / "o.mp4"), "-q"]
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_more_frames_than_it_can_make(saved):
    """The motion modules of AnimateDiff count to 32."""
    with pytest.raises(ConfigError, match="AnimateDiffPipeline makes at most 32 frames, not 33"):
        generate_from_hub(str(saved("animatediff")), PROMPT, frames=33, steps=1)


def test_sizes_that_do_not_go_together_are_said_in_words():
    """Not as sizes of tensors."""

    class Broken(Fake):
        def __call__(self, prompt, video_length=4, generator=None, output_type="pil"):
            raise RuntimeError("The size of tensor a (64) must match the size of tensor b (32)")

    with pytest.raises(
        InputError, match=r"cannot make video_length 64: .*fewer frames or another size"
    ) as caught:
        HubPipeline(Broken(None)).generate(Request(PROMPT, frames=64))
    assert "tensor" not in str(caught.value)


# -- forms of results -------------------------------------------------------------------------------------------------


class Fake:
    """A pipeline of another family: other names, another form of result."""

    def __init__(self, value) -> None:
        self.value, self.asked = value, {}

    def set_progress_bar_config(self, **how) -> None:
        """As every pipeline has."""

    def __call__(self, prompt, video_length=4, generator=None, output_type="pil"):
        self.asked = {"prompt": prompt, "video_length": video_length, "output_type": output_type}
        return SimpleNamespace(frames=None, images=self.value)


@pytest.mark.parametrize("form", ["array", "batch", "tensor", "pictures", "bytes"])
def test_every_form_of_result(diffusers, form):
    """Arrays, tensors with channels first and PIL images become the same frames."""
    from PIL import Image

    truth = np.random.default_rng(0).integers(0, 256, (4, 6, 8, 3), dtype=np.uint8)
    values = truth.astype(np.float32) / 255
    value = {
        "array": values,
        "batch": values[None],
        "tensor": torch.from_numpy(values).movedim(-1, 1)[None],
        "pictures": [[Image.fromarray(frame) for frame in truth]],
        "bytes": truth,
    }[form]
    fake = Fake(value)
    made = HubPipeline(fake, "x").generate(Request("a", frames=3))
    assert np.array_equal(made.video.frames, truth[:3])
    assert fake.asked == {"prompt": "a", "video_length": 3, "output_type": "np"}
    assert made.video.fps == 8 and "frame rate of Fake is not known" in made.notes[0]
    longer = HubPipeline(fake).generate(Request("a", frames=9))
    assert "Fake made 4 frames, not 9" in longer.notes


def test_settings_a_pipeline_lacks_and_results_that_are_none(diffusers):
    """Guidance it does not have, values that are no numbers, an array that is no video."""
    with pytest.raises(ConfigError, match="Fake has no setting for guidance"):
        HubPipeline(Fake(None)).generate(Request("a", guidance=3.0))
    with pytest.raises(ConfigError, match="Fake has no setting for height"):
        HubPipeline(Fake(None)).generate(Request("a", size=(8, 8)))
    wrong = {
        "no frames": None,
        "no numbers": np.full((1, 2, 2, 3), np.nan),
        r"shape \(2, 2\)": np.zeros((2, 2)),
    }
    for message, value in wrong.items():
        with pytest.raises(InputError, match=message):
            HubPipeline(Fake(value)).generate(Request("a"))


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ({"prompt": " "}, PromptError),
        ({"frames": 0}, ConfigError),
        ({"size": (0, 16)}, ConfigError),
        ({"steps": -1}, ConfigError),
        ({"guidance": float("nan")}, ConfigError),
        ({"fps": 0}, ConfigError),
    ],
)
def test_numbers_outside_their_range(setting, error):
    """Refused before anything is loaded."""
    with pytest.raises(error):
        generate_from_hub("nowhere/at-all", **{"prompt": "a", **setting})


def test_a_size_it_cannot_take(saved):
    """The library's own reason, in one line."""
    with pytest.raises(InputError, match=r"TextToVideoSDPipeline stopped: .*divisible by 8") as caught:
        generate_from_hub(str(saved("modelscope")), PROMPT, size=(13, 16), steps=1)
    assert "\n" not in str(caught.value)


TEXT_TO_VIDEO = """AllegroPipeline AnimateDiffPipeline AnimateDiffSDXLPipeline CogVideoXPipeline EasyAnimatePipeline
HunyuanVideoPipeline HunyuanVideo15Pipeline Kandinsky5T2VPipeline LTXPipeline LTX2Pipeline LattePipeline MochiPipeline
SanaVideoPipeline SkyReelsV2Pipeline TextToVideoSDPipeline WanPipeline"""
OTHERS = {
    "StableDiffusionPipeline": "makes no videos",
    "FluxPipeline": "makes no videos",
    "StableVideoDiffusionPipeline": "takes no text",
    "WanImageToVideoPipeline": "wants image",
    "WanVideoToVideoPipeline": "starts from pictures",
    "CogVideoXVideoToVideoPipeline": "starts from pictures",
    "LTXImageToVideoPipeline": "starts from pictures",
    "I2VGenXLPipeline": "starts from pictures",
    "AnimateDiffControlNetPipeline": "starts from pictures",
    "LTXLatentUpsamplePipeline": "takes no text",
}


def test_which_pipelines_make_videos_from_texts(diffusers):
    """Real classes of the library, those that it has."""
    for name in TEXT_TO_VIDEO.split():
        if hasattr(diffusers, name):
            hub_files.check_text_to_video(getattr(diffusers, name), name)
            known = inspect.signature(getattr(diffusers, name).__call__).parameters
            assert {"generator", "output_type"} <= set(known)
    for name, reason in OTHERS.items():
        with pytest.raises(WeightsError, match=reason):
            hub_files.check_text_to_video(getattr(diffusers, name), name)


def test_a_folder_of_another_pipeline(diffusers, tmp_path):
    """Its class is looked at before any weights."""
    index = tmp_path / "model_index.json"
    wrong = {
        "which makes no videos; give a text-to-video pipeline": {"_class_name": "StableDiffusionPipeline"},
        "has no pipeline NoSuchPipeline": {"_class_name": "NoSuchPipeline"},
        "such code is not run": {"_class_name": ["code", "Pipeline"]},
        "not a readable index": {"name": 1},
    }
    for message, values in wrong.items():
        index.write_text(json.dumps(values))
        with pytest.raises(WeightsError, match=message):
            load_hub(str(tmp_path))
    index.unlink()
    with pytest.raises(WeightsError, match=r"has no model_index\.json"):
        load_hub(str(tmp_path))
    for name in ("no such folder", "./nothing", "a/b/c", ""):
        with pytest.raises(WeightsError, match="give a model's folder or a hub name"):
            load_hub(f"hub:{name}")


@pytest.mark.parametrize(
    ("part", "file"),
    [("unet", "diffusion_pytorch_model.safetensors"), ("text_encoder", "model.safetensors")],
)
def test_missing_weights(copied, part, file):
    """The libraries would draw them at random and go on."""
    from safetensors.torch import load, save_file

    tensors = load((copied / part / file).read_bytes())
    gone = sorted(tensors)[3]
    del tensors[gone]
    save_file(tensors, copied / part / file, metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=f"lacks weights: {gone}"):
        load_hub(str(copied))


def test_only_safetensors_and_no_code(copied):
    """Pickled weights are not read, code beside the weights is not run, a damaged file is named."""
    from safetensors.torch import load

    unet = copied / "unet" / "diffusion_pytorch_model.safetensors"
    tensors, whole = load(unet.read_bytes()), unet.read_bytes()
    unet.write_bytes(whole[:1000])
    with pytest.raises(WeightsError, match="cannot load"):
        load_hub(str(copied))
    unet.unlink()
    torch.save(tensors, unet.with_suffix(".bin"))
    with pytest.raises(WeightsError, match="safetensors"):
        load_hub(str(copied))
    unet.write_bytes(whole)
    trace = copied / "ran"
    (copied / "unet" / "evil.py").write_text(f"open({str(trace)!r}, 'w')\nclass Evil: pass\n")
    index = copied / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "unet": ["evil", "Evil"]}))
    with pytest.raises(WeightsError, match="custom code"):
        load_hub(str(copied))
    assert not trace.exists()


def test_weights_that_are_there_in_half_precision_only(saved, copied):
    """The files that end in ".fp16" are taken where a part has no others."""
    unet = copied / "unet" / "diffusion_pytorch_model.safetensors"
    unet.rename(unet.with_name("diffusion_pytorch_model.fp16.safetensors"))
    half, plain = (
        generate_from_hub(str(f), PROMPT, frames=1, steps=1) for f in (copied, saved("modelscope"))
    )
    assert np.array_equal(half.frames, plain.frames)


def test_from_the_cache_without_a_network(saved, tmp_path, monkeypatch):
    """A name that was downloaded once needs the hub no more."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.model_info", refuse)
    store = tmp_path / "models--someone--tiny-video"
    shutil.copytree(saved("modelscope"), store / "snapshots" / ("0" * 40))
    (store / "refs").mkdir()
    (store / "refs" / "main").write_text("0" * 40)
    video = generate_from_hub("hub:someone/tiny-video", PROMPT, frames=2, steps=1)
    plain = generate_from_hub(str(saved("modelscope")), PROMPT, frames=2, steps=1)
    assert np.array_equal(video.frames, plain.frames)
    with pytest.raises(WeightsError, match="cannot be had from the hub") as caught:
        load_hub("hub:someone/other")
    assert "give its folder" in str(caught.value) and "\n" not in str(caught.value)
    (store / "snapshots" / ("0" * 40) / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    with pytest.raises(WeightsError, match="makes no videos"):  # not that the hub cannot be reached
        load_hub("hub:someone/tiny-video")


def refuse(*_, **__):
    """No network."""
    raise ConnectionError("no route\nto the hub")


def test_what_the_hub_says(diffusers, tmp_path, monkeypatch):
    """A name that is not there, one behind terms, and one that is no pipeline."""
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    cases = {
        "no public model of this name": RepositoryNotFoundError.__new__(RepositoryNotFoundError),
        "accept its terms": GatedRepoError.__new__(GatedRepoError),
    }
    for message, error in cases.items():

        def say(*_, error=error, **__):
            raise error

        monkeypatch.setattr("huggingface_hub.model_info", say)
        with pytest.raises(WeightsError, match=message):
            load_hub("someone/thing")
    listing = SimpleNamespace(siblings=[SimpleNamespace(rfilename="model.safetensors")])
    monkeypatch.setattr("huggingface_hub.model_info", lambda *_, **__: listing)
    with pytest.raises(WeightsError, match="is no diffusers pipeline"):
        load_hub("someone/thing")


def test_a_device_that_is_not_there(saved):
    """One line."""
    with pytest.raises(ConfigError, match="cuda:99"):
        load_hub(str(saved("modelscope")), "cuda:99")


@pytest.mark.parametrize("missing", ["diffusers", "accelerate"])
def test_without_the_libraries(monkeypatch, missing):
    """One line that says what to install."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        InputError, match=r"^a model that begins with .* needs diffusers.*; run in .*\[restyle\]'$"
    ):
        generate_from_hub("hub:some/thing", "a cat")
    assert hub.NATIVE_RATES["TextToVideoSD"] == 8


@pytest.mark.parametrize(("free", "moved"), [(1000, "whole"), (400, "part by part")])
def test_a_card_without_the_room(monkeypatch, free, moved):
    """400 bytes of weights fit in 1000 free ones; in 400 they are moved network by network."""
    done = []
    pipeline = SimpleNamespace(
        components={"net": torch.nn.Linear(100, 1, bias=False), "words": object()},
        to=lambda device: done.append("whole"),
        enable_model_cpu_offload=lambda device: done.append("part by part"),
    )
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2000))
    hub._move(pipeline, torch.device("cuda"))
    assert done == [moved]


# -- as a generator ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_a_pipeline_as_a_generator(saved, name):
    """Its sizes are those of what it draws, and the frames are those of `generate`, in [-1, 1]."""
    height, width = SIZES.get(name, (16, 32))
    made = HubGenerator.load(f"hub:{saved(name)}", settings=HubSettings((height, width), 2, 2.0))
    assert made.is_conditional and (made.height, made.width) == (height, width)
    pieces = torch.cat(list(made.stream(3, 1, 5, PROMPT)))
    video = made.pipeline.generate(Request(PROMPT, 5, (height, width), 2, 2.0, seed=4)).video
    assert pieces.dtype == torch.float32 and pieces.shape == (5, 3, height, width)
    assert np.array_equal(Video.from_tensor(pieces, made.fps).frames, video.frames) and video.fps == made.fps
    assert made.describe(3, 1, PROMPT).caption == PROMPT


def test_sizes_that_nobody_set(saved):
    """ModelScope's: 16 frames of its network's size, as it draws them."""
    made = HubGenerator.load(str(saved("modelscope")))
    assert (made.num_frames, made.height, made.width, made.fps) == (16, 16, 16, 8)
    assert HubGenerator.load(str(saved("modelscope")), settings=HubSettings(fps=12.5)).fps == 12.5
    cog = HubGenerator.load(str(saved("cogvideox")), settings=HubSettings((16, 32), 1))
    assert cog.num_frames == len(cog.draw(0, 0, None, PROMPT).video)
    fake = HubGenerator(HubPipeline(Fake(None), "x"))
    assert fake.num_frames == 4 and fake.fps == 8
    with pytest.raises(ConfigError, match=r"hub:x .*give --size"):
        _ = fake.height


def test_a_pipeline_draws_nothing_of_nothing(saved):
    """A text is needed; numbers are looked at before anything is loaded."""
    made = HubGenerator.load(str(saved("modelscope")))
    for call in (lambda: made.describe(0, 0), lambda: made.stream(0, 0, 2)):
        with pytest.raises(PromptError, match="give a prompt"):
            call()
    with pytest.raises(ConfigError, match="steps is 0"):
        HubGenerator.load("nowhere/at-all", settings=HubSettings(steps=0))


def test_generate_takes_pipelines(saved):
    """`mv.generate` does with "hub:" what the command does, and what it makes is the pipeline's."""
    folder = str(saved("modelscope"))
    made = mv.generate(PROMPT, model=f"hub:{folder}", frames=3, steps=2, guidance=4.0, seed=10, index=1)
    plain = generate_from_hub(folder, PROMPT, frames=3, steps=2, guidance=4.0, seed=11)
    assert np.array_equal(made.frames, plain.frames) and made.fps == plain.fps == 8
    assert mv.generate(PROMPT, model=f"hub:{folder}", steps=1, size=(8, 24), frames=2, fps=5).fps == 5
    loaded = HubGenerator.load(folder, settings=HubSettings(None, 2, 4.0))
    assert np.array_equal(mv.generate(PROMPT, model=loaded, frames=3, seed=11).frames, plain.frames)


@pytest.mark.parametrize(
    ("setting", "error", "words"),
    [
        ({"prompt": " "}, PromptError, "empty"),
        ({"frames": 0}, ConfigError, "frames is 0"),
        ({"image": "first.png"}, ConfigError, "text alone"),
        ({"steps": 0}, ConfigError, "steps is 0"),
    ],
)
def test_generate_refuses_before_it_loads(setting, error, words):
    """No pipeline of that name exists, and none is looked for."""
    with pytest.raises(error, match=words):
        mv.generate(**{"prompt": "a", "model": "hub:nowhere/at-all", **setting})


def test_samples_of_a_pipeline(saved, tmp_path, capsys):
    """A folder of them, told one text; it is the folder of these settings alone."""
    from moviola.cli.main import run

    model, out = f"hub:{saved('modelscope')}", tmp_path / "out"
    words = ["sample", model, "-o", str(out), "--format", "npz", "--frames", "2", "--steps", "1", "--json"]
    assert run([*words, "--num", "2", "--prompt", PROMPT, "--seed", "3"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["videos"], told["drawn"], told["frames"], told["width"], told["fps"]) == (2, 2, 2, 16, 8)
    assert [item.caption for item in open_source(out)] == [PROMPT, PROMPT]
    plain = generate_from_hub(model, PROMPT, frames=2, steps=1, seed=4)
    assert np.array_equal(codec.read(out / "00001.npz").frames, plain.frames)
    assert run([*words, "--num", "2", "--prompt", PROMPT, "--seed", "3"]) == 0
    assert json.loads(capsys.readouterr().out)["drawn"] == 0
    words[words.index("--steps") + 1] = "2"
    assert run([*words, "--prompt", PROMPT, "--seed", "3"]) == 2
    assert "other settings (steps 1, not 2)" in capsys.readouterr().err
    assert run([*words, "--format", "mp4"]) == 2
    assert "draws nothing without a text" in capsys.readouterr().err


def test_a_video_of_a_pipeline_is_made_again(saved, tmp_path, capsys):
    """The record names the folder by its contents; the second of two videos is drawn alone, byte for byte."""
    from moviola.cli.main import run
    from moviola.pipelines.descent import read_provenance

    model, out = f"hub:{saved('modelscope')}", tmp_path / "out.npz"
    few = ["--frames", "2", "--steps", "1", "--seed", "3", "--num", "2", "--device", "cpu"]
    words = ["generate", PROMPT, "--model", model, *few]
    assert run([*words, "-o", str(out), "--quiet"]) == 0
    (used,) = read_provenance(tmp_path / "out-1.npz").models
    assert used.name.startswith("hub:") and str(tmp_path) not in used.name and len(used.sha256) == 64
    assert run(["redo", str(tmp_path / "out-1.npz"), "-o", str(tmp_path / "again.npz")]) == 0
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "out-1.npz").read_bytes()
