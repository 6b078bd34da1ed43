"""The TorchScript I3D, with a stand-in that is called as the published file is."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from moviola.core.errors import ConfigError, WeightsError
from moviola.core.video import Video
from moviola.metrics.base import Extractor, Sample
from moviola.metrics.fvd import make_fvd, make_fvd_pooled, make_kvd
from moviola.metrics.i3d_torchscript import TorchScriptI3DExtractor
from moviola.metrics.options import MetricOptions
from moviola.metrics.protocol import Protocol


class StandIn(nn.Module):
    """Means of each channel, after the rescaling that the published file does itself; 400 numbers."""

    def __init__(self, outputs: int = 400):
        super().__init__()
        self.outputs = outputs

    def forward(
        self, x: Tensor, rescale: bool = True, resize: bool = True, return_features: bool = False
    ) -> Tensor:
        x = x.float()
        if rescale:
            x = x / 255 * 2 - 1
        means = x.mean(dim=[2, 3, 4])
        return means.repeat(1, self.outputs // 3 + 1)[:, : self.outputs]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "i3d_torchscript.pt"
    torch.jit.script(StandIn()).save(str(path))
    return path


def clip(frames=12, name="a.mp4"):
    return Sample(Video(np.random.default_rng(0).integers(0, 256, (frames, 8, 10, 3), np.uint8), 8), name)


def test_called_as_published(file):
    """uint8 (1, 3, T, H, W) goes in with the three flags; 400 float32 come out."""
    extractor = TorchScriptI3DExtractor(file)
    assert isinstance(extractor, Extractor)
    out = extractor(clip())["logits"]
    means = clip().video.frames.reshape(-1, 3).astype(np.float64).mean(0) / 255 * 2 - 1
    assert out.shape == (400,) and out.dtype == np.float32
    assert out[:6] == pytest.approx(np.tile(means, 2), abs=1e-5)
    other = pickle.loads(pickle.dumps(extractor))
    assert other.identity() == extractor.identity() and np.array_equal(other(clip())["logits"], out)


def test_named_beside_the_score(file):
    """FVD and KVD say which network it was; the pooled variant is refused, as the file has none."""
    options = MetricOptions(i3d_torchscript=file)
    for make in (make_fvd, make_kvd):
        extractor, output, _ = make(Protocol(), "cpu", options)
        assert (
            extractor.identity()["network"] == "i3d-torchscript" and len(extractor.identity()["sha256"]) == 64
        )
        assert (extractor.name, output) == ("i3d", "logits")
    with pytest.raises(ConfigError, match="gives no pooled features"):
        make_fvd_pooled(Protocol(), "cpu", options)


def test_wrong_files(file, tmp_path):
    """None there, no TorchScript, another program, and a clip that is too short."""
    with pytest.raises(WeightsError, match=r"no file .*none\.pt"):
        TorchScriptI3DExtractor(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(WeightsError, match=r"text\.pt is no TorchScript file"):
        TorchScriptI3DExtractor(tmp_path / "text.pt")
    torch.jit.script(StandIn(10)).save(str(tmp_path / "ten.pt"))
    with pytest.raises(WeightsError, match=r"gives \(1, 10\) for a clip"):
        TorchScriptI3DExtractor(tmp_path / "ten.pt")(clip())
    torch.jit.script(nn.ReLU()).save(str(tmp_path / "relu.pt"))
    with pytest.raises(WeightsError, match="does not run as StyleGAN-V's I3D does"):
        TorchScriptI3DExtractor(tmp_path / "relu.pt")(clip())
    with pytest.raises(ConfigError, match=r"a\.mp4 has 9 frames; I3D needs clips of at least 10"):
        TorchScriptI3DExtractor(file)(clip(9))
