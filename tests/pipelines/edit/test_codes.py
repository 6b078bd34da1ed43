"""Codes of a projection: as a file, and edited in place of a drawn video's."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

from moviola.core.errors import FormatError, OutputError, WeightsError
from moviola.models.freqmotion import FreqMotionConfig, FreqMotionGenerator
from moviola.pipelines.edit.codes import SavedCodes, fingerprint, load_codes, save_codes
from moviola.pipelines.edit.motion import MotionEdit, default_bands, edit_codes


@pytest.fixture(scope="module")
def model() -> FreqMotionGenerator:
    """A small one with three banks, untrained."""
    return generator(0)


def generator(seed: int) -> FreqMotionGenerator:
    """Weights of a seed."""
    torch.manual_seed(seed)
    ranges = ((0.8, 1.0), (1.7, 1.9), (3.4, 3.8))
    config = FreqMotionConfig(
        size=8, content=4, motion=4, style=6, content_layers=1, features=5, ranges=ranges, widths=(3, 3)
    )
    return FreqMotionGenerator(config).eval()


def tensors(codes) -> list[torch.Tensor]:
    """All that codes hold."""
    return [codes.content, *codes.scales, *codes.noise]


def test_a_file_holds_the_codes(model, tmp_path):
    """Every number, how many frames at which rate; also for the same network read from a folder."""
    codes, path = model.draw(3, [1]), tmp_path / "c.safetensors"
    save_codes(path, model, SavedCodes(codes, 7, model.fps / 3))
    folder = model.save_pretrained(tmp_path / "m")
    for network in (model, FreqMotionGenerator.from_pretrained(folder)):
        loaded = load_codes(path, network)
        assert (loaded.frames, loaded.fps) == (7, model.fps / 3)
        assert all(torch.equal(a, b) for a, b in zip(tensors(loaded.codes), tensors(codes), strict=True))
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_another_networks_codes(model, tmp_path):
    """One weight of another value is another network."""
    path = tmp_path / "c.safetensors"
    save_codes(path, model, SavedCodes(model.draw(0, [0]), 2, model.fps))
    other = generator(0)
    assert fingerprint(other) == fingerprint(model)
    with torch.no_grad():
        other.synthesis.first.bias[0] += 1e-3
    with pytest.raises(WeightsError, match="codes of another model"):
        load_codes(path, other)


def test_damaged_files(model, tmp_path):
    """A tensor too few, one of another shape, NaN, no rate; a network's weights; a name that is none."""
    path = tmp_path / "c.safetensors"
    save_codes(path, model, SavedCodes(model.draw(0, [0]), 2, model.fps))
    about = {"kind": "codes of freqmotion", "network": fingerprint(model), "frames": "2", "fps": "25"}
    whole, bad = load_file(path), tmp_path / "bad.safetensors"
    for change in (
        {k: v for k, v in whole.items() if k != "noise.0"},
        {**whole, "content": torch.zeros(1, 5)},
        {**whole, "content": torch.full((1, 6), torch.nan)},
    ):
        save_file(change, bad, metadata=about)
        with pytest.raises(WeightsError, match="damaged"):
            load_codes(bad, model)
    for lacking in ({"fps": "0"}, {"frames": "many"}):
        save_file(whole, bad, metadata={**about, **lacking})
        with pytest.raises(WeightsError, match="how many frames"):
            load_codes(bad, model)
    save_file(whole, bad)
    with pytest.raises(WeightsError, match="holds no codes"):
        load_codes(bad, model)
    for name, error in (("c.npz", FormatError), ("none/c.safetensors", OutputError)):
        with pytest.raises(error):
            save_codes(tmp_path / name, model, SavedCodes(model.draw(0, [0]), 2, model.fps))


def test_edits_of_own_codes(model):
    """No change is no change, bit for bit; a removed band is zero and no other; a way goes between scales."""
    own, bands = model.draw(9, [4]), default_bands(model)
    same = edit_codes(model, 0, 0, MotionEdit(bands, own=own))
    assert all(torch.equal(a, b) for a, b in zip(tensors(same), tensors(own), strict=True))
    cut = edit_codes(model, 0, 0, MotionEdit(bands, own=own).without(2))
    assert not cut.scales[2].any() and torch.equal(cut.scales[0], own.scales[0])
    altered = edit_codes(model, 0, 0, MotionEdit(bands, codes=(7, None, None), own=own))
    assert torch.allclose(altered.scales[0], model.draw(7, [0]).scales[0], atol=1e-6)
    assert torch.equal(altered.scales[1], own.scales[1]) and torch.equal(altered.content, own.content)
    way = edit_codes(model, 0, 0, MotionEdit(bands, own=own, toward=7, amount=0.25, interpolation="lerp"))
    expected = 0.75 * own.scales[1] + 0.25 * model.draw(7, [0]).scales[1]
    assert torch.allclose(way.scales[1], expected, atol=1e-6)
    swapped = edit_codes(model, 0, 0, MotionEdit(bands, own=own, motion=5, content=6))
    assert torch.equal(swapped.scales[0], model.draw(5, [0]).scales[0])
    assert torch.equal(swapped.content, model.draw(6, [0]).content)
