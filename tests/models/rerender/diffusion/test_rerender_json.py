"""The authors' JSON configs."""

import json

import pytest

from moviola.core.errors import ConfigError
from moviola.models.rerender.diffusion import read_rerender_json

SCULPTURE = {  # with the keys and the kinds of values of a published one
    "input": "a.mp4",
    "output": "b.mp4",
    "work_dir": "w",
    "key_subdir": "keys",
    "sd_model": "model.safetensors",
    "frame_count": 102,
    "interval": 10,
    "crop": [0, 180, 0, 0],
    "prompt": "a statue",
    "a_prompt": "fine",
    "n_prompt": "bad",
    "x0_strength": 0.95,
    "control_type": "canny",
    "canny_low": 50,
    "canny_high": 100,
    "control_strength": 0.7,
    "seed": 0,
    "warp_period": [0, 0.1],
    "ada_period": [0.8, 1],
    "loose_cfattn": True,
    "freeu_args": [1.1, 1.2, 0.9, 0.2],
}


@pytest.fixture
def read(tmp_path):
    def write_and_read(**changes):
        path = tmp_path / "config.json"
        path.write_text(json.dumps({**SCULPTURE, **changes}))
        return read_rerender_json(path)

    return write_and_read


def test_a_published_config(read):
    found = read()
    assert found.notes == ()
    assert found.original.crop == (0, 180, 0, 0)
    config = found.original.diffusion()
    (control,) = config.controls
    assert (control.kind, control.strength, control.low, control.high) == ("canny", 0.7, 50, 100)
    assert (config.model, config.scheduler, config.steps, config.guidance) == (
        "model.safetensors",
        "ddim",
        20,
        7.5,
    )
    assert (config.strength, config.size) == (0.95, 512)
    assert (config.extra_prompt, config.negative_prompt) == ("fine", "bad")
    assert config.attention.window == (0, 1) and config.attention.own
    assert config.shape.window == (0, 0.1)
    assert config.pixel.window == (0.5, 0.8) and config.pixel.strength == 0.5
    assert config.color.window == (0.8, 1)
    assert (config.freeu.b1, config.freeu.b2, config.freeu.s1, config.freeu.s2) == (1.1, 1.2, 0.9, 0.2)
    assert (config.anchor.mode, config.anchor.every) == ("adaptive", 10)


def test_the_early_window_has_steps_at_every_strength(read):
    """In the published code a strength of 0.75 or less leaves the shape-aware window without effect."""
    from moviola.models.rerender.diffusion.windows import steps

    for strength in (0.75, 0.5, 0.3):
        config = read(x0_strength=strength).original.diffusion()
        assert len(steps(config.shape.window, int(config.steps * config.strength))) >= 1


def test_their_misspelling(read):
    found = read(color_perserve=False)
    assert found.original.color_preserve is False
    assert found.original.diffusion().preserve_color is False
    (note,) = found.notes
    assert "'color_perserve' is taken for 'color_preserve'" in note
    with pytest.raises(ConfigError, match="has both"):
        read(color_perserve=False, color_preserve=True)


def test_unknown_keys_name_the_nearest(read):
    with pytest.raises(
        ConfigError, match=r"unknown setting 'contrl_strength'; did you mean control_strength"
    ):
        read(contrl_strength=1)


def test_windows_that_are_off_and_defaults(read):
    config = read(ada_period=[1.0, 1.0], mask_period=[1, 0], freeu_args=[1, 1, 1, 1]).original.diffusion()
    assert config.color.window is None and config.pixel.window is None and config.freeu is None


def test_strength_outside_its_range_is_said(read):
    found = read(x0_strength=1.05)
    assert found.original.diffusion().strength == 1.0
    assert "x0_strength 1.05 is taken for 1" in found.notes[0]


def test_several_controls(read):
    found = read(control_type=["HED", "canny"], control_strength=[0.5, 0.7]).original.diffusion().controls
    assert [(c.kind, c.strength) for c in found] == [("hed", 0.5), ("canny", 0.7)]
    with pytest.raises(ConfigError, match=r"2 ControlNets .* and 1 strength;"):
        read(control_type=["HED", "canny"], control_strength=0.5).original.diffusion()


@pytest.mark.parametrize("text", ["{", "[1]", '{"warp_period": [0.1]}', '{"interval": 0}'])
def test_broken_files(tmp_path, text):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_rerender_json(path)
    assert "\n" not in str(caught.value)
