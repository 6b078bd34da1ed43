"""The painter on tiny random models: equal to diffusers with constraints off, and what the constraints do."""

import numpy as np
import pytest
import torch
from PIL import Image

from moviola.core.errors import ConfigError, InputError, PromptError
from moviola.models.rerender.diffusion import (
    SCHEDULERS,
    AnchorConfig,
    AttentionConfig,
    ColorConfig,
    ControlConfig,
    DiffusionConfig,
    DiffusionPainter,
    FreeUConfig,
    LoraConfig,
    Memory,
    PixelConfig,
    ShapeConfig,
)
from moviola.models.rerender.diffusion.painter import painted_size
from moviola.models.rerender.diffusion.schedulers import make_scheduler

TILE = ControlConfig(kind="tile", strength=0.6)
PLAIN = DiffusionConfig(
    controls=(TILE,),
    steps=4,
    strength=0.8,
    size=None,
    guidance=3.0,
    scheduler="ddim",
    anchor=AnchorConfig(style=None),
).plain()


def still(i, j):
    """Flow of frames that do not move, everything visible."""
    return np.zeros((2, 24, 32), np.float32), np.zeros((24, 32), bool)


def settings(**parts):
    return PLAIN.model_copy(update=parts)


def reference(pipeline, frame, config, prompt="a cat", seed=3):
    """What the pipeline of diffusers itself gives: latent and frame."""
    own = pipeline.scheduler
    options = {}
    if config.controls:
        one = len(config.controls) == 1
        picture = Image.fromarray(frame)
        strengths = [control.strength for control in config.controls]
        options = {
            "control_image": picture if one else [picture] * len(strengths),
            "controlnet_conditioning_scale": strengths[0] if one else strengths,
            "control_guidance_start": [control.start for control in config.controls],
            "control_guidance_end": [control.end for control in config.controls],
        }
    results = []
    for kind in ("latent", "pil"):
        pipeline.scheduler = make_scheduler(config.scheduler, own)
        results.append(
            pipeline(
                prompt,
                image=Image.fromarray(frame),
                num_inference_steps=config.steps,
                strength=config.strength,
                guidance_scale=config.guidance,
                negative_prompt=config.negative_prompt or None,
                eta=config.eta,
                clip_skip=config.clip_skip,
                generator=torch.Generator("cpu").manual_seed(seed),
                output_type=kind,
                **options,
            ).images[0]
        )
    pipeline.scheduler = own
    return results[0], np.asarray(results[1])


def paint(pipeline, frames, config, **options):
    memory = options.pop("memory", None) or Memory()
    options = {"prompt": "a cat", "seed": 3, "flows": still, **options}
    return list(DiffusionPainter(pipeline, config).paint(frames, memory=memory, **options)), memory


def assert_equal_to_diffusers(pipeline, frame, config):
    expected_latent, expected = reference(pipeline, frame, config)
    (found,), memory = paint(pipeline, [frame], config)
    # the same steps, but layers may be called in another form, which rounds otherwise on some machines
    torch.testing.assert_close(memory.anchor.latent[0], expected_latent.float(), rtol=1e-3, atol=1e-3)
    assert_within_a_level(found, expected)


def assert_within_a_level(found, expected):
    """Frames whose float pictures agree to rounding differ by one level at most."""
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("scheduler", [*SCHEDULERS, "own"])
@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_without_constraints_it_is_diffusers_bit_for_bit(tiny, clip, kind, scheduler):
    assert_equal_to_diffusers(tiny(kind), clip[0], settings(scheduler=scheduler))


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_without_controlnets_and_with_two(tiny, clip, kind):
    two = (TILE, ControlConfig(kind="tile", strength=1.1, start=0.3, end=0.7))
    assert_equal_to_diffusers(tiny(kind, 0), clip[0], settings(controls=(), scheduler="dpm-2m"))
    assert_equal_to_diffusers(tiny(kind, 2), clip[0], settings(controls=two, scheduler="euler"))


@pytest.mark.parametrize(
    "change",
    [
        {"guidance": 1.0},
        {"negative_prompt": "a dog", "extra_prompt": ""},
        {"eta": 0.7},
        {"strength": 1.0, "scheduler": "dpm-sde"},
    ],
)
@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_settings_mean_what_they_mean_in_diffusers(tiny, clip, kind, change):
    assert_equal_to_diffusers(tiny(kind), clip[1], settings(**change))


