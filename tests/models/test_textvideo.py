"""Model folders: a manifest and two networks."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from moviola.core.errors import WeightsError
from moviola.models.textvideo import TextToVideo, TextVideoConfig, read_manifest, write_manifest


def complaint(call) -> str:
    """The WeightsError's message, which must be one line."""
    with pytest.raises(WeightsError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("half", [False, True])
def test_round_trip(tiny_model, tmp_path, half):
    """Captions and both networks come back, in eval mode."""
    again = TextToVideo.from_pretrained(tiny_model.save_pretrained(tmp_path / "m", half=half))
    assert again.config == tiny_model.config and again.first is not None
    for mine, theirs in ((again.first, tiny_model.first), (again.next, tiny_model.next)):
        assert not mine.training
        for name, tensor in theirs.state_dict().items():
            close = tensor.half().to(tensor.dtype) if half and tensor.is_floating_point() else tensor
            assert torch.equal(mine.state_dict()[name], close)


def test_parts_may_be_missing(tiny_folder):
    """Without first/ it starts from images; without next/ there is nothing to run."""
    shutil.rmtree(tiny_folder / "first")
    assert TextToVideo.from_pretrained(tiny_folder).first is None
    shutil.rmtree(tiny_folder / "next")
    assert "nextframe" in complaint(lambda: TextToVideo.from_pretrained(tiny_folder))


def test_swapped_parts_are_refused(tiny_folder):
    """The generator in the place of the next-frame network is named as what it is."""
    shutil.rmtree(tiny_folder / "next")
    shutil.copytree(tiny_folder / "first", tiny_folder / "next")
    text = complaint(lambda: TextToVideo.from_pretrained(tiny_folder))
    assert "FrameGenerator" in text and "NextFrameUNet" in text


def test_manifest_of_another_family_or_none(tiny_folder):
    """Said with the file, in one line."""
    path = tiny_folder / "config.json"
    values = json.loads(path.read_text())
    for change in ({"family": "metric"}, {"size": 3}, {"colour": 1}):
        path.write_text(json.dumps({**values, **change}))
        assert str(tiny_folder) in complaint(lambda: read_manifest(tiny_folder))
    path.unlink()
    assert "config.json" in complaint(lambda: read_manifest(tiny_folder))


def test_write_manifest_again(tiny_model, tmp_path):
    """The same captions and size may be written again (the other part's run does); others are refused."""
    folder = tmp_path / "m"
    write_manifest(tiny_model.config, folder)
    write_manifest(tiny_model.config.model_copy(update={"fps": 5.0}), folder)
    assert read_manifest(folder).fps == 5.0
    other = TextVideoConfig(size=64, fps=8, grammar=tiny_model.config.grammar)
    assert "another" in complaint(lambda: write_manifest(other, folder))
