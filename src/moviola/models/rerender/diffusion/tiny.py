"""Diffusion models of a few thousand random weights, of the very classes that real checkpoints load into.

What they paint is noise. They serve tests, benchmarks and trying out a whole run on a machine without weights.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any, Literal

from moviola.core.optional import require
from moviola.core.seeds import seeded

if TYPE_CHECKING:
    from torch import nn

WIDTH = 32  # of the text embeddings
_WHAT = "a tiny diffusion model"
LENGTH = 16  # tokens of a prompt
FACTOR = 4  # pixels of the frame per latent, one way
SPREAD, PICTURE_SPREAD = 0.06, 3.0  # of the weights that a new ControlNet has at zero


def tiny_pipeline(
    kind: Literal["sd", "sdxl"] = "sd",
    controls: int = 1,
    *,
    prediction: str = "epsilon",
    attention_gain: float = 1.0,
    seed: int = 0,
) -> Any:
    """Return an image-to-image pipeline of diffusers with small random networks, on the CPU in float32.

    Args:
        kind: "sd" (as SD 1.5 and 2) or "sdxl" (two text encoders, sizes as conditions).
        controls: number of ControlNets; 0 gives the pipeline without.
        prediction: what the network predicts: "epsilon", "v_prediction" or "sample".
        attention_gain: makes the weights of self-attention larger; as they are drawn, it hardly counts.
        seed: of the weights.
    """
    diffusers = require("diffusers", _WHAT)
    with seeded(seed, "tiny", kind):
        parts = _parts(kind, prediction)
        _amplify(parts["unet"], attention_gain)
        nets = [_controlnet(parts["unet"]) for _ in range(controls)]
    if controls:
        parts["controlnet"] = nets[0] if controls == 1 else nets
    if kind == "sd":
        parts |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        name = "StableDiffusionControlNetImg2ImgPipeline" if controls else "StableDiffusionImg2ImgPipeline"
    else:
        name = (
            "StableDiffusionXLControlNetImg2ImgPipeline" if controls else "StableDiffusionXLImg2ImgPipeline"
        )
        parts |= {"add_watermarker": False}
    pipeline = getattr(diffusers, name)(**parts)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _parts(kind: str, prediction: Any) -> dict[str, Any]:
    """Return the components of a pipeline but for its ControlNets."""
    diffusers = require("diffusers", _WHAT)
    vae_shape: dict[str, Any] = {
        "block_out_channels": (8, 8, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 3,
        "up_block_types": ("UpDecoderBlock2D",) * 3,
        "latent_channels": 4,
        "norm_num_groups": 4,
        "sample_size": 64,
    }
    vae = diffusers.AutoencoderKL(**vae_shape).eval()
    shared: dict[str, Any] = {
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "sample_size": 16,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "attention_head_dim": 2,
        "norm_num_groups": 4,
        "cross_attention_dim": WIDTH,
    }
    if kind == "sdxl":
        sizes = {"addition_embed_type": "text_time", "addition_time_embed_dim": 4}
        shared |= {
            **sizes,
            "cross_attention_dim": 2 * WIDTH,
            "projection_class_embeddings_input_dim": 24 + WIDTH,
        }
    unet = diffusers.UNet2DConditionModel(**shared).eval()
    scheduler = diffusers.DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=prediction,
    )
    text = {"text_encoder": _text_encoder(False), "tokenizer": _tokenizer()}
    if kind == "sdxl":
        text |= {"text_encoder_2": _text_encoder(True), "tokenizer_2": _tokenizer()}
    return {"vae": vae, "unet": unet, "scheduler": scheduler, **text}


def _amplify(unet: nn.Module, gain: float) -> None:
    """Multiply the weights of a network's self-attention."""
    import torch

    with torch.no_grad():
        for name, module in unet.named_modules():
            if name.endswith("attn1"):
                layer: Any = module
                for part in (layer.to_q, layer.to_k, layer.to_v, layer.to_out[0]):
                    part.weight.mul_(gain)


def _controlnet(unet: Any) -> nn.Module:
    """Return a ControlNet for `unet`; its zero convolutions are drawn at random, so that it says something."""
    from torch import nn

    kind = require("diffusers", _WHAT).ControlNetModel
    net: Any = kind.from_unet(unet, conditioning_embedding_out_channels=(4, 8, 8)).eval()
    for layer in (*net.controlnet_down_blocks, net.controlnet_mid_block):
        for weight in layer.parameters():
            nn.init.normal_(weight, 0, SPREAD)
    nn.init.normal_(net.controlnet_cond_embedding.conv_out.weight, 0, PICTURE_SPREAD)
    return net


def _text_encoder(projected: bool) -> nn.Module:
    transformers = require("transformers", _WHAT)
    config = transformers.CLIPTextConfig(
        vocab_size=len(_vocabulary()),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        projection_dim=WIDTH,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    kind = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel
    return kind(config).eval()


def _vocabulary() -> list[str]:
    letters = list(string.ascii_lowercase + string.digits + ",.")
    return ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]


def _tokenizer() -> Any:
    """Return a tokenizer that spells: a token a letter."""
    transformers = require("transformers", _WHAT)
    vocabulary = {token: index for index, token in enumerate(_vocabulary())}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=LENGTH)