@pytest.mark.parametrize("prediction", ["v_prediction", "sample"])
def test_other_predictions(tiny, clip, prediction):
    assert_equal_to_diffusers(tiny("sd", 1, prediction), clip[0], settings(scheduler="dpm-2m"))


def test_clip_skip_leaves_out_the_last_layers(tiny, clip):
    """Against the text encoder's second-last state, given to diffusers as an embedding."""
    pipeline = tiny()
    words = pipeline.tokenizer("a cat", padding="max_length", max_length=16, return_tensors="pt").input_ids
    with torch.no_grad():
        states = pipeline.text_encoder(words, output_hidden_states=True).hidden_states
        expected = pipeline.text_encoder.final_layer_norm(states[-2])
        found = DiffusionPainter(pipeline, settings(clip_skip=1)).sampler.text("a cat", 24, 32).embeds
    torch.testing.assert_close(found[1:], expected)  # prompts go in together there, alone here
    with pytest.raises(ConfigError, match="clip_skip 9: the text encoder has 3 layers"):
        paint(pipeline, clip[:1], settings(clip_skip=9))


def test_controls_are_seen(tiny, clip):
    """The random ControlNet's strength changes the picture: the tests above are not vacuous."""
    (weak,), _ = paint(tiny(), [clip[0]], settings(controls=(ControlConfig(kind="tile", strength=0.1),)))
    (strong,), _ = paint(tiny(), [clip[0]], settings(controls=(ControlConfig(kind="tile", strength=2.0),)))
    given, _ = paint(tiny(), [clip[0]], settings(), controls={"tile": [255 - clip[0]]})
    plain, _ = paint(tiny(), [clip[0]], settings())
    assert (weak != strong).mean() > 0.2
    assert (given[0] != plain[0]).mean() > 0.02


EVERY = {
    "attention": AttentionConfig(store="float32"),
    "shape": ShapeConfig(window=(0.0, 0.4)),
    "pixel": PixelConfig(window=(0.4, 0.8)),
    "color": ColorConfig(window=(0.5, 1.0)),
    "freeu": FreeUConfig(),
}


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_the_pipeline_is_left_as_it_was(tiny, clip, kind):
    """Between two frames, after the last and after an error; here also while the painter waits."""
    pipeline = tiny(kind)
    unet, scheduler = pipeline.unet, pipeline.scheduler
    processors = dict(unet.attn_processors)
    weights = {name: value.clone() for name, value in unet.state_dict().items()}
    fields = {name: value for name, value in vars(pipeline).items() if name != "scheduler"}
    blocks = [sorted(vars(block)) for block in unet.up_blocks]
    scheduled = dict(vars(scheduler))

    def check():
        assert pipeline.scheduler is scheduler
        assert all(value is vars(scheduler)[key] for key, value in scheduled.items())
        assert all(unet.attn_processors[name] is value for name, value in processors.items())
        assert all(torch.equal(value, weights[name]) for name, value in unet.state_dict().items())
        assert {name: value for name, value in vars(pipeline).items() if name != "scheduler"} == fields
        assert [sorted(vars(block)) for block in unet.up_blocks] == blocks

    painter = DiffusionPainter(pipeline, settings(**EVERY))
    for _ in painter.paint(clip[:2], "a cat", flows=still):
        check()

    def broken(i, j):
        raise RuntimeError("no flow")

    with pytest.raises(RuntimeError, match="no flow"):
        list(painter.paint(clip[:2], "a cat", flows=broken))
    check()


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_frame_like_the_anchor_is_painted_like_it(tiny, clip, scheduler):
    """With equal frames and no motion, attention, shape and colour find what is there already."""
    parts = {key: EVERY[key] for key in ("attention", "shape", "color")}
    frames, _ = paint(tiny(), [clip[0]] * 2, settings(scheduler=scheduler, **parts))
    assert np.abs(frames[0].astype(int) - frames[1]).max() <= 1


@pytest.mark.parametrize("scheduler", ["ddim", "dpm-2m", "unipc", "euler"])
@pytest.mark.parametrize("part", ["attention", "shape", "pixel", "color"])
def test_each_constraint_changes_the_second_frame_and_not_the_first(tiny, clip, part, scheduler):
    plain, _ = paint(tiny(), clip[:2], settings(scheduler=scheduler))
    changed, _ = paint(tiny(), clip[:2], settings(scheduler=scheduler, **{part: EVERY[part]}))
    assert_within_a_level(plain[0], changed[0])
    assert (plain[1] != changed[1]).any()


