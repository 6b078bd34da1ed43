"""What of a prompt the text encoders read, and what is said about the rest."""

import pytest
import torch

from moviola.core.errors import ConfigError
from moviola.models.rerender.diffusion import DiffusionConfig, DiffusionPainter

LONG = "abcdefghijklmnopqrstuvwxyz"  # a token each; the tiny tokenizer reads 14 of them


def paint(pipeline, clip, prompt="a cat", **changes):
    values = {"steps": 10, "size": None, "scheduler": "own", **changes}
    painter = DiffusionPainter(pipeline, DiffusionConfig(**values).plain())
    next(painter.paint(clip[:1], prompt))
    return painter.notes


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
@pytest.mark.parametrize("skip", [None, 1])
def test_what_is_cut_is_said_once(kind, skip, tiny, clip):
    """For both prompts, each in a line of its own, however they are encoded."""
    pipeline = tiny(kind, 0)
    assert paint(pipeline, clip, LONG[:14], clip_skip=skip, negative_prompt=LONG[:14]) == []
    both = paint(pipeline, clip, LONG, clip_skip=skip, negative_prompt=LONG[1:])
    assert both == [
        'the prompt is longer than the text encoder reads; left out: "opqrstuvwxyz"',
        'the negative prompt is longer than the text encoder reads; left out: "pqrstuvwxyz"',
    ]


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_a_negative_prompt_without_guidance(kind, tiny, clip):
    notes = paint(tiny(kind, 0), clip, negative_prompt=LONG, guidance=1)
    assert notes == ["the negative prompt has no effect without guidance; set guidance above 1"]


def test_clip_skip_of_sdxl(tiny, clip):
    """The last layer but one is read anyway; with 3 layers 2 can be left out, and that changes the text."""
    pipeline = tiny("sdxl", 0)

    def text(skip):
        config = DiffusionConfig(steps=10, scheduler="own", clip_skip=skip)
        return DiffusionPainter(pipeline, config).sampler.text("a cat", 24, 32).embeds

    with torch.no_grad():
        assert not torch.equal(text(None), text(2))
        encoder = pipeline.text_encoder
        tokens = pipeline.tokenizer(
            "a cat", padding="max_length", max_length=16, return_tensors="pt"
        ).input_ids
        states = encoder(tokens, output_hidden_states=True).hidden_states
        torch.testing.assert_close(text(2)[1:, :, :32], states[0])
    for skip in (3, 9):
        with pytest.raises(
            ConfigError, match=f"clip_skip {skip}: the text encoder has 3 layers; give at most 2"
        ):
            paint(pipeline, clip, clip_skip=skip)


def test_networks_for_inpainting(clip):
    """Nine channels: latent, masked latent and mask."""
    from moviola.models.rerender.diffusion.tiny import tiny_pipeline

    pipeline = tiny_pipeline("sd", 0)
    pipeline.unet.register_to_config(in_channels=9)
    with pytest.raises(ConfigError, match="takes 9 channels and a latent has 4"):
        DiffusionPainter(pipeline, DiffusionConfig(steps=10))
