"""Inception-v3 against pytorch-fid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from moviola.core.errors import ConfigError, WeightsError
from moviola.nn.pretrained.inception import Inception, InceptionConfig, load_inception


@pytest.fixture(scope="module")
def file(formula, tmp_path_factory):
    """A file with the names and shapes of the published one, filled by the formula."""
    shapes = {name: tuple(tensor.shape) for name, tensor in Inception(InceptionConfig()).state_dict().items()}
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save({name: torch.from_numpy(value) for name, value in formula.weights(shapes).items()}, path)
    return path


def test_same_as_pytorch_fid(file, formula, golden, agree):
    """As many weights, and for the same ones the features of pytorch-fid's network; the logits have no bias."""
    network = load_inception(file)
    assert len(network.state_dict()) == golden["inception"]["count"]
    pixels = np.stack([formula.picture(160, seed) for seed in (0, 1)])
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    pooled, logits = network(F.interpolate(x, size=(299, 299), mode="bilinear", align_corners=False))
    agree(pooled, golden["inception"]["pooled"], rtol=1e-3)
    torch.testing.assert_close(logits, pooled @ network.fc.weight.T)


def test_torchvisions_weights_are_refused(tmp_path):
    """torchvision's file has 1000 classes; the line names the file that is wanted."""
    path = tmp_path / "inception_v3_google.pth"
    torch.save({"fc.weight": torch.zeros(1000, 2048)}, path)
    with pytest.raises(WeightsError, match=r"1000 classes.*pt_inception-2015-12-05-6726825d\.pth"):
        load_inception(path)


def test_wrong_size():
    """Frames of another size are refused."""
    with pytest.raises(ConfigError, match=r"\(B, 3, 95, 95\)"):
        Inception(InceptionConfig.tiny())(torch.zeros(1, 3, 64, 64))