def test_shape_over_all_steps_gives_the_anchors_latent(tiny, clip):
    """With everything visible and still, the last clean latent is the anchor's."""
    _, memory = paint(tiny(), clip[:2], settings(shape=ShapeConfig(window=(0.0, 1.0)), scheduler="dpm-2m"))
    torch.testing.assert_close(memory.previous.clean[2], memory.anchor.clean[2])
    assert memory.previous is not memory.anchor
    torch.testing.assert_close(memory.previous.latent, memory.anchor.latent, rtol=1e-3, atol=1e-3)


def test_what_is_hidden_is_free(tiny, clip):
    def hidden(i, j):
        return np.zeros((2, 24, 32), np.float32), np.ones((24, 32), bool)

    parts = {"shape": ShapeConfig(window=(0.0, 1.0)), "pixel": PixelConfig(window=(0.0, 1.0))}
    free, _ = paint(tiny(), clip[:2], settings(**parts), flows=hidden)
    plain, _ = paint(tiny(), clip[:2], settings())
    assert np.abs(free[1].astype(int) - plain[1]).max() <= 1


def test_pixels_of_the_anchor_come_through(tiny, clip):
    """At full weight to the end, the second frame's latent is the fused picture's: that of the painted anchor."""
    from moviola.models.rerender.diffusion import latents

    pixel = PixelConfig(window=(0.0, 1.0), strength=1.0, smooth=False, fidelity=False)
    _, memory = paint(tiny(), clip[:2], settings(pixel=pixel, scheduler="dpm-2m"))
    with torch.no_grad():
        expected = latents.encode(tiny().vae, memory.anchor.painted.clamp(-1, 1), torch.float32)
    torch.testing.assert_close(memory.previous.latent, expected, rtol=1e-2, atol=1e-2)


def test_colours_have_the_anchors_statistics(tiny, clip):
    from moviola.models.rerender.diffusion.latents import statistics

    _, memory = paint(tiny(), clip[:2], settings(color=ColorConfig(window=(0.0, 1.0))))
    for step, clean in memory.previous.clean.items():
        for found, expected in zip(statistics(clean), statistics(memory.anchor.clean[step]), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_memory_does_not_grow(tiny, clip):
    config = settings(attention=AttentionConfig(window=(0.0, 0.5)))
    painter, memory, sizes = DiffusionPainter(tiny(), config), Memory(), []
    for _ in painter.paint([*clip, *clip], "a cat", flows=still, memory=memory):
        sizes.append(sum(len(record.features) for record in memory.sources))
    assert sizes == [4] + [8] * 7  # two steps of the three that run, two layers, two frames


def test_going_on_from_a_saved_memory(tiny, clip, tmp_path):
    config = settings(**EVERY)
    whole, _ = paint(tiny(), clip, config)
    painter, memory = DiffusionPainter(tiny(), config), Memory()
    run = painter.paint(clip, "a cat", seed=3, flows=still, memory=memory)
    begun = [next(run), next(run)]
    memory.save(tmp_path / "memory.safetensors")
    rest, again = paint(tiny(), clip, config, memory=Memory.load(tmp_path / "memory.safetensors"))
    np.testing.assert_array_equal(np.stack(begun + rest), np.stack(whole))
    assert (again.done, again.anchors) == (4, [0])


def test_a_memory_of_another_run(tiny, clip):
    _, memory = paint(tiny(), clip[:1], settings(attention=AttentionConfig(window=(0.0, 0.5))))
    with pytest.raises(ConfigError, match="memory is of a run with other settings"):
        paint(tiny(), clip[:2], settings(attention=AttentionConfig()), memory=memory)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("first", [0]), ("shot", [0, 2]), ("adaptive", [0, 1, 2, 3])],
)
def test_anchors(tiny, clip, mode, expected):
    """A shot begins at frame 2; only a tenth of a frame is visible in any other."""

    def mostly_hidden(i, j):
        hidden = np.ones((24, 32), bool)
        hidden[:, :3] = False
        return np.zeros((2, 24, 32), np.float32), hidden

    config = settings(shape=ShapeConfig(), anchor=AnchorConfig(mode=mode, overlap=0.4, style=None))
    _, memory = paint(tiny(), clip, config, anchors=(0, 2), flows=mostly_hidden)
    assert memory.anchors == expected


