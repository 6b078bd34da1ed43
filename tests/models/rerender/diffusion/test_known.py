"""Repainting a part of a picture, against diffusers' inpainting pipelines with the same plain networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from moviola.core.errors import ConfigError
from moviola.models.rerender.diffusion import (
    SCHEDULERS,
    AnchorConfig,
    ControlConfig,
    DiffusionConfig,
    DiffusionPainter,
    Memory,
)
from moviola.models.rerender.diffusion.known import repainted_latents
from moviola.models.rerender.diffusion.schedulers import make_scheduler

TILE = ControlConfig(kind="tile", strength=0.6)
PLAIN = DiffusionConfig(
    steps=4,
    strength=0.8,
    size=None,
    guidance=3.0,
    scheduler="ddim",
    anchor=AnchorConfig(style=None),
).plain()
NAMES = {
    ("sd", 0): "StableDiffusionInpaintPipeline",
    ("sdxl", 0): "StableDiffusionXLInpaintPipeline",
    ("sd", 1): "StableDiffusionControlNetInpaintPipeline",
}


def blocks() -> np.ndarray:
    """A mask of whole latents (4 px each), float32 (24, 32)."""
    mask = np.zeros((24, 32), np.float32)
    mask[8:20, 4:16] = 1
    return mask


def reference(kind, pipeline, frame, mask, config, controls):
    """What diffusers' own inpainting pipeline makes with these networks: the final latent, (4, h, w)."""
    import diffusers

    parts = dict(pipeline.components)
    parts["scheduler"] = make_scheduler(config.scheduler, pipeline.scheduler)
    extra = {"add_watermarker": False} if kind == "sdxl" else {"requires_safety_checker": False}
    inpaint = getattr(diffusers, NAMES[kind, controls])(**parts, **extra)
    inpaint.set_progress_bar_config(disable=True)
    picture = Image.fromarray(frame)
    options = (
        {"control_image": picture, "controlnet_conditioning_scale": config.controls[0].strength}
        if controls
        else {}
    )
    return inpaint(
        "a cat", image=picture, mask_image=Image.fromarray((255 * mask).astype(np.uint8)), height=24, width=32,
        num_inference_steps=config.steps, strength=config.strength, guidance_scale=config.guidance,
        generator=torch.Generator("cpu").manual_seed(3), output_type="latent", **options,
    ).images[0]  # fmt: skip


def paint(pipeline, frames, config, masks):
    memory = Memory()
    painter = DiffusionPainter(pipeline, config)
    flows = lambda i, j: (np.zeros((2, 24, 32), np.float32), np.zeros((24, 32), bool))  # noqa: E731
    made = list(painter.paint(frames, "a cat", seed=3, flows=flows, memory=memory, masks=masks))
    return made, memory


@pytest.mark.parametrize("scheduler", list(SCHEDULERS))
def test_it_is_inpainting_as_in_diffusers(tiny, clip, scheduler):
    """The same latent to rounding, whichever the scheduler; where one draws noise at each step, outside the mask.

    (Their pipeline has drawn once more before, for the picture without the masked part, which only an inpainting
    network looks at.)
    """
    config = PLAIN.model_copy(update={"scheduler": scheduler})
    pipeline = tiny("sd", 0)
    expected = reference("sd", pipeline, clip[0], blocks(), config, 0)
    _, memory = paint(pipeline, clip[:1], config, [blocks()])
    draws = scheduler in ("dpm-sde", "lcm")
    compared = repainted_latents(blocks(), 6, 8)[0, 0] == 0 if draws else torch.ones(6, 8, dtype=torch.bool)
    found = memory.anchor.latent[0]
    torch.testing.assert_close(found[:, compared], expected.float()[:, compared], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("kind", "controls"), [("sdxl", 0), ("sd", 1)])
def test_as_in_diffusers_for_sdxl_and_controlnets(tiny, clip, kind, controls):
    config = PLAIN.model_copy(update={"controls": (TILE,) * controls, "scheduler": "dpm-2m"})
    pipeline = tiny(kind, controls)
    expected = reference(kind, pipeline, clip[0], blocks(), config, controls)
    _, memory = paint(pipeline, clip[:1], config, [blocks()])
    torch.testing.assert_close(memory.anchor.latent[0], expected.float(), rtol=1e-3, atol=1e-3)


def test_a_mask_of_everything_is_none(tiny, clip):
    """Bit for bit, for several frames with all constraints."""
    config = DiffusionConfig(steps=4, size=None, guidance=3.0)
    pipeline = tiny("sd", 0)
    whole, _ = paint(pipeline, clip[:2], config, [np.full((24, 32), 0.2, np.float32)] * 2)
    plain, _ = paint(pipeline, clip[:2], config, None)
    for one, two in zip(whole, plain, strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_known_part_ends_as_the_picture_was_encoded(tiny, clip):
    """Also where constraints act; the rest is repainted."""
    config = DiffusionConfig(steps=4, size=None, guidance=3.0)
    pipeline = tiny("sd", 0)
    _, memory = paint(pipeline, clip[:2], config, [blocks()] * 2)
    _, untouched = paint(pipeline, clip[:2], config, [np.zeros((24, 32), np.float32)] * 2)
    inside = repainted_latents(blocks(), 6, 8)[0, 0] > 0
    assert inside.sum() == 9
    one, two = memory.previous.latent[0], untouched.previous.latent[0]
    torch.testing.assert_close(one[:, ~inside], two[:, ~inside])
    assert (one[:, inside] - two[:, inside]).abs().mean() > 0.05


def test_a_latent_with_any_pixel_is_repainted():
    """So that nothing that is repainted is held to what it was."""
    mask = np.zeros((24, 32), np.float32)
    mask[11, 13] = 0.1
    expected = torch.zeros(1, 1, 6, 8)
    expected[0, 0, 2, 3] = 1
    assert torch.equal(repainted_latents(mask, 6, 8), expected)


def test_a_mask_of_another_size(tiny, clip):
    with pytest.raises(ConfigError, match="mask of a frame"):
        paint(tiny("sd", 0), clip[:1], PLAIN, [np.ones((24, 30), np.float32)])
