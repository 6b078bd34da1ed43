"""HED: the network's arithmetic, and its real weights where they are."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from moviola.core.errors import WeightsError
from moviola.nn.pretrained import hed
from moviola.nn.pretrained.store import find_weights, locate


def test_first_stage_is_two_convolutions():
    """With only one path through the first stage open, the map is that of two plain convolutions."""
    network = hed.HED().eval()
    for weight in network.parameters():
        torch.nn.init.zeros_(weight)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 3)).astype(np.float32)
    first, second = network.stages[0]
    with torch.no_grad():
        first.weight[5, 2] = torch.from_numpy(a)  # of red, the third channel
        second.weight[7, 5] = torch.from_numpy(b)
        network.sides[0].weight[0, 7] = 0.01
        network.fuse.weight[0, 0] = 1
    frame = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)
    red = frame[..., 0] - hed.MEAN[2]
    hidden = correlate2d(red, a, mode="same").clip(0)
    expected = 1 / (1 + np.exp(-0.01 * correlate2d(hidden, b, mode="same").clip(0)))
    assert np.abs(network.edges(frame) - 255 * expected).max() <= 1


def test_other_weights_do_not_fit(tmp_path):
    """One line names the file."""
    from safetensors.torch import save_file

    save_file({"fuse.weight": torch.zeros(1, 5, 1, 1)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"w\.safetensors"):
        hed.load_hed(tmp_path / "w.safetensors")


def test_the_real_network_draws_an_outline():
    """A bright rectangle on dark ground."""
    if locate("hed")[0] == "missing":
        pytest.skip("the hed weights are not here: moviola models fetch hed")
    network = hed.load_hed(find_weights("hed"))
    frame = np.full((61, 83, 3), 60, np.uint8)
    frame[15:45, 20:60] = (220, 180, 40)
    edges = network.edges(frame).astype(float)
    outline = np.zeros((61, 83), bool)
    outline[13:47, 18:62] = True
    outline[17:43, 22:58] = False
    assert edges.shape == (61, 83)
    assert edges[outline].mean() > 5 * edges[~outline].mean()
    assert edges[outline].max() > 200