def test_anchors_are_renewed_by_count_and_by_style(tiny, clip):
    by_count = settings(shape=ShapeConfig(), anchor=AnchorConfig(every=2, style=None))
    _, memory = paint(tiny(), clip, by_count)
    assert memory.anchors == [0, 2]
    by_style = settings(shape=ShapeConfig(), anchor=AnchorConfig(style=1e-6))
    _, memory = paint(tiny(), clip, by_style)
    assert memory.anchors == [0, 1, 2, 3]


def test_a_new_shot_is_painted_on_its_own(tiny, clip):
    alone, _ = paint(tiny(), clip[2:3], settings())
    shots, _ = paint(tiny(), clip, settings(**{**EVERY, "freeu": None}), anchors=(0, 2))
    assert_within_a_level(shots[2], alone[0])


def test_any_size_comes_back(tiny):
    frame = np.random.default_rng(0).integers(0, 256, (37, 21, 3), dtype=np.uint8)
    (found,), memory = paint(tiny(), [frame], settings(size=16))
    assert found.shape == (37, 21, 3)
    assert memory.anchor.painted.shape == (1, 3, 28, 16)
    assert painted_size(506, 960, 512, 8) == (512, 968)
    assert painted_size(506, 960, None, 8) == (504, 960)


def test_colour_matching_only_touches_frames_after_the_anchor(tiny, clip):
    kept, _ = paint(tiny(), clip[:2], settings(shape=ShapeConfig(window=None)))
    matched, _ = paint(tiny(), clip[:2], settings(preserve_color=False))
    np.testing.assert_array_equal(kept[0], matched[0])
    assert (kept[1] != matched[1]).mean() > 0.1


def test_half_precision_runs(clip):
    from moviola.models.rerender.diffusion.tiny import tiny_pipeline

    pipeline = tiny_pipeline("sdxl").to(dtype=torch.bfloat16)
    frames, memory = paint(pipeline, clip[:2], settings(**EVERY))
    assert frames[1].std() > 1
    assert memory.anchor.painted.dtype == torch.float32


def test_empty_windows_are_noted(tiny):
    painter = DiffusionPainter(tiny(), settings(shape=ShapeConfig(window=(0.05, 0.1))))
    assert painter.notes == [
        "shape-aware fusion: no step lies in the window 0.05 to 0.1 of the 3 steps that run, so it does nothing; "
        "widen it, or set it to null"
    ]
    assert DiffusionPainter(tiny(), settings(shape=ShapeConfig(window=(0.0, 0.1)))).notes == []


def test_bad_input(tiny, clip):
    painter = DiffusionPainter(tiny(), settings(shape=ShapeConfig()))
    with pytest.raises(PromptError, match="prompt is empty"):
        next(painter.paint(clip, " "))
    with pytest.raises(ConfigError, match="one size"):
        list(painter.paint([clip[0], clip[1][:20]], "a cat", flows=still))
    with pytest.raises(ConfigError, match="occlusion"):
        list(painter.paint(clip, "a cat", flows=lambda i, j: (np.zeros((24, 32, 2)), np.zeros((24, 32)))))
    with pytest.raises(ConfigError, match="has 1 ControlNets and the settings name 2"):
        DiffusionPainter(tiny(), settings(controls=(TILE, TILE)))
    with pytest.raises(ConfigError, match="loras are for a model"):
        DiffusionPainter(tiny(), settings(loras=(LoraConfig(path="x"),)))
    with pytest.raises(ConfigError, match="1 pictures for 'tile' and 4 key frames"):
        list(painter.paint(clip, "a cat", controls={"tile": clip[:1]}))


def test_a_full_card_is_one_line(tiny, clip, monkeypatch):
    def full(*args, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    painter = DiffusionPainter(tiny(), settings())
    monkeypatch.setattr(painter.sampler, "denoise", full)
    with pytest.raises(InputError, match=r"lower size, or set attention.offload=true") as caught:
        next(painter.paint(clip, "a cat"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_a_prompt_that_is_too_long(tiny, clip, capfd, kind):
    """What the text encoder does not read is noted once, and nothing is printed."""
    painter = DiffusionPainter(tiny(kind, 0), settings(controls=()))
    for _ in range(2):
        list(painter.paint(clip[:1], "a woman in a park with a dog"))
    assert len(painter.notes) == 1
    assert painter.notes[0].startswith('the prompt is longer than the text encoder reads; left out: "')
    assert painter.notes[0].endswith('a dog"')
    assert capfd.readouterr() == ("", "")
